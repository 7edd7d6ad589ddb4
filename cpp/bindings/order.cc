// Sorting, searching, unique values.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

}  // namespace

const OpTable& OrderOps() {
  static const OpTable table = {
      Bind("sort(input, dim, descending, stable)",
           [](const Tensor& x, int64_t dim, bool descending, bool stable) {
             return at::sort(x, stable, dim, descending);
           }),
      Bind("argsort(input, dim, descending, stable)",
           [](const Tensor& x, int64_t dim, bool descending, bool stable) {
             return at::argsort(x, stable, dim, descending);
           }),
      Bind("topk(input, k, dim, largest, sorted)",
           [](const Tensor& x, int64_t k, int64_t dim, bool largest, bool sorted) {
             return at::topk(x, k, dim, largest, sorted);
           }),
      Bind("kthvalue(input, k, dim, keepdim)",
           [](const Tensor& x, int64_t k, int64_t dim, bool keep) { return at::kthvalue(x, k, dim, keep); }),
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
  };
  return table;
}

}  // namespace dyconv
