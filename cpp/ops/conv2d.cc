#include "ops/conv2d.h"

#include <ATen/autocast_mode.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/conv_nd.h"
#include "ops/dynamic_conv/tensors.h"
#include "ops/dynamic_conv/winograd_cost.h"
#include "ops/pointwise_conv.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// One expert and no attention.
DynamicConvProblem StaticProblem(const at::Tensor& input, const at::Tensor& weight,
                                 const std::optional<at::Tensor>& bias, const DynamicConvOptions& options) {
  std::optional<at::Tensor> biases;
  if (bias) biases = bias->unsqueeze(0);
  const auto experts = weight.unsqueeze(0);
  return {input, experts, at::Tensor(), biases, options, ShapeOf(input, experts, options)};
}

// Whether every group has one input channel. The kernels for that read contiguous images.
bool IsDepthwise(const at::Tensor& input, const at::Tensor& weight, const DynamicConvOptions& o) {
  return o.groups > 1 && o.groups == input.size(1) && weight.size(1) == 1 && weight.size(0) % o.groups == 0 &&
         weight.size(2) * weight.size(3) <= kernels::kMaxDepthwiseTaps &&
         o.stride[0] <= kernels::kMaxPhases && o.stride[1] <= kernels::kMaxPhases &&
         o.stride[0] * o.stride[1] <= kernels::kMaxPhases && input.is_contiguous();
}

// Whether the kernels can compute it. Wrong arguments are left to at::conv2d to report.
bool StaticConvKernelApplies(const at::Tensor& input, const at::Tensor& weight,
                             const std::optional<at::Tensor>& bias, const DynamicConvOptions& o) {
  const auto type = input.scalar_type();
  const auto usable = [type](const at::Tensor& t) {
    return t.device().is_cpu() && (type == at::kFloat || type == at::kBFloat16) && t.scalar_type() == type &&
           t.layout() == at::kStrided;
  };
  return !at::autocast::is_autocast_enabled(at::kCPU) && usable(input) && usable(weight) &&
         (!bias || usable(*bias)) && input.dim() == 4 && weight.dim() == 4 && input.numel() > 0 &&
         weight.numel() > 0 && o.stride[0] > 0 && o.stride[1] > 0 &&
         ((o.groups == 1 && weight.size(1) == input.size(1)) || IsDepthwise(input, weight, o)) &&
         (!bias || (bias->dim() == 1 && bias->size(0) == weight.size(0))) && o.padding[0] >= 0 &&
         o.padding[1] >= 0 && o.dilation[0] > 0 && o.dilation[1] > 0 &&
         weight.suggest_memory_format() == at::MemoryFormat::Contiguous;
}

enum class Way { kLibrary, kFused, kWinograd, kDepthwise, kPointwise };

// Whether libtorch's convolutions of that dtype are slower than float32: oneDNN's bfloat16 kernels need
// AVX-512; the fallback is slow and rounds its sums.
bool LibraryIsPoorAt(at::ScalarType dtype) {
  return dtype == at::kBFloat16 && kernels::BestIsa() != kernels::Isa::kAvx512;
}

// Measured: docs/dynamic-convolution.md. The kernels are faster wherever their blocks of samples occupy at
// least half of the threads. In bfloat16 oneDNN is fast for many channels, and faster with AMX.
Way ForwardWay(const at::Tensor& input, const kernels::DynamicConvShape& s) {
  const auto dtype = input.scalar_type();
  if (PointwiseConvApplies(input, s)) return Way::kPointwise;
  const int64_t threads = ThreadsFor(s);
  const auto& table = kernels::BestKernels();
  const bool can_tile = WinogradApplies(s), poor = LibraryIsPoorAt(dtype);
  if (s.groups > 1) return poor || dtype == at::kFloat ? Way::kDepthwise : Way::kLibrary;
  if (!poor && 2 * table.PlanDynamicConv(s, threads).forward_items < threads) return Way::kLibrary;
  if (poor || dtype == at::kFloat) {
    return can_tile && WinogradForwardCost(s, Mixing::kNone).Wins() ? Way::kWinograd : Way::kFused;
  }
  if (!table.CanMultiplyBf16(s) || kernels::HasAmxBf16()) return Way::kLibrary;
  if (s.in_channels <= 16) return Way::kFused;
  return can_tile && WinogradForwardCost(s, Mixing::kNone).WinsOverOneDnnBf16() ? Way::kWinograd
                                                                                : Way::kLibrary;
}

