#include "ops/batch_norm.h"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/native_batch_norm_backward.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/dispatch.h"
#include "ops/norm_values.h"
#include "ops/optional_tensor.h"

namespace dyconv {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// Smaller planes are not faster than with libtorch.
constexpr int64_t kSmallestPlane = 16;

bool IsContiguousCpuFloat(const at::Tensor& t) {
  return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.is_contiguous();
}

// Whether the kernels can compute it, with a channel for every thread. Wrong arguments are left to
// at::batch_norm to report.
bool BatchNormKernelApplies(const at::Tensor& x, std::initializer_list<const OptionalTensor*> of_channels) {
  if (!IsContiguousCpuFloat(x) || x.dim() < 3 || x.numel() == 0 || x.size(1) < at::get_num_threads())
    return false;
  if (x.numel() / (x.size(0) * x.size(1)) < kSmallestPlane) return false;
  for (const auto* t : of_channels) {
    if (*t && (*t)->defined() && !(IsContiguousCpuFloat(**t) && (*t)->numel() == x.size(1))) return false;
  }
  return true;
}

struct Normalised {
  at::Tensor output, mean, inv_std, variance;
};

Normalised Normalise(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                     double eps) {
  const int64_t channels = input.size(1);
  const auto of_channel = [&] { return at::empty({channels}, input.options()); };
  const Normalised made{at::empty_like(input), of_channel(), of_channel(), of_channel()};
  const kernels::BatchNormArgs args{.batch = input.size(0),
                                    .channels = channels,
                                    .plane = input.numel() / (input.size(0) * channels),
                                    .eps = eps,
                                    .input = input.const_data_ptr<float>(),
                                    .weight = FloatDataOf(weight),
                                    .bias = FloatDataOf(bias),
                                    .output = made.output.data_ptr<float>(),
                                    .mean = made.mean.data_ptr<float>(),
                                    .inv_std = made.inv_std.data_ptr<float>(),
                                    .variance = made.variance.data_ptr<float>()};
  at::parallel_for(0, channels, 1, [&](int64_t begin, int64_t end) {
    kernels::BestKernels().BatchNormForward(args, begin, end);
  });
  return made;
}

// Updates running statistics with those of a batch; like libtorch's kernel it does not increment the version
// of the tensor.
void Update(const OptionalTensor& running, const at::Tensor& batch, double momentum) {
  if (!running || !running->defined()) return;
  const float* from = batch.const_data_ptr<float>();
  float* to = running->data_ptr<float>();
  const auto share = static_cast<float>(momentum);
  for (int64_t c = 0; c < batch.numel(); ++c) to[c] = share * from[c] + (1 - share) * to[c];
}

class BatchNormFunction : public torch::autograd::Function<BatchNormFunction> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& input, const OptionalTensor& weight,
                          const OptionalTensor& bias, const OptionalTensor& running_mean,
                          const OptionalTensor& running_var, double momentum, double eps) {
    const auto made = Normalise(input, weight, bias, eps);
    Update(running_mean, made.mean, momentum);
    Update(running_var, made.variance, momentum);
    ctx->save_for_backward({input, weight.value_or(at::Tensor()), made.mean, made.inv_std});
    ctx->saved_data["eps"] = eps;
    ctx->saved_data["bias"] = bias && bias->defined();
    return made.output;
  }

  // libtorch's backward, which is differentiable.
  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto saved = ctx->get_saved_variables();
    // Undefined tensors are not counted.
    const bool has_weight = saved[1].defined();
    const std::array<bool, 3> needs{
        ctx->needs_input_grad(0), has_weight && ctx->needs_input_grad(1),
        ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(has_weight ? 2 : 1)};
    const auto [input, weight, bias] = at::native_batch_norm_backward(
        grad_outputs[0], saved[0], has_weight ? OptionalTensor(saved[1]) : std::nullopt, std::nullopt,
        std::nullopt, saved[2], saved[3], /*train=*/true, ctx->saved_data["eps"].toDouble(), needs);
    variable_list grads(7);
    grads[0] = input;
    grads[1] = weight;
    grads[2] = bias;
    return grads;
  }
};

}  // namespace

at::Tensor BatchNorm(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                     const OptionalTensor& running_mean, const OptionalTensor& running_var, bool training,
                     double momentum, double eps) {
  if (training && input.dim() >= 2) CheckSeveralValues(input, input.size(0) * SpatialSize(input), "channel");
  if (!training || !BatchNormKernelApplies(input, {&weight, &bias, &running_mean, &running_var})) {
    return at::batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps,
                          /*cudnn_enabled=*/true);
  }
  return BatchNormFunction::apply(input, weight, bias, running_mean, running_var, momentum, eps);
}

}  // namespace dyconv
