// Picking and placing elements: gather and scatter, masks, and the rarer views.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "bindings/sizes.h"
#include "ops/index_checks.h"

namespace dyconv {
namespace {

using at::Tensor;

OpTable Views() {
  return {
      Bind("select(input, dim, index)",
           [](const Tensor& x, int64_t dim, int64_t index) { return x.select(dim, index); }),
      Bind("unbind(input, dim)",
           [](const Tensor& x, int64_t dim) {
             CheckCount(x.dim() > 0 ? x.size(dim) : 0, "unbind");
             return x.unbind(dim);
           }),
      Bind("movedim(input, source, destination)",
           [](const Tensor& x, const IntList& source, const IntList& destination) {
             return x.movedim(source, destination);
           }),
      Bind("unflatten(input, dim, sizes)",
           [](const Tensor& x, int64_t dim, const IntList& sizes) { return x.unflatten(dim, sizes); }),
      Bind("unfold(input, dim, size, step)", [](const Tensor& x, int64_t dim, int64_t size,
                                                int64_t step) { return x.unfold(dim, size, step); }),
      Bind("tile(input, repeats)",
           [](const Tensor& x, const IntList& repeats) {
             CheckRepeatedSizes(x.sizes(), repeats);
             return x.tile(repeats);
           }),
      Bind("repeatInterleave(input, repeats, dim)",
           [](const Tensor& x, const Tensor& repeats, Dim dim) {
             CheckRepeats(repeats, dim && x.dim() > 0 ? x.size(*dim) : x.numel());
             return x.repeat_interleave(repeats, dim);
           }),
      Bind("rot90(input, k, dims)",
           [](const Tensor& x, int64_t k, const IntList& dims) { return x.rot90(k, dims); }),
      Bind("meshgrid(tensors, indexing)",
           [](const std::vector<Tensor>& xs, const OneOf<"ij", "xy">& indexing) {
             return at::meshgrid(xs, indexing);
           }),
  };
}

OpTable InPlace() {
  return {
      Bind("indexPutAccumulate(input, indices, value)",
           [](const Tensor& x, const std::vector<OptionalTensor>& indices, const Operand& value) {
             c10::List<OptionalTensor> list;
             for (const OptionalTensor& index : indices) list.push_back(index);
             return Tensor(x).index_put_(list, value.tensor.to(x.options()), /*accumulate=*/true);
           }),
      Bind("indexAddInPlace(input, dim, index, source, alpha)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
              const at::Scalar& alpha) { return Tensor(x).index_add_(dim, index, source, alpha); }),
      Bind("indexCopyInPlace(input, dim, index, source)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
             return Tensor(x).index_copy_(dim, index, source);
           }),
      Bind("indexFillInPlace(input, dim, index, value)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const at::Scalar& value) {
             return Tensor(x).index_fill_(dim, index, value);
           }),
      Bind("scatterInPlace(input, dim, index, source)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
             return Tensor(x).scatter_(dim, index, source);
           }),
      Bind("scatterValueInPlace(input, dim, index, value)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const at::Scalar& value) {
             return Tensor(x).scatter_(dim, index, value);
           }),
      Bind("scatterAddInPlace(input, dim, index, source)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
             return Tensor(x).scatter_add_(dim, index, source);
           }),
      Bind("maskedFillInPlace(input, mask, value)",
           [](const Tensor& x, const Tensor& mask, const at::Scalar& value) {
             return Tensor(x).masked_fill_(mask, value);
           }),
      Bind("fillDiagonalInPlace(input, value)",
           [](const Tensor& x, const at::Scalar& value) { return Tensor(x).fill_diagonal_(value); }),
  };
}

}  // namespace

const OpTable& IndexOps() {
  static const OpTable table = [] {
    OpTable ops = {
        Bind("take(input, index)", [](const Tensor& x, const Tensor& index) { return x.take(index); }),
        Bind("takeAlongDim(input, index, dim)",
             [](const Tensor& x, const Tensor& index, Dim dim) { return x.take_along_dim(index, dim); }),
        Bind("maskedSelect(input, mask)",
             [](const Tensor& x, const Tensor& mask) { return x.masked_select(mask); }),
        Bind("maskedScatter(input, mask, source)",
             [](const Tensor& x, const Tensor& mask, const Tensor& source) {
               return x.masked_scatter(mask, source);
             }),
        Bind("indexAdd(input, dim, index, source, alpha)",
             [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                const at::Scalar& alpha) { return x.index_add(dim, index, source, alpha); }),
        Bind("indexCopy(input, dim, index, source)",
             [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
               return x.index_copy(dim, index, source);
             }),
        Bind("indexFill(input, dim, index, value)",
             [](const Tensor& x, int64_t dim, const Tensor& index, const at::Scalar& value) {
               return x.index_fill(dim, index, value);
             }),
        Bind("scatterValue(input, dim, index, value)",
             [](const Tensor& x, int64_t dim, const Tensor& index, const at::Scalar& value) {
               return x.scatter(dim, index, value);
             }),
        Bind("scatterAdd(input, dim, index, source)",
             [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
               return x.scatter_add(dim, index, source);
             }),
        Bind("scatterReduce(input, dim, index, source, reduce, includeSelf)",
             [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source,
                const OneOf<"sum", "prod", "mean", "amax", "amin">& reduce,
                bool include_self) { return x.scatter_reduce(dim, index, source, reduce, include_self); }),
    };
    for (Op& op : Views()) ops.push_back(std::move(op));
    for (Op& op : InPlace()) ops.push_back(std::move(op));
    return ops;
  }();
  return table;
}

}  // namespace dyconv
