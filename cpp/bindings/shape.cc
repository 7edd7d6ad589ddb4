// Views, joining and splitting, indexing.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "bindings/sizes.h"

namespace dyconv {
namespace {

using at::Tensor;

}  // namespace

const OpTable& ShapeOps() {
  static const OpTable table = {
      Bind("reshape(input, shape)", [](const Tensor& x, const IntList& shape) { return x.reshape(shape); }),
      Bind("view(input, shape)", [](const Tensor& x, const IntList& shape) { return x.view(shape); }),
      Bind("permute(input, dims)", [](const Tensor& x, const IntList& dims) { return x.permute(dims); }),
      Bind("transpose(input, dim0, dim1)",
           [](const Tensor& x, int64_t a, int64_t b) { return x.transpose(a, b); }),
      Bind("flatten(input, startDim, endDim)",
           [](const Tensor& x, int64_t start, int64_t end) { return x.flatten(start, end); }),
      Bind("squeeze(input, dim)",
           [](const Tensor& x, std::optional<int64_t> dim) { return dim ? x.squeeze(*dim) : x.squeeze(); }),
      Bind("unsqueeze(input, dim)", [](const Tensor& x, int64_t dim) { return x.unsqueeze(dim); }),
      Bind("expand(input, shape)", [](const Tensor& x, const IntList& shape) { return x.expand(shape); }),
      Bind("repeat(input, repeats)",
           [](const Tensor& x, const IntList& repeats) {
             CheckRepeatedSizes(x.sizes(), repeats);
             return x.repeat(repeats);
           }),
      Bind("flip(input, dims)", [](const Tensor& x, const IntList& dims) { return x.flip(dims); }),
      Bind("roll(input, shifts, dims)",
           [](const Tensor& x, const IntList& shifts, const IntList& dims) { return x.roll(shifts, dims); }),
      Bind("tril(input, diagonal)", [](const Tensor& x, int64_t diagonal) { return x.tril(diagonal); }),
      Bind("triu(input, diagonal)", [](const Tensor& x, int64_t diagonal) { return x.triu(diagonal); }),
      Bind("cat(tensors, dim)", [](const std::vector<Tensor>& xs, int64_t dim) { return at::cat(xs, dim); }),
      Bind("stack(tensors, dim)",
           [](const std::vector<Tensor>& xs, int64_t dim) { return at::stack(xs, dim); }),
      Bind("split(input, sizes, dim)",
           [](const Tensor& x, const IntList& sizes, int64_t dim) { return x.split_with_sizes(sizes, dim); }),
      Bind("chunk(input, chunks, dim)",
           [](const Tensor& x, int64_t n, int64_t dim) {
             CheckCount(x.dim() > 0 ? std::min(n, x.size(dim)) : 0, "chunk");
             return x.chunk(n, dim);
           }),
      Bind("narrow(input, dim, start, length)", [](const Tensor& x, int64_t dim, int64_t start,
                                                   int64_t length) { return x.narrow(dim, start, length); }),
      Bind("index(input, indices)",
           [](const Tensor& x, const std::vector<at::indexing::TensorIndex>& indices) {
             return x.index(indices);
           }),
      Bind("indexPut(input, indices, value)",
           [](const Tensor& x, const std::vector<at::indexing::TensorIndex>& indices, const Operand& value) {
             Tensor target = x;
             return value.IsNumber() ? target.index_put_(indices, value.tensor.item())
                                     : target.index_put_(indices, value.tensor);
           }),
      Bind("indexSelect(input, dim, index)",
           [](const Tensor& x, int64_t dim, const Tensor& index) { return x.index_select(dim, index); }),
      Bind("gather(input, dim, index)",
           [](const Tensor& x, int64_t dim, const Tensor& index) { return x.gather(dim, index); }),
      Bind("scatter(input, dim, index, source)",
           [](const Tensor& x, int64_t dim, const Tensor& index, const Tensor& source) {
             return x.scatter(dim, index, source);
           }),
      Bind("maskedFill(input, mask, value)",
           [](const Tensor& x, const Tensor& mask, const at::Scalar& value) {
             return x.masked_fill(mask, value);
           }),
      Bind(
          "pad(input, padding, mode, value)",
          [](const Tensor& x, const IntList& padding,
             const OneOf<"constant", "reflect", "replicate", "circular">& mode, std::optional<double> value) {
            CheckPadding(padding);
            return at::pad(x, padding, mode, value);
          }),
  };
  return table;
}

}  // namespace dyconv
