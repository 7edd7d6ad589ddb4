// Views and rearrangements.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "bindings/sizes.h"
#include "ops/index_checks.h"

namespace dyconv {
namespace {

using at::Tensor;

}  // namespace

const OpTable& ShapeOps() {
  static const OpTable table = {
      Bind("reshape(input, shape)", [](const Tensor& x, const IntList& shape) { return x.reshape(shape); }),
      Bind("view(input, shape)", [](const Tensor& x, const IntList& shape) { return x.view(shape); }),
      Bind("asStrided(input, shape, strides, storageOffset)",
           [](const Tensor& x, const IntList& shape, const IntList& strides, std::optional<int64_t> offset) {
             return at::as_strided(x, shape, strides, offset);
           }),
      Bind("permute(input, dims)", [](const Tensor& x, const IntList& dims) { return x.permute(dims); }),
      Bind("transpose(input, dim0, dim1)",
           [](const Tensor& x, int64_t a, int64_t b) { return x.transpose(a, b); }),
      Bind("movedim(input, source, destination)",
           [](const Tensor& x, const IntList& source, const IntList& destination) {
             return x.movedim(source, destination);
           }),
      Bind("flatten(input, startDim, endDim)",
           [](const Tensor& x, int64_t start, int64_t end) { return x.flatten(start, end); }),
      Bind("unflatten(input, dim, sizes)",
           [](const Tensor& x, int64_t dim, const IntList& sizes) { return x.unflatten(dim, sizes); }),
      Bind("squeeze(input, dim)",
           [](const Tensor& x, std::optional<int64_t> dim) { return dim ? x.squeeze(*dim) : x.squeeze(); }),
      Bind("squeezeDims(input, dim)", [](const Tensor& x, const IntList& dims) { return x.squeeze(dims); }),
      Bind("unsqueeze(input, dim)", [](const Tensor& x, int64_t dim) { return x.unsqueeze(dim); }),
      Bind("expand(input, shape)", [](const Tensor& x, const IntList& shape) { return x.expand(shape); }),
      Bind("repeat(input, repeats)",
           [](const Tensor& x, const IntList& repeats) {
             CheckRepeatedSizes(x.sizes(), repeats);
             return x.repeat(repeats);
           }),
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
      Bind("flip(input, dims)", [](const Tensor& x, const IntList& dims) { return x.flip(dims); }),
      Bind("roll(input, shifts, dims)",
           [](const Tensor& x, const IntList& shifts, const IntList& dims) { return x.roll(shifts, dims); }),
      Bind("rot90(input, k, dims)",
           [](const Tensor& x, int64_t k, const IntList& dims) { return x.rot90(k, dims); }),
      Bind("narrow(input, dim, start, length)", [](const Tensor& x, int64_t dim, int64_t start,
                                                   int64_t length) { return x.narrow(dim, start, length); }),
      Bind("unfold(input, dim, size, step)", [](const Tensor& x, int64_t dim, int64_t size,
                                                int64_t step) { return x.unfold(dim, size, step); }),
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
