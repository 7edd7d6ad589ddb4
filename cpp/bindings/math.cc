// Element-wise operations, comparisons, reductions, linear algebra.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "ops/linear.h"

namespace dyconv {
namespace {

using at::Tensor;
}  // namespace

const OpTable& MathOps() {
  static const OpTable table = {
      Bind("add(input, other, alpha)", [](const Tensor& a, const Operand& b,
                                          const at::Scalar& alpha) { return at::add(a, b.tensor, alpha); }),
      Bind("sub(input, other, alpha)", [](const Tensor& a, const Operand& b,
                                          const at::Scalar& alpha) { return at::sub(a, b.tensor, alpha); }),
      BindBinary("mul(input, other)", at::mul),
      BindBinary("div(input, other)", at::div),
      BindBinary("floorDivide(input, other)", at::floor_divide),
      BindBinary("remainder(input, other)", at::remainder),
      Bind("pow(input, exponent)",
           [](const Operand& x, const Operand& exponent) {
             // As a tensor, a number would be saved for the backward, where less 1 it is rounded to float32.
             return exponent.IsNumber() ? at::pow(x.tensor, exponent.tensor.item())
                                        : at::pow(x.tensor, exponent.tensor);
           }),
      BindBinary("maximum(input, other)", at::maximum),
      BindBinary("minimum(input, other)", at::minimum),
      BindBinary("atan2(input, other)", at::atan2),
      BindBinary("eq(input, other)", at::eq),
      BindBinary("ne(input, other)", at::ne),
      BindBinary("lt(input, other)", at::lt),
      BindBinary("le(input, other)", at::le),
      BindBinary("gt(input, other)", at::gt),
      BindBinary("ge(input, other)", at::ge),
      BindBinary("logicalAnd(input, other)", at::logical_and),
      BindBinary("logicalOr(input, other)", at::logical_or),
      BindUnary("logicalNot(input)", at::logical_not),
      Bind("where(condition, input, other)",
           [](const Tensor& condition, const Operand& a, const Operand& b) {
             return at::where(condition, a.tensor, b.tensor);
           }),

      Bind("addInPlace(input, other, alpha)",
           [](const Tensor& a, const Operand& b, const at::Scalar& alpha) {
             return Tensor(a).add_(b.tensor, alpha);
           }),
      Bind("subInPlace(input, other, alpha)",
           [](const Tensor& a, const Operand& b, const at::Scalar& alpha) {
             return Tensor(a).sub_(b.tensor, alpha);
           }),
      Bind("mulInPlace(input, other)",
           [](const Tensor& a, const Operand& b) { return Tensor(a).mul_(b.tensor); }),
      Bind("divInPlace(input, other)",
           [](const Tensor& a, const Operand& b) { return Tensor(a).div_(b.tensor); }),

      BindUnary("neg(input)", at::neg),
      BindUnary("abs(input)", at::abs),
      BindUnary("sign(input)", at::sign),
      BindUnary("exp(input)", at::exp),
      BindUnary("expm1(input)", at::expm1),
      BindUnary("log(input)", at::log),
      BindUnary("log1p(input)", at::log1p),
      BindUnary("log2(input)", at::log2),
      BindUnary("sqrt(input)", at::sqrt),
      BindUnary("rsqrt(input)", at::rsqrt),
      BindUnary("square(input)", at::square),
      BindUnary("reciprocal(input)", at::reciprocal),
      BindUnary("sin(input)", at::sin),
      BindUnary("cos(input)", at::cos),
      BindUnary("tan(input)", at::tan),
      BindUnary("tanh(input)", at::tanh),
      BindUnary("erf(input)", at::erf),
      BindUnary("sigmoid(input)", at::sigmoid),
      BindUnary("relu(input)", at::relu),
      BindUnary("floor(input)", at::floor),
      BindUnary("ceil(input)", at::ceil),
      BindUnary("round(input)", at::round),
      BindUnary("isnan(input)", at::isnan),
      BindUnary("isfinite(input)", at::isfinite),
      Bind("clamp(input, min, max)",
           [](const Tensor& x, const std::optional<at::Scalar>& low, const std::optional<at::Scalar>& high) {
             return at::clamp(x, low, high);
           }),

      Bind("sum(input, dim, keepdim, dtype)",
           [](const Tensor& x, const Dims& dims, bool keep, OptionalDType dtype) {
             return at::sum(x, Over(dims), keep, dtype);
           }),
      Bind("mean(input, dim, keepdim, dtype)",
           [](const Tensor& x, const Dims& dims, bool keep, OptionalDType dtype) {
             return at::mean(x, Over(dims), keep, dtype);
           }),
      Bind("variance(input, dim, correction, keepdim)",
           [](const Tensor& x, const Dims& dims, const at::Scalar& correction, bool keep) {
             return at::var(x, Over(dims), correction, keep);
           }),
      Bind("std(input, dim, correction, keepdim)",
           [](const Tensor& x, const Dims& dims, const at::Scalar& correction, bool keep) {
             return at::std(x, Over(dims), correction, keep);
           }),
      Bind("prod(input, dim, keepdim, dtype)",
           [](const Tensor& x, Dim dim, bool keep, OptionalDType dtype) {
             return dim ? at::prod(x, *dim, keep, dtype) : at::prod(x, dtype);
           }),
      Bind("amax(input, dim, keepdim)",
           [](const Tensor& x, const Dims& dims, bool keep) {
             return at::amax(x, dims.value_or(std::vector<int64_t>{}), keep);
           }),
      Bind("amin(input, dim, keepdim)",
           [](const Tensor& x, const Dims& dims, bool keep) {
             return at::amin(x, dims.value_or(std::vector<int64_t>{}), keep);
           }),
      Bind("argmax(input, dim, keepdim)",
           [](const Tensor& x, Dim dim, bool keep) { return at::argmax(x, dim, keep); }),
      Bind("argmin(input, dim, keepdim)",
           [](const Tensor& x, Dim dim, bool keep) { return at::argmin(x, dim, keep); }),
      Bind("all(input, dim, keepdim)",
           [](const Tensor& x, const Dims& dims, bool keep) { return at::all(x, Over(dims), keep); }),
      Bind("any(input, dim, keepdim)",
           [](const Tensor& x, const Dims& dims, bool keep) { return at::any(x, Over(dims), keep); }),
      Bind("logsumexp(input, dim, keepdim)", [](const Tensor& x, const std::vector<int64_t>& dims,
                                                bool keep) { return at::logsumexp(x, dims, keep); }),
      Bind("cumsum(input, dim, dtype)",
           [](const Tensor& x, int64_t dim, OptionalDType dtype) { return at::cumsum(x, dim, dtype); }),
      Bind("topk(input, k, dim, largest, sorted)",
           [](const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted) {
             return at::topk(x, k, dim, largest, sorted);
           }),
      Bind("sort(input, dim, descending, stable)",
           [](const Tensor& x, int64_t dim, bool descending, bool stable) {
             return at::sort(x, stable, dim, descending);
           }),
      Bind("norm(input, p, dim, keepdim, dtype)",
           [](const Tensor& x, const at::Scalar& p, const Dims& dims, bool keep, OptionalDType dtype) {
             return at::linalg_vector_norm(x, p, Over(dims), keep, dtype);
           }),
      Bind("bincount(input, minlength)",
           [](const Tensor& x, int64_t minlength) {
             Require(x.dim() == 1, ErrorKind::kShape,
                     "Expected shape [N] for input of bincount but received ", x.sizes());
             return at::bincount(x, {}, minlength);
           }),
      Bind("allclose(input, other, rtol, atol, equalNan)",
           [](const Tensor& a, const Tensor& b, double rtol, double atol, bool equal_nan) {
             return at::allclose(a, b, rtol, atol, equal_nan);
           }),
      Bind("equal(input, other)", [](const Tensor& a, const Tensor& b) { return at::equal(a, b); }),

      Bind("matmul(input, other)", [](const Tensor& a, const Tensor& b) { return MatMul(a, b); }),
      Bind("bmm(input, other)", [](const Tensor& a, const Tensor& b) { return at::bmm(a, b); }),
      Bind("einsum(equation, operands)",
           [](const std::string& equation, const std::vector<Tensor>& xs) {
             return at::einsum(equation, xs);
           }),
  };
  return table;
}

}  // namespace dyconv