// The direct form and Winograd's vectorize over input channels, and need at least two vectors of them to be
// fast. The direct one keeps the sums of whole images in the L2 cache.
Way BackwardWay(const at::Tensor& input, const kernels::DynamicConvShape& s) {
  const auto dtype = input.scalar_type();
  if (dtype == at::kBFloat16 && !LibraryIsPoorAt(dtype)) return Way::kLibrary;
  if (s.groups > 1) return Way::kDepthwise;
  // With many channels, the reductions of the weight's gradient take longer than copies of the images.
  constexpr int64_t kManyWeights = 1 << 17;
  if (PointwiseConvApplies(input, s) && s.expert_size() < kManyWeights && s.batch >= ThreadsFor(s))
    return Way::kPointwise;
  const int64_t threads = ThreadsFor(s);
  const auto& table = kernels::BestKernels();
  const auto busy = [&](const kernels::DynamicConvPlan& plan) { return 2 * plan.backward_items >= threads; };
  if (WinogradApplies(s) && s.in_channels >= 24) {
    const auto cost = WinogradBackwardCost(s, Mixing::kNone);
    if (cost.Wins() && busy(table.PlanWinograd(s, threads, cost.tile))) return Way::kWinograd;
  }
  const bool fused = s.in_channels >= 32 && s.in_plane() <= 2048 && busy(table.PlanDynamicConv(s, threads));
  return fused ? Way::kFused : Way::kLibrary;
}

at::Tensor StaticConvForward(const DynamicConvProblem& p, Way way) {
  switch (way) {
    case Way::kWinograd:
      return WinogradDynamicConvForward(p);
    case Way::kDepthwise:
      return DepthwiseDynamicConvForward(p);
    case Way::kPointwise:
      return PointwiseConvForward(p);
    default:
      return FusedDynamicConvForward(p);
  }
}

Conv2dGrads StaticConvBackward(const DynamicConvProblem& p, const at::Tensor& grad_output, Way way,
                               const std::array<bool, 3>& needs) {
  if (way == Way::kLibrary) {
    const auto& o = p.options;
    const auto given = p.input.scalar_type(), type = LibraryIsPoorAt(given) ? at::kFloat : given;
    const auto [input, weight, bias] =
        ConvBackwardNd(grad_output.to(type), p.input.to(type), p.weight[0].to(type), o.stride, o.padding,
                       o.dilation, o.groups, needs);
    const auto back = [&](const at::Tensor& grad) { return grad.defined() ? grad.to(given) : grad; };
    return {back(input), back(weight), back(bias)};
  }
  const auto first = [](const at::Tensor& grad) { return grad.defined() ? grad[0] : grad; };
  if (way == Way::kPointwise) {
    const auto grads = PointwiseConvBackward(p, grad_output, needs);
    return {grads.input, first(grads.weight), first(grads.bias)};
  }
  const std::array<bool, 4> wanted{needs[0], needs[1] || needs[2], false, needs[2]};
  const auto backward = way == Way::kWinograd    ? WinogradDynamicConvBackward
                        : way == Way::kDepthwise ? DepthwiseDynamicConvBackward
                                                 : FusedDynamicConvBackward;
  const auto grads = backward(p, grad_output, wanted);
  return {grads.input, needs[1] ? grads.weight[0] : at::Tensor(), needs[2] ? grads.bias[0] : at::Tensor()};
}

