// Reductions, cumulative operations, ordering, counting: beyond those of math.cc.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

OpTable Cumulative() {
  return {
      Bind("cumprod(input, dim, dtype)",
           [](const Tensor& x, int64_t dim, OptionalDType dtype) { return at::cumprod(x, dim, dtype); }),
      Bind("cummax(input, dim)", [](const Tensor& x, int64_t dim) { return at::cummax(x, dim); }),
      Bind("cummin(input, dim)", [](const Tensor& x, int64_t dim) { return at::cummin(x, dim); }),
      Bind("logcumsumexp(input, dim)", [](const Tensor& x, int64_t dim) { return at::logcumsumexp(x, dim); }),
      Bind("diff(input, n, dim)",
           [](const Tensor& x, int64_t n, int64_t dim) { return at::diff(x, n, dim); }),
      Bind("argsort(input, dim, descending, stable)",
           [](const Tensor& x, int64_t dim, bool descending, bool stable) {
             return at::argsort(x, stable, dim, descending);
           }),
      Bind("unique(input, sorted)",
           [](const Tensor& x, bool sorted) {
             return at::_unique2(x, sorted, /*return_inverse=*/true, /*return_counts=*/true);
           }),
      Bind("uniqueDim(input, dim, sorted)",
           [](const Tensor& x, int64_t dim, bool sorted) {
             return at::unique_dim(x, dim, sorted, /*return_inverse=*/true, /*return_counts=*/true);
           }),
      Bind("uniqueConsecutive(input, dim)",
           [](const Tensor& x, Dim dim) {
             return at::unique_consecutive(x, /*return_inverse=*/true, /*return_counts=*/true, dim);
           }),
      Bind("searchsorted(input, values, outInt32, right, sorter)",
           [](const Tensor& sorted, const Tensor& values, bool out_int32, bool right,
              const OptionalTensor& sorter) {
             return at::searchsorted(sorted, values, out_int32, right, /*side=*/std::nullopt, sorter);
           }),
      Bind("bucketize(input, boundaries, outInt32, right)",
           [](const Tensor& x, const Tensor& boundaries, bool out_int32, bool right) {
             return at::bucketize(x, boundaries, out_int32, right);
           }),
      Bind("histc(input, bins, min, max)",
           [](const Tensor& x, int64_t bins, const at::Scalar& low, const at::Scalar& high) {
             return at::histc(x, bins, low, high);
           }),
      Bind("isin(input, values, assumeUnique, invert)",
           [](const Tensor& x, const Operand& values, bool unique, bool invert) {
             return at::isin(x, values.tensor, unique, invert);
           }),
      BindUnary("nonzero(input)", at::nonzero),
  };
}

}  // namespace

const OpTable& ReduceOps() {
  static const OpTable table = [] {
    OpTable ops = {
        BindUnary("max(input)", at::max),
        BindUnary("min(input)", at::min),
        BindUnary("median(input)", at::median),
        BindUnary("nanmedian(input)", at::nanmedian),
        Bind("maxDim(input, dim, keepdim)",
             [](const Tensor& x, int64_t dim, bool keep) { return at::max(x, dim, keep); }),
        Bind("minDim(input, dim, keepdim)",
             [](const Tensor& x, int64_t dim, bool keep) { return at::min(x, dim, keep); }),
        Bind("medianDim(input, dim, keepdim)",
             [](const Tensor& x, int64_t dim, bool keep) { return at::median(x, dim, keep); }),
        Bind("nanmedianDim(input, dim, keepdim)",
             [](const Tensor& x, int64_t dim, bool keep) { return at::nanmedian(x, dim, keep); }),
        Bind("aminmax(input, dim, keepdim)",
             [](const Tensor& x, Dim dim, bool keep) { return at::aminmax(x, dim, keep); }),
        Bind("mode(input, dim, keepdim)",
             [](const Tensor& x, int64_t dim, bool keep) { return at::mode(x, dim, keep); }),
        Bind("kthvalue(input, k, dim, keepdim)", [](const Tensor& x, int64_t k, int64_t dim,
                                                    bool keep) { return at::kthvalue(x, k, dim, keep); }),
        Bind("quantile(input, q, dim, keepdim, interpolation)",
             [](const Tensor& x, const Tensor& q, Dim dim, bool keep,
                const OneOf<"linear", "lower", "higher", "midpoint", "nearest">& interpolation) {
               return at::quantile(x, q, dim, keep, interpolation);
             }),
        Bind("nansum(input, dim, keepdim, dtype)",
             [](const Tensor& x, const Dims& dims, bool keep, OptionalDType dtype) {
               return at::nansum(x, Over(dims), keep, dtype);
             }),
        Bind("nanmean(input, dim, keepdim, dtype)",
             [](const Tensor& x, const Dims& dims, bool keep, OptionalDType dtype) {
               return at::nanmean(x, Over(dims), keep, dtype);
             }),
        Bind("varMean(input, dim, correction, keepdim)",
             [](const Tensor& x, const Dims& dims, const at::Scalar& correction, bool keep) {
               return at::var_mean(x, Over(dims), correction, keep);
             }),
        Bind("countNonzero(input, dim)",
             [](const Tensor& x, const Dims& dims) {
               return dims ? at::count_nonzero(x, *dims) : at::count_nonzero(x);
             }),
        Bind("dist(input, other, p)",
             [](const Tensor& a, const Tensor& b, const at::Scalar& p) { return at::dist(a, b, p); }),
    };
    for (Op& op : Cumulative()) ops.push_back(std::move(op));
    return ops;
  }();
  return table;
}

}  // namespace dyconv
