// Element-wise operations beyond the arithmetic of math.cc, and the in-place forms.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

void AppendUnary(OpTable& table) {
  for (const auto& [signature, function] : std::initializer_list<std::pair<const char*, Unary>>{
           {"sinh(input)", at::sinh},       {"cosh(input)", at::cosh},
           {"asin(input)", at::asin},       {"acos(input)", at::acos},
           {"atan(input)", at::atan},       {"asinh(input)", at::asinh},
           {"acosh(input)", at::acosh},     {"atanh(input)", at::atanh},
           {"exp2(input)", at::exp2},       {"log10(input)", at::log10},
           {"erfc(input)", at::erfc},       {"erfinv(input)", at::erfinv},
           {"lgamma(input)", at::lgamma},   {"digamma(input)", at::digamma},
           {"sinc(input)", at::sinc},       {"trunc(input)", at::trunc},
           {"frac(input)", at::frac},       {"deg2rad(input)", at::deg2rad},
           {"rad2deg(input)", at::rad2deg}, {"isinf(input)", at::isinf},
           {"signbit(input)", at::signbit}, {"bitwiseNot(input)", at::bitwise_not},
       }) {
    table.push_back(BindUnary(signature, function));
  }
}

void AppendBinary(OpTable& table) {
  for (const auto& [signature, function] : std::initializer_list<std::pair<const char*, Binary>>{
           {"fmod(input, other)", at::fmod},
           {"fmax(input, other)", at::fmax},
           {"fmin(input, other)", at::fmin},
           {"hypot(input, other)", at::hypot},
           {"xlogy(input, other)", at::xlogy},
           {"logaddexp(input, other)", at::logaddexp},
           {"copysign(input, other)", at::copysign},
           {"heaviside(input, values)", at::heaviside},
           {"logicalXor(input, other)", at::logical_xor},
           {"bitwiseAnd(input, other)", at::bitwise_and},
           {"bitwiseOr(input, other)", at::bitwise_or},
           {"bitwiseXor(input, other)", at::bitwise_xor},
           {"bitwiseLeftShift(input, other)", at::bitwise_left_shift},
           {"bitwiseRightShift(input, other)", at::bitwise_right_shift},
       }) {
    table.push_back(BindBinary(signature, function));
  }
}

void AppendInPlace(OpTable& table) {
  for (const auto& [signature, method] : std::initializer_list<std::pair<const char*, UnaryInPlace>>{
           {"negInPlace(input)", &Tensor::neg_},
           {"absInPlace(input)", &Tensor::abs_},
           {"expInPlace(input)", &Tensor::exp_},
           {"logInPlace(input)", &Tensor::log_},
           {"sqrtInPlace(input)", &Tensor::sqrt_},
           {"rsqrtInPlace(input)", &Tensor::rsqrt_},
           {"squareInPlace(input)", &Tensor::square_},
           {"reciprocalInPlace(input)", &Tensor::reciprocal_},
           {"sigmoidInPlace(input)", &Tensor::sigmoid_},
           {"tanhInPlace(input)", &Tensor::tanh_},
           {"floorInPlace(input)", &Tensor::floor_},
           {"ceilInPlace(input)", &Tensor::ceil_},
           {"roundInPlace(input)", &Tensor::round_},
       }) {
    table.push_back(BindInPlace(signature, method));
  }
}

OpTable MakeTable() {
  OpTable table = {
      Bind("logit(input, eps)", [](const Tensor& x, std::optional<double> eps) { return at::logit(x, eps); }),
      Bind("nanToNum(input, nan, posinf, neginf)",
           [](const Tensor& x, std::optional<double> nan, std::optional<double> high,
              std::optional<double> low) { return at::nan_to_num(x, nan, high, low); }),
      Bind("divRounded(input, other, roundingMode)",
           [](const Tensor& a, const Operand& b, const OneOf<"trunc", "floor">& mode) {
             return at::div(a, b.tensor, std::string_view(mode));
           }),
      Bind("lerp(input, end, weight)",
           [](const Tensor& a, const Tensor& end, const Operand& weight) {
             return weight.IsNumber() ? at::lerp(a, end, weight.tensor.item())
                                      : at::lerp(a, end, weight.tensor);
           }),
      Bind("addcmul(input, tensor1, tensor2, value)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& value) {
             return at::addcmul(x, a, b, value);
           }),
      Bind("addcdiv(input, tensor1, tensor2, value)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& value) {
             return at::addcdiv(x, a, b, value);
           }),
      Bind("clampTensor(input, min, max)",
           [](const Tensor& x, const OptionalTensor& low, const OptionalTensor& high) {
             return at::clamp(x, low, high);
           }),
      Bind("isclose(input, other, rtol, atol, equalNan)",
           [](const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
             return at::isclose(a, b, rtol, atol, equal_nan);
           }),
      Bind("powInPlace(input, exponent)",
           [](const Tensor& x, const Operand& exponent) {
             return exponent.IsNumber() ? Tensor(x).pow_(exponent.tensor.item())
                                        : Tensor(x).pow_(exponent.tensor);
           }),
      Bind("clampInPlace(input, min, max)",
           [](const Tensor& x, const std::optional<at::Scalar>& low, const std::optional<at::Scalar>& high) {
             return Tensor(x).clamp_(low, high);
           }),
      Bind("clampTensorInPlace(input, min, max)",
           [](const Tensor& x, const OptionalTensor& low, const OptionalTensor& high) {
             return Tensor(x).clamp_(low, high);
           }),
      Bind("lerpInPlace(input, end, weight)",
           [](const Tensor& x, const Tensor& end, const Operand& weight) {
             return weight.IsNumber() ? Tensor(x).lerp_(end, weight.tensor.item())
                                      : Tensor(x).lerp_(end, weight.tensor);
           }),
      Bind("addcmulInPlace(input, tensor1, tensor2, value)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& value) {
             return Tensor(x).addcmul_(a, b, value);
           }),
      Bind("addcdivInPlace(input, tensor1, tensor2, value)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& value) {
             return Tensor(x).addcdiv_(a, b, value);
           }),
  };
  AppendUnary(table);
  AppendBinary(table);
  AppendInPlace(table);
  return table;
}

}  // namespace

const OpTable& PointwiseOps() {
  static const OpTable table = MakeTable();
  return table;
}

}  // namespace dyconv
