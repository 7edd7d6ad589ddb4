// Comparisons, and logical and bitwise operations.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

}  // namespace

const OpTable& ComparisonOps() {
  static const OpTable table = {
      BindBinary("eq(input, other)", at::eq),
      BindBinary("ne(input, other)", at::ne),
      BindBinary("lt(input, other)", at::lt),
      BindBinary("le(input, other)", at::le),
      BindBinary("gt(input, other)", at::gt),
      BindBinary("ge(input, other)", at::ge),
      BindBinary("logicalAnd(input, other)", at::logical_and),
      BindBinary("logicalOr(input, other)", at::logical_or),
      BindBinary("logicalXor(input, other)", at::logical_xor),
      BindUnary("logicalNot(input)", at::logical_not),
      BindBinary("bitwiseAnd(input, other)", at::bitwise_and),
      BindBinary("bitwiseOr(input, other)", at::bitwise_or),
      BindBinary("bitwiseXor(input, other)", at::bitwise_xor),
      BindUnary("bitwiseNot(input)", at::bitwise_not),
      BindBinary("bitwiseLeftShift(input, other)", at::bitwise_left_shift),
      BindBinary("bitwiseRightShift(input, other)", at::bitwise_right_shift),
      BindUnary("isnan(input)", at::isnan),
      BindUnary("isfinite(input)", at::isfinite),
      BindUnary("isinf(input)", at::isinf),
      BindUnary("isposinf(input)", at::isposinf),
      BindUnary("isneginf(input)", at::isneginf),
      BindUnary("signbit(input)", at::signbit),
      Bind("isclose(input, other, rtol, atol, equalNan)",
           [](const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
             return at::isclose(a, b, rtol, atol, equal_nan);
           }),
      Bind("allclose(input, other, rtol, atol, equalNan)",
           [](const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
             return at::allclose(a, b, rtol, atol, equal_nan);
           }),
      Bind("equal(input, other)", [](const Tensor& a, const Tensor& b) { return at::equal(a, b); }),
      Bind("isin(input, values, assumeUnique, invert)",
           [](const Tensor& x, const Operand& values, bool unique, bool invert) {
             return at::isin(x, values.tensor, unique, invert);
           }),
      Bind("where(condition, input, other)",
           [](const Tensor& condition, const Operand& a, const Operand& b) {
             return at::where(condition, a.tensor, b.tensor);
           }),
  };
  return table;
}

}  // namespace dyconv
