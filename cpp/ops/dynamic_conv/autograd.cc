#include "ops/dynamic_conv/autograd.h"

#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/dynamic_conv/composed.h"
#include "ops/dynamic_conv/cuda.h"
#include "ops/dynamic_conv/fused.h"
#include "ops/optional_tensor.h"

namespace dyconv {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// Saves only the four arguments, no mixed kernels. A backward pass that is differentiated itself uses the
// composed form.
template <at::Tensor (*kForward)(const DynamicConvProblem&),
          DynamicConvGrads (*kBackward)(const DynamicConvProblem&, const at::Tensor&,
                                        const std::array<bool, 4>&)>
class KernelFunction : public torch::autograd::Function<KernelFunction<kForward, kBackward>> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& input, const Variable& weight,
                          const Variable& attention, const std::optional<at::Tensor>& bias,
                          const DynamicConvProblem& problem) {
    ctx->save_for_backward({input, weight, attention, bias.value_or(at::Tensor())});
    ctx->saved_data["geometry"] = PackGeometry(problem.options);
    ctx->saved_data["isa"] = static_cast<int64_t>(problem.isa);
    ctx->saved_data["tile"] = std::vector<int64_t>{problem.tile.h, problem.tile.w};
    return kForward(problem);
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto saved = ctx->get_saved_variables();
    auto problem = MakeDynamicConvProblem(saved[0], saved[1], saved[2], IfDefined(saved[3]),
                                          UnpackGeometry(ctx->saved_data["geometry"].toIntVector()));
    problem.isa = static_cast<kernels::Isa>(ctx->saved_data["isa"].toInt());
    const auto tile = ctx->saved_data["tile"].toIntVector();
    problem.tile = {tile[0], tile[1]};
    const std::array<bool, 4> needs{ctx->needs_input_grad(0), ctx->needs_input_grad(1),
                                    ctx->needs_input_grad(2), problem.bias && ctx->needs_input_grad(3)};
    if (at::GradMode::is_enabled()) {
      auto grads = DifferentiableGrads(problem, grad_outputs[0], needs);
      grads.resize(5);
      return grads;
    }
    const auto grads = kBackward(problem, grad_outputs[0], needs);
    return {grads.input, grads.weight, grads.attention, grads.bias, at::Tensor()};
  }
};

}  // namespace

at::Tensor DynamicConvFused(const DynamicConvProblem& p) {
  using Fused = KernelFunction<FusedDynamicConvForward, FusedDynamicConvBackward>;
  return Fused::apply(p.input, p.weight, p.attention, p.bias, p);
}

at::Tensor DynamicConvWinograd(const DynamicConvProblem& p) {
  using Winograd = KernelFunction<WinogradDynamicConvForward, WinogradDynamicConvBackward>;
  return Winograd::apply(p.input, p.weight, p.attention, p.bias, p);
}

at::Tensor DynamicConvWinogradForward(const DynamicConvProblem& p) {
  using WinogradForward = KernelFunction<WinogradDynamicConvForward, FusedDynamicConvBackward>;
  return WinogradForward::apply(p.input, p.weight, p.attention, p.bias, p);
}

at::Tensor DynamicConvDepthwise(const DynamicConvProblem& p) {
  using Depthwise = KernelFunction<DepthwiseDynamicConvForward, DepthwiseDynamicConvBackward>;
  return Depthwise::apply(p.input, p.weight, p.attention, p.bias, p);
}

at::Tensor DynamicConvCudaFused(const DynamicConvProblem& p) {
  using CudaFused = KernelFunction<CudaFusedForward, CudaFusedBackward>;
  return CudaFused::apply(p.input, p.weight, p.attention, p.bias, p);
}

at::Tensor DynamicConvMixOnce(const DynamicConvProblem& p) {
  if (!MixOnceKernelApplies(p)) return DynamicConvMixOnceComposed(p);
  using MixOnce = KernelFunction<MixOnceForward, MixOnceBackward>;
  return MixOnce::apply(p.input, p.weight, p.attention, p.bias, p);
}

}  // namespace dyconv
