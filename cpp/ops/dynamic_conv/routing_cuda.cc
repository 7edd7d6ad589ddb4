#include "ops/dynamic_conv/routing_cuda.h"

#include <ATen/ops/empty.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "kernels/kernel.h"
#include "ops/cuda/kernels.h"
#include "ops/optional_tensor.h"

namespace dyconv {

#if defined(DYCONV_CUDA_KERNELS) || defined(DYCONV_EMULATE_CUDA)

namespace {

namespace cuda = kernels::cuda;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

at::Tensor Floats(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.to(at::kFloat).contiguous() : tensor;
}

float* MutableFloatDataOf(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.data_ptr<float>() : nullptr;
}

cuda::RoutingArgs ArgsOf(const at::Tensor& input, const at::Tensor& w1, const at::Tensor& w2) {
  cuda::RoutingArgs args;
  args.batch = input.size(0), args.channels = input.size(1), args.plane = input.size(2) * input.size(3);
  args.hidden = w1.size(0), args.experts = w2.size(0);
  args.element = ElementOf(input);
  return args;
}

// The whole routing as one node. Its input gradient is a broadcast view: no image is written for it.
class CudaRoutingFunction : public torch::autograd::Function<CudaRoutingFunction> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& input, const Variable& w1,
                          const std::optional<at::Tensor>& b1, const Variable& w2,
                          const std::optional<at::Tensor>& b2, const at::Tensor& temperature, bool softmax) {
    const c10::OptionalDeviceGuard guard(input.device());
    const auto image = DenseImage(input);
    const auto floats = input.options().dtype(at::kFloat).memory_format(c10::nullopt);
    const auto f1 = Floats(w1), f2 = Floats(w2);
    const auto c1 = Floats(b1.value_or(at::Tensor())), c2 = Floats(b2.value_or(at::Tensor()));
    auto args = ArgsOf(input, w1, w2);
    const auto pooled = at::empty({args.batch, args.channels}, floats);
    const auto hidden = at::empty({args.batch, args.hidden}, floats);
    const auto attention = at::empty({args.batch, args.experts}, floats);
    args.channels_last = IsDenseChannelsLast(image), args.softmax = softmax;
    args.input = image.const_data_ptr();
    args.w1 = FloatDataOf(f1), args.b1 = FloatDataOf(c1), args.w2 = FloatDataOf(f2),
    args.b2 = FloatDataOf(c2);
    args.temperature = FloatDataOf(temperature);
    args.pooled = MutableFloatDataOf(pooled), args.hidden_units = MutableFloatDataOf(hidden);
    args.attention = MutableFloatDataOf(attention);
    cuda::RoutingForward(args, CurrentStream(input));
    ctx->save_for_backward({input, w1, b1.value_or(at::Tensor()), w2, b2.value_or(at::Tensor()), attention});
    ctx->saved_data["pooled"] = pooled;
    ctx->saved_data["hidden"] = hidden;
    // The temperature of the forward pass: a schedule may change the layer's before the backward pass.
    ctx->saved_data["temperature"] = temperature.clone();
    ctx->saved_data["softmax"] = softmax;
    return attention;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto saved = ctx->get_saved_variables();
    const auto temperature = ctx->saved_data["temperature"].toTensor();
    const bool softmax = ctx->saved_data["softmax"].toBool();
    if (at::GradMode::is_enabled()) {
      auto grads = DifferentiableRoutingGrads({saved.begin(), saved.begin() + 5}, temperature,
                                              softmax ? RoutingKind::kSoftmax : RoutingKind::kSigmoid,
                                              grad_outputs[0]);
      grads.resize(7);
      return grads;
    }
    const auto &input = saved[0], &w1 = saved[1], &b1 = saved[2], &w2 = saved[3], &b2 = saved[4];
    const c10::OptionalDeviceGuard guard(input.device());
    const auto pooled = ctx->saved_data["pooled"].toTensor(), hidden = ctx->saved_data["hidden"].toTensor();
    const auto grad = Floats(grad_outputs[0]), f1 = Floats(w1), f2 = Floats(w2);
    const auto empty = [&](at::IntArrayRef sizes) { return at::empty(sizes, grad.options()); };
    auto args = ArgsOf(input, w1, w2);
    const auto grad_logits = empty({args.batch, args.experts}),
               grad_hidden = empty({args.batch, args.hidden});
    const auto grad_pixel = empty({args.batch, args.channels});
    const auto grad_w1 = empty(w1.sizes()), grad_w2 = empty(w2.sizes());
    const auto grad_b1 = b1.defined() ? empty(b1.sizes()) : at::Tensor();
    const auto grad_b2 = b2.defined() ? empty(b2.sizes()) : at::Tensor();
    args.softmax = softmax, args.temperature = FloatDataOf(temperature);
    args.w1 = FloatDataOf(f1), args.w2 = FloatDataOf(f2);
    args.pooled = MutableFloatDataOf(pooled), args.hidden_units = MutableFloatDataOf(hidden);
    args.attention = saved[5].data_ptr<float>();
    args.grad_attention = FloatDataOf(grad);
    args.grad_logits = MutableFloatDataOf(grad_logits), args.grad_hidden = MutableFloatDataOf(grad_hidden);
    args.grad_pixel = MutableFloatDataOf(grad_pixel);
    args.grad_w1 = MutableFloatDataOf(grad_w1), args.grad_b1 = MutableFloatDataOf(grad_b1);
    args.grad_w2 = MutableFloatDataOf(grad_w2), args.grad_b2 = MutableFloatDataOf(grad_b2);
    cuda::RoutingBackward(args, CurrentStream(input));
    variable_list grads(7);
    grads[0] =
        grad_pixel.to(input.scalar_type()).view({args.batch, args.channels, 1, 1}).expand(input.sizes());
    grads[1] = grad_w1.to(w1.scalar_type());
    if (b1.defined()) grads[2] = grad_b1.to(b1.scalar_type());
    grads[3] = grad_w2.to(w2.scalar_type());
    if (b2.defined()) grads[4] = grad_b2.to(b2.scalar_type());
    return grads;
  }
};

}  // namespace

bool CudaRoutingApplies(const at::Tensor& input, const at::Tensor& w1, const at::Tensor& w2) {
  return CudaKernelsTake(input) && w2.size(0) <= kernels::kMaxExperts &&
         cuda::RoutingFits(ArgsOf(input, w1, w2));
}

at::Tensor CudaRouting(const at::Tensor& input, const at::Tensor& w1, const std::optional<at::Tensor>& b1,
                       const at::Tensor& w2, const std::optional<at::Tensor>& b2,
                       const at::Tensor& temperature, RoutingKind kind) {
  return CudaRoutingFunction::apply(input, w1, b1, w2, b2, temperature, kind == RoutingKind::kSoftmax);
}

#else

bool CudaRoutingApplies(const at::Tensor&, const at::Tensor&, const at::Tensor&) { return false; }
at::Tensor CudaRouting(const at::Tensor&, const at::Tensor&, const std::optional<at::Tensor>&,
                       const at::Tensor&, const std::optional<at::Tensor>&, const at::Tensor&, RoutingKind) {
  FailWithoutCudaKernels();
}

#endif

}  // namespace dyconv
