// Writing elements by index or mask.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using at::Tensor;
using IndexReduction = OneOf<"prod", "mean", "amax", "amin">;

}  // namespace

const OpTable& ScatterOps() {
  static const OpTable table = {
      Bind("indexPut(input, indices, value)",
           [](const Tensor& x, const std::vector<at::indexing::TensorIndex>& indices, const Operand& value) {
             Tensor target = x;
             return value.IsNumber() ? target.index_put_(indices, value.tensor.item())
                                     : target.index_put_(indices, value.tensor);
           }),
      Bind("indexPutAccumulate(input, indices, value)",
           [](const Tensor& x, const std::vector<OptionalTensor>& indices, const Operand& value) {
             Require(!indices.empty(), ErrorKind::kArgument,
                     "Expected at least one index for indices of indexPut_ but received none");
             c10::List<OptionalTensor> list;
             for (const OptionalTensor& index : indices) list.push_back(index);
             return Tensor(x).index_put_(list, value.tensor.to(x.options()), /*accumulate=*/true);
           }),
      Bind("put(input, index, source, accumulate)",
           [](const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
             return at::put(x, index, source, accumulate);
           }),
      Bind("putInPlace(input, index, source, accumulate)",
           [](const Tensor& x, const Tensor& index, const Tensor& source, bool accumulate) {
             return Tensor(x).put_(index, source, accumulate);
           }),
      Bind("scatter(input, dim, index, source)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
             return x.scatter(dim, index, source);
           }),
      Bind("scatterInPlace(input, dim, index, source)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
             return Tensor(x).scatter_(dim, index, source);
           }),
      Bind("scatterValue(input, dim, index, value)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const at::Scalar& value) {
             return x.scatter(dim, index, value);
           }),
      Bind("scatterValueInPlace(input, dim, index, value)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const at::Scalar& value) {
             return Tensor(x).scatter_(dim, index, value);
           }),
      Bind("scatterAdd(input, dim, index, source)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
             return x.scatter_add(dim, index, source);
           }),
      Bind("scatterAddInPlace(input, dim, index, source)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
             return Tensor(x).scatter_add_(dim, index, source);
           }),
      Bind("scatterReduce(input, dim, index, source, reduce, includeSelf)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
              const OneOf<"sum", "prod", "mean", "amax", "amin">& reduce,
              bool include_self) { return x.scatter_reduce(dim, index, source, reduce, include_self); }),
      Bind("scatterReduceInPlace(input, dim, index, source, reduce, includeSelf)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
              const OneOf<"sum", "prod", "mean", "amax", "amin">& reduce, bool include_self) {
             return Tensor(x).scatter_reduce_(dim, index, source, reduce, include_self);
           }),
      Bind("indexAdd(input, dim, index, source, alpha)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
              const at::Scalar& alpha) { return x.index_add(dim, index, source, alpha); }),
      Bind("indexAddInPlace(input, dim, index, source, alpha)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
              const at::Scalar& alpha) { return Tensor(x).index_add_(dim, index, source, alpha); }),
      Bind("indexCopy(input, dim, index, source)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
             return x.index_copy(dim, index, source);
           }),
      Bind("indexCopyInPlace(input, dim, index, source)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
             return Tensor(x).index_copy_(dim, index, source);
           }),
      Bind("indexFill(input, dim, index, value)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const at::Scalar& value) {
             return x.index_fill(dim, index, value);
           }),
      Bind("indexFillInPlace(input, dim, index, value)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const at::Scalar& value) {
             return Tensor(x).index_fill_(dim, index, value);
           }),
      Bind("indexFillTensor(input, dim, index, value)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
             return x.index_fill(dim, index, value);
           }),
      Bind("indexFillTensorInPlace(input, dim, index, value)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& value) {
             return Tensor(x).index_fill_(dim, index, value);
           }),
      Bind("indexReduce(input, dim, index, source, reduce, includeSelf)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
              const IndexReduction& reduce,
              bool include_self) { return at::index_reduce(x, dim, index, source, reduce, include_self); }),
      Bind("indexReduceInPlace(input, dim, index, source, reduce, includeSelf)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
              const IndexReduction& reduce, bool include_self) {
             return Tensor(x).index_reduce_(dim, index, source, reduce, include_self);
           }),
      Bind("maskedFill(input, mask, value)",
           [](const Tensor& x, const Tensor& mask, const at::Scalar& value) {
             return x.masked_fill(mask, value);
           }),
      Bind("maskedFillInPlace(input, mask, value)",
           [](const Tensor& x, const Tensor& mask, const at::Scalar& value) {
             return Tensor(x).masked_fill_(mask, value);
           }),
      Bind("maskedFillTensor(input, mask, value)",
           [](const Tensor& x, const Tensor& mask, const Tensor& value) {
             return x.masked_fill(mask, value);
           }),
      Bind("maskedFillTensorInPlace(input, mask, value)",
           [](const Tensor& x, const Tensor& mask, const Tensor& value) {
             return Tensor(x).masked_fill_(mask, value);
           }),
      Bind("maskedScatter(input, mask, source)",
           [](const Tensor& x, const Tensor& mask, const Tensor& source) {
             return x.masked_scatter(mask, source);
           }),
      Bind("maskedScatterInPlace(input, mask, source)",
           [](const Tensor& x, const Tensor& mask, const Tensor& source) {
             return Tensor(x).masked_scatter_(mask, source);
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
  };
  return table;
}

}  // namespace dyconv
