#include "ops/batch_norm.h"

#include <ATen/ops/batch_norm.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <ATen/ops/native_batch_norm_backward.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/dispatch.h"
#include "ops/activation.h"
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

// Applied after the normalization: activation(normalized + residual).
struct BatchNormEpilogue {
  OptionalTensor residual;
  kernels::Activation activation = kernels::Activation::kNone;
};

bool ResidualFits(const OptionalTensor& residual, const at::Tensor& input) {
  return !residual || (IsContiguousCpuFloat(*residual) && residual->sizes() == input.sizes());
}

struct Normalised {
  at::Tensor output, mean, inv_std, variance;
};

// The arguments that the forward and the backward kernel have in common.
kernels::BatchNormArgs KernelArgs(const at::Tensor& input, const OptionalTensor& weight,
                                  const OptionalTensor& bias, const BatchNormEpilogue& epilogue, double eps) {
  const int64_t channels = input.size(1);
  return {.batch = input.size(0),
          .channels = channels,
          .plane = input.numel() / (input.size(0) * channels),
          .eps = eps,
          .input = input.const_data_ptr<float>(),
          .weight = FloatDataOf(weight),
          .bias = FloatDataOf(bias),
          .residual = FloatDataOf(epilogue.residual),
          .activation = epilogue.activation};
}

using BatchNormKernel = void (*)(const kernels::BatchNormArgs&, int64_t, int64_t);

void RunOnChannels(BatchNormKernel kernel, const kernels::BatchNormArgs& args) {
  at::parallel_for(0, args.channels, 1, [&](int64_t begin, int64_t end) { kernel(args, begin, end); });
}

