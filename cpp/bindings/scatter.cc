// Writing into copies and views: reductions by index, slices put back, strided views.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;
using IndexReduction = OneOf<"prod", "mean", "amax", "amin">;

}  // namespace

const OpTable& ScatterOps() {
  static const OpTable table = {
      Bind("indexReduce(input, dim, index, source, reduce, includeSelf)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
              const IndexReduction& reduce,
              bool include_self) { return at::index_reduce(x, dim, index, source, reduce, include_self); }),
      Bind("indexReduceInPlace(input, dim, index, source, reduce, includeSelf)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
              const IndexReduction& reduce, bool include_self) {
             return Tensor(x).index_reduce_(dim, index, source, reduce, include_self);
           }),
      Bind("scatterReduceInPlace(input, dim, index, source, reduce, includeSelf)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
              const OneOf<"sum", "prod", "mean", "amax", "amin">& reduce, bool include_self) {
             return Tensor(x).scatter_reduce_(dim, index, source, reduce, include_self);
           }),
      Bind("maskedScatterInPlace(input, mask, source)",
           [](const Tensor& x, const Tensor& mask, const Tensor& source) {
             return Tensor(x).masked_scatter_(mask, source);
           }),
      Bind("maskedFillTensor(input, mask, value)",
           [](const Tensor& x, const Tensor& mask, const Tensor& value) {
             return x.masked_fill(mask, value);
           }),
      Bind("maskedFillTensorInPlace(input, mask, value)",
           [](const Tensor& x, const Tensor& mask, const Tensor& value) {
             return Tensor(x).masked_fill_(mask, value);
           }),
      Bind("indexFillTensor(input, dim, index, value)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
             return x.index_fill(dim, index, value);
           }),
      Bind("indexFillTensorInPlace(input, dim, index, value)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
             return Tensor(x).index_fill_(dim, index, value);
           }),
      Bind("put(input, index, source, accumulate)",
           [](const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
             return at::put(x, index, source, accumulate);
           }),
      Bind("putInPlace(input, index, source, accumulate)",
           [](const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
             return Tensor(x).put_(index, source, accumulate);
           }),
      Bind("selectScatter(input, source, dim, index)",
           [](const Tensor& x, const Tensor& source, int64_t dim, int64_t index) {
             return at::select_scatter(x, source, dim, index);
           }),
      Bind("sliceScatter(input, source, dim, start, end, step)",
           [](const Tensor& x, const Tensor& source, int64_t dim, std::optional<int64_t> start,
              std::optional<int64_t> end,
              int64_t step) { return at::slice_scatter(x, source, dim, start, end, step); }),
      Bind("diagonalScatter(input, source, offset, dim1, dim2)",
           [](const Tensor& x, const Tensor& source, int64_t offset, int64_t a, int64_t b) {
             return at::diagonal_scatter(x, source, offset, a, b);
           }),
      Bind("diagflat(input, offset)",
           [](const Tensor& x, int64_t offset) { return at::diagflat(x, offset); }),
      Bind("asStrided(input, shape, strides, storageOffset)",
           [](const Tensor& x, const IntList& shape, const IntList& strides, std::optional<int64_t> offset) {
             return at::as_strided(x, shape, strides, offset);
           }),
      Bind("squeezeDims(input, dim)", [](const Tensor& x, const IntList& dims) { return x.squeeze(dims); }),
  };
  return table;
}

}  // namespace dyconv