class StaticConv : public torch::autograd::Function<StaticConv> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& input, const Variable& weight,
                          const std::optional<at::Tensor>& bias, const DynamicConvOptions& options,
                          Way forward, Way backward) {
    ctx->save_for_backward({input, weight});
    ctx->saved_data["geometry"] = PackGeometry(options);
    ctx->saved_data["way"] = static_cast<int64_t>(backward);
    ctx->saved_data["bias"] = bias.has_value();
    return StaticConvForward(StaticProblem(input, weight, bias, options), forward);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto saved = ctx->get_saved_variables();
    const auto options = UnpackGeometry(ctx->saved_data["geometry"].toIntVector());
    const auto p = StaticProblem(saved[0], saved[1], std::nullopt, options);
    const std::array<bool, 3> needs{ctx->needs_input_grad(0), ctx->needs_input_grad(1),
                                    ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(2)};
    // The backward pass of the library is differentiable.
    const auto way =
        at::GradMode::is_enabled() ? Way::kLibrary : static_cast<Way>(ctx->saved_data["way"].toInt());
    const auto grads = StaticConvBackward(p, grad_outputs[0], way, needs);
    return {grads.input, grads.weight, grads.bias, at::Tensor(), at::Tensor(), at::Tensor()};
  }
};

// The shape, if the kernels can compute it.
std::optional<kernels::DynamicConvShape> KernelShape(const at::Tensor& input, const at::Tensor& weight,
                                                     const std::optional<at::Tensor>& bias,
                                                     const DynamicConvOptions& options) {
  if (!StaticConvKernelApplies(input, weight, bias, options)) return std::nullopt;
  const auto shape = ShapeOf(input, weight.unsqueeze(0), options);
  return shape.out_h > 0 && shape.out_w > 0 && FitsKernels(shape) ? std::optional(shape) : std::nullopt;
}

DynamicConvOptions OptionsOf(const Pair& stride, const Pair& padding, const Pair& dilation, int64_t groups) {
  return {.stride = stride, .padding = padding, .dilation = dilation, .groups = groups};
}

}  // namespace

at::Tensor Conv2d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  const Pair& stride, const Pair& padding, const Pair& dilation, int64_t groups,
                  Conv2dAlgorithm algorithm) {
  const auto options = OptionsOf(stride, padding, dilation, groups);
  const auto library = [&] { return ConvNd(input, weight, bias, stride, padding, dilation, groups); };
  if (algorithm == Conv2dAlgorithm::kLibtorch) return library();
  const auto shape = KernelShape(input, weight, bias, options);
  if (algorithm == Conv2dAlgorithm::kAuto) {
    const Way way = shape ? ForwardWay(input, *shape) : Way::kLibrary;
    return way == Way::kLibrary
               ? library()
               : StaticConv::apply(input, weight, bias, options, way, BackwardWay(input, *shape));
  }
  const bool tiled = algorithm == Conv2dAlgorithm::kWinograd;
  Require(shape && (!tiled || WinogradApplies(*shape)), ErrorKind::kArgument, "Expected a problem that ",
          tiled ? "winograd" : "fused", " can compute for algorithm but received input ", input.sizes(),
          " on ", input.device(), " and weight ", weight.sizes());
  const Way way = tiled ? Way::kWinograd : shape->groups > 1 ? Way::kDepthwise : Way::kFused;
  return StaticConv::apply(input, weight, bias, options, way, way);
}

at::Tensor Conv2dForward(const at::Tensor& input, const at::Tensor& weight,
                         const std::optional<at::Tensor>& bias, const Pair& stride, const Pair& padding,
                         const Pair& dilation, int64_t groups) {
  const auto options = OptionsOf(stride, padding, dilation, groups);
  const auto shape = KernelShape(input, weight, bias, options);
  const Way way = shape ? ForwardWay(input, *shape) : Way::kLibrary;
  if (way == Way::kLibrary) return ConvNd(input, weight, bias, stride, padding, dilation, groups);
  return StaticConvForward(StaticProblem(input, weight, bias, options), way);
}

Conv2dGrads Conv2dBackward(const at::Tensor& grad_output, const at::Tensor& input, const at::Tensor& weight,
                           const Pair& stride, const Pair& padding, const Pair& dilation, int64_t groups,
                           const std::array<bool, 3>& needs) {
  const auto options = OptionsOf(stride, padding, dilation, groups);
  const auto shape = KernelShape(input, weight, std::nullopt, options);
  const auto p = StaticProblem(input, weight, std::nullopt, options);
  return StaticConvBackward(p, grad_output, shape ? BackwardWay(input, *shape) : Way::kLibrary, needs);
}

}  // namespace dyconv
