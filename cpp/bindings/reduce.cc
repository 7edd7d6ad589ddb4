// Reductions over dimensions.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

}  // namespace

const OpTable& ReduceOps() {
  static const OpTable table = {
      Bind("sum(input, dim, keepdim, dtype)",
           [](const Tensor& x, const Dims& dims, bool keep, OptionalDType dtype) {
             return at::sum(x, Over(dims), keep, dtype);
           }),
      Bind("nansum(input, dim, keepdim, dtype)",
           [](const Tensor& x, const Dims& dims, bool keep, OptionalDType dtype) {
             return at::nansum(x, Over(dims), keep, dtype);
           }),
      Bind("mean(input, dim, keepdim, dtype)",
           [](const Tensor& x, const Dims& dims, bool keep, OptionalDType dtype) {
             return at::mean(x, Over(dims), keep, dtype);
           }),
      Bind("nanmean(input, dim, keepdim, dtype)",
           [](const Tensor& x, const Dims& dims, bool keep, OptionalDType dtype) {
             return at::nanmean(x, Over(dims), keep, dtype);
           }),
      Bind("prod(input, dim, keepdim, dtype)",
           [](const Tensor& x, Dim dim, bool keep, OptionalDType dtype) {
             return dim ? at::prod(x, *dim, keep, dtype) : at::prod(x, dtype);
           }),
      Bind("variance(input, dim, correction, keepdim)",
           [](const Tensor& x, const Dims& dims, const at::Scalar& correction, bool keep) {
             return at::var(x, Over(dims), correction, keep);
           }),
      Bind("std(input, dim, correction, keepdim)",
           [](const Tensor& x, const Dims& dims, const at::Scalar& correction, bool keep) {
             return at::std(x, Over(dims), correction, keep);
           }),
      Bind("varMean(input, dim, correction, keepdim)",
           [](const Tensor& x, const Dims& dims, const at::Scalar& correction, bool keep) {
             return at::var_mean(x, Over(dims), correction, keep);
           }),
      Bind("stdMean(input, dim, correction, keepdim)",
           [](const Tensor& x, const Dims& dims, const at::Scalar& correction, bool keep) {
             return at::std_mean(x, Over(dims), correction, keep);
           }),
      Bind("amax(input, dim, keepdim)",
           [](const Tensor& x, const Dims& dims, bool keep) {
             return at::amax(x, dims.value_or(std::vector<int64_t>{}), keep);
           }),
      Bind("amin(input, dim, keepdim)",
           [](const Tensor& x, const Dims& dims, bool keep) {
             return at::amin(x, dims.value_or(std::vector<int64_t>{}), keep);
           }),
      Bind("aminmax(input, dim, keepdim)",
           [](const Tensor& x, Dim dim, bool keep) { return at::aminmax(x, dim, keep); }),
      BindUnary("max(input)", at::max),
      BindUnary("min(input)", at::min),
      Bind("maxDim(input, dim, keepdim)",
           [](const Tensor& x, int64_t dim, bool keep) { return at::max(x, dim, keep); }),
      Bind("minDim(input, dim, keepdim)",
           [](const Tensor& x, int64_t dim, bool keep) { return at::min(x, dim, keep); }),
      Bind("argmax(input, dim, keepdim)",
           [](const Tensor& x, Dim dim, bool keep) { return at::argmax(x, dim, keep); }),
      Bind("argmin(input, dim, keepdim)",
           [](const Tensor& x, Dim dim, bool keep) { return at::argmin(x, dim, keep); }),
      Bind("all(input, dim, keepdim)",
           [](const Tensor& x, const Dims& dims, bool keep) { return at::all(x, Over(dims), keep); }),
      Bind("any(input, dim, keepdim)",
           [](const Tensor& x, const Dims& dims, bool keep) { return at::any(x, Over(dims), keep); }),
      Bind("countNonzero(input, dim)",
           [](const Tensor& x, const Dims& dims) {
             return dims ? at::count_nonzero(x, *dims) : at::count_nonzero(x);
           }),
      Bind("logsumexp(input, dim, keepdim)", [](const Tensor& x, const std::vector<int64_t>& dims,
                                                bool keep) { return at::logsumexp(x, dims, keep); }),
      Bind("norm(input, p, dim, keepdim, dtype)",
           [](const Tensor& x, const at::Scalar& p, const Dims& dims, bool keep, OptionalDType dtype) {
             return at::linalg_vector_norm(x, p, Over(dims), keep, dtype);
           }),
      Bind("dist(input, other, p)",
           [](const Tensor& a, const Tensor& b, const at::Scalar& p) { return at::dist(a, b, p); }),
      Bind("renorm(input, p, dim, maxnorm)",
           [](const Tensor& x, const at::Scalar& p, int64_t dim, const at::Scalar& limit) {
             return at::renorm(x, p, dim, limit);
           }),
  };
  return table;
}

}  // namespace dyconv
