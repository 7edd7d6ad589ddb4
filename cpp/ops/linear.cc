#include "ops/linear.h"

#include <ATen/autocast_mode.h>
#include <ATen/Context.h>
#include <ATen/core/dispatch/Dispatcher.h>
#include <ATen/core/List.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/matmul.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <string_view>

#include "ops/optional_tensor.h"

namespace dyconv {
namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// Measured on a processor for which libtorch's BLAS (MKL) does not use its widest instructions, which is
// usual on processors that are not Intel's: from this size on oneDNN takes 0.4 to 0.9 of the time; below it,
// its call costs more than it saves.
constexpr int64_t kFewestRows = 4;
constexpr int64_t kFewestMultiplyAdds = int64_t{1} << 22;

using LinearPointwise = at::Tensor(const at::Tensor&, const at::Tensor&, const OptionalTensor&,
                                   std::string_view, c10::List<std::optional<at::Scalar>>,
                                   std::optional<std::string_view>);

// oneDNN's linear map for ordinary tensors, if this libtorch has it.
const std::optional<c10::TypedOperatorHandle<LinearPointwise>>& OneDnnLinear() {
  static const auto handle = []() -> std::optional<c10::TypedOperatorHandle<LinearPointwise>> {
#if defined(__x86_64__) || defined(_M_X64)
    const auto found = c10::Dispatcher::singleton().findSchema({"mkldnn::_linear_pointwise", ""});
    if (found && found->hasKernelForDispatchKey(c10::DispatchKey::CPU))
      return found->typed<LinearPointwise>();
#endif
    return std::nullopt;
  }();
  return handle;
}

bool IsStridedCpuFloat(const at::Tensor& t) {
  return t.device().is_cpu() && t.scalar_type() == at::kFloat && t.layout() == at::kStrided && !t.is_neg();
}

// Whether oneDNN can compute it, and faster, for a matrix of in x out numbers of any layout. Wrong arguments
// are left to ATen to report.
bool Wins(const at::Tensor& input, const at::Tensor& matrix, int64_t in, int64_t out,
          const OptionalTensor& bias) {
  if (!IsStridedCpuFloat(input) || !IsStridedCpuFloat(matrix) || input.dim() < 2) return false;
  if (input.size(-1) != in || in == 0 || input.numel() / in < kFewestRows ||
      input.numel() * out < kFewestMultiplyAdds) {
    return false;
  }
  if (bias && !(IsStridedCpuFloat(*bias) && bias->dim() == 1 && bias->size(0) == out)) return false;
  return OneDnnLinear() && at::globalContext().userEnabledMkldnn() &&
         !at::autocast::is_autocast_enabled(at::kCPU);
}

// Rows or columns without gaps, which oneDNN reads directly.
at::Tensor DenseMatrix(const at::Tensor& matrix) {
  return matrix.is_contiguous() || matrix.t().is_contiguous() ? matrix : matrix.contiguous();
}

at::Tensor Product(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias) {
  return OneDnnLinear()->call(input, DenseMatrix(weight), bias, "none",
                              c10::List<std::optional<at::Scalar>>(), std::nullopt);
}

// [..., n] -> [rows, n]
at::Tensor Rows(const at::Tensor& t) { return t.reshape({-1, t.size(-1)}); }

class LinearFunction : public torch::autograd::Function<LinearFunction> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& input, const Variable& weight,
                          const OptionalTensor& bias) {
    ctx->save_for_backward({input, weight});
    ctx->saved_data["bias"] = bias.has_value();
    return Product(input, weight, bias);
  }

  // Also linear maps, so that this is differentiable too.
  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto saved = ctx->get_saved_variables();
    const auto &input = saved[0], &weight = saved[1], &grad = grad_outputs[0];
    at::Tensor grad_input, grad_weight, grad_bias;
    if (ctx->needs_input_grad(0)) grad_input = Linear(grad, weight.t(), std::nullopt);
    if (ctx->needs_input_grad(1)) grad_weight = Linear(Rows(grad).t(), Rows(input).t(), std::nullopt);
    if (ctx->saved_data["bias"].toBool() && ctx->needs_input_grad(2)) grad_bias = Rows(grad).sum(0);
    return {grad_input, grad_weight, grad_bias};
  }
};

at::Tensor Multiply(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias) {
  const bool recorded = at::GradMode::is_enabled() &&
                        (input.requires_grad() || weight.requires_grad() || (bias && bias->requires_grad()));
  return recorded ? LinearFunction::apply(input, weight, bias) : Product(input, weight, bias);
}

}  // namespace

at::Tensor Linear(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias) {
  const bool wins = weight.dim() == 2 && Wins(input, weight, weight.size(1), weight.size(0), bias);
  return wins ? Multiply(input, weight, bias) : at::linear(input, weight, bias);
}

at::Tensor MatMul(const at::Tensor& a, const at::Tensor& b) {
  const bool wins = b.dim() == 2 && Wins(a, b, b.size(0), b.size(1), std::nullopt);
  return wins ? Multiply(a, b.t(), std::nullopt) : at::matmul(a, b);
}

}  // namespace dyconv