Normalised Normalise(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                     const BatchNormEpilogue& epilogue, double eps) {
  const auto of_channel = [&] { return at::empty({input.size(1)}, input.options()); };
  const Normalised made{at::empty_like(input), of_channel(), of_channel(), of_channel()};
  auto args = KernelArgs(input, weight, bias, epilogue, eps);
  args.output = made.output.data_ptr<float>();
  args.mean = made.mean.data_ptr<float>();
  args.inv_std = made.inv_std.data_ptr<float>();
  args.variance = made.variance.data_ptr<float>();
  RunOnChannels(kernels::BestKernels().BatchNormForward, args);
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

// The gradients of a batch norm and its epilogue; those that are not wanted stay undefined.
struct BatchNormGrads {
  at::Tensor input, residual, weight, bias;
};

// What the backward pass needs of the forward pass.
struct SavedBatchNorm {
  at::Tensor input;
  OptionalTensor weight, bias;
  at::Tensor mean, inv_std;
  BatchNormEpilogue epilogue;
  double eps;
};

// input, residual, weight, bias.
using BatchNormNeeds = std::array<bool, 4>;

BatchNormGrads FusedBackward(const SavedBatchNorm& saved, const at::Tensor& grad_output,
                             const BatchNormNeeds& needs) {
  const auto gradient = grad_output.contiguous();
  auto args = KernelArgs(saved.input, saved.weight, saved.bias, saved.epilogue, saved.eps);
  args.mean = saved.mean.data_ptr<float>();
  args.inv_std = saved.inv_std.data_ptr<float>();
  args.gradient = gradient.const_data_ptr<float>();
  BatchNormGrads grads;
  const auto made = [](at::Tensor& grad, const at::Tensor& like, bool needed) -> float* {
    if (!needed) return nullptr;
    grad = at::empty_like(like);
    return grad.data_ptr<float>();
  };
  args.grad_input = made(grads.input, saved.input, needs[0]);
  args.grad_residual = made(grads.residual, saved.input, needs[1]);
  args.grad_weight = made(grads.weight, saved.mean, needs[2]);
  args.grad_bias = made(grads.bias, saved.mean, needs[3]);
  RunOnChannels(kernels::BestKernels().BatchNormBackward, args);
  return grads;
}

// The same by libtorch's operations, which are differentiable.
BatchNormGrads DifferentiableBackward(const SavedBatchNorm& saved, const at::Tensor& grad_output,
                                      const BatchNormNeeds& needs) {
  at::Tensor gradient = grad_output;
  if (saved.epilogue.activation != kernels::Activation::kNone) {
    at::Tensor before = at::batch_norm(saved.input, saved.weight, saved.bias, std::nullopt, std::nullopt,
                                       /*training=*/true, /*momentum=*/0, saved.eps, /*cudnn_enabled=*/true);
    if (saved.epilogue.residual) before = before + *saved.epilogue.residual;
    gradient = ActivationBackward(gradient, before, saved.epilogue.activation);
  }
  const auto [input, weight, bias] = at::native_batch_norm_backward(
      gradient, saved.input, saved.weight, std::nullopt, std::nullopt, saved.mean, saved.inv_std,
      /*train=*/true, saved.eps, {needs[0], needs[2], needs[3]});
  return {input, needs[1] ? gradient : at::Tensor(), weight, bias};
}

class BatchNormFunction : public torch::autograd::Function<BatchNormFunction> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& input, const OptionalTensor& residual,
                          const OptionalTensor& weight, const OptionalTensor& bias,
                          const OptionalTensor& running_mean, const OptionalTensor& running_var,
                          double momentum, double eps, kernels::Activation activation) {
    const auto made = Normalise(input, weight, bias, {residual, activation}, eps);
    Update(running_mean, made.mean, momentum);
    Update(running_var, made.variance, momentum);
    const auto or_none = [](const OptionalTensor& t) { return t.value_or(at::Tensor()); };
    // What only the values before the activation depend on.
    const bool again = activation != kernels::Activation::kNone;
    const auto if_again = [&](const OptionalTensor& t) { return again ? or_none(t) : at::Tensor(); };
    ctx->save_for_backward(
        {input, if_again(residual), or_none(weight), if_again(bias), made.mean, made.inv_std});
    const auto given = [](const OptionalTensor& t) { return t && t->defined(); };
    ctx->saved_data["given"] = std::vector<int64_t>{1, given(residual), given(weight), given(bias)};
    ctx->saved_data["eps"] = eps;
    ctx->saved_data["activation"] = static_cast<int64_t>(activation);
    return made.output;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto tensors = ctx->get_saved_variables();
    const auto activation = static_cast<kernels::Activation>(ctx->saved_data["activation"].toInt());
    const SavedBatchNorm saved{tensors[0],
                               IfDefined(tensors[2]),
                               IfDefined(tensors[3]),
                               tensors[4],
                               tensors[5],
                               {IfDefined(tensors[1]), activation},
                               ctx->saved_data["eps"].toDouble()};
    const auto given = ctx->saved_data["given"].toIntVector();
    BatchNormNeeds needs{};
    // Undefined tensors are not counted.
    for (size_t i = 0, index = 0; i < needs.size(); ++i)
      needs[i] = given[i] != 0 && ctx->needs_input_grad(index++);
    const auto backward = at::GradMode::is_enabled() ? DifferentiableBackward : FusedBackward;
    const auto grads = backward(saved, grad_outputs[0], needs);
    variable_list all(9);
    all[0] = grads.input;
    all[1] = grads.residual;
    all[2] = grads.weight;
    all[3] = grads.bias;
    return all;
  }
};

}  // namespace

at::Tensor BatchNorm(const at::Tensor& input, const OptionalTensor& weight, const OptionalTensor& bias,
                     const OptionalTensor& running_mean, const OptionalTensor& running_var, bool training,
                     double momentum, double eps) {
  if (training) {
    return BatchNormActivation(input, std::nullopt, weight, bias, running_mean, running_var, momentum, eps,
                               kernels::Activation::kNone);
  }
  return at::batch_norm(input, weight, bias, running_mean, running_var, training, momentum, eps,
                        /*cudnn_enabled=*/true);
}

at::Tensor BatchNormActivation(const at::Tensor& input, const OptionalTensor& residual,
                               const OptionalTensor& weight, const OptionalTensor& bias,
                               const OptionalTensor& running_mean, const OptionalTensor& running_var,
                               double momentum, double eps, kernels::Activation activation) {
  if (input.dim() >= 2) CheckSeveralValues(input, input.size(0) * SpatialSize(input), "channel");
  const auto given = residual ? IfDefined(*residual) : std::nullopt;
  if (BatchNormKernelApplies(input, {&weight, &bias, &running_mean, &running_var}) &&
      ResidualFits(given, input)) {
    return BatchNormFunction::apply(input, given, weight, bias, running_mean, running_var, momentum, eps,
                                    activation);
  }
  const auto normalised = at::batch_norm(input, weight, bias, running_mean, running_var, /*training=*/true,
                                         momentum, eps, /*cudnn_enabled=*/true);
  return Activated(given ? normalised + *given : normalised, activation);
}

}  // namespace dyconv
