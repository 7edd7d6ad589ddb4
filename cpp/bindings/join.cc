// Joining, splitting and broadcasting several tensors.
#include <algorithm>

#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "bindings/sizes.h"

namespace dyconv {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;

}  // namespace

const OpTable& JoinOps() {
  static const OpTable table = {
      Bind("cat(tensors, dim)", [](const std::vector<Tensor>& xs, int64_t dim) { return at::cat(xs, dim); }),
      Bind("stack(tensors, dim)",
           [](const std::vector<Tensor>& xs, int64_t dim) { return at::stack(xs, dim); }),
      Bind("hstack(tensors)", [](const Tensors& xs) { return at::hstack(xs); }),
      Bind("vstack(tensors)", [](const Tensors& xs) { return at::vstack(xs); }),
      Bind("dstack(tensors)", [](const Tensors& xs) { return at::dstack(xs); }),
      Bind("columnStack(tensors)", [](const Tensors& xs) { return at::column_stack(xs); }),
      Bind("blockDiag(tensors)", [](const Tensors& xs) { return at::block_diag(xs); }),
      Bind("split(input, sizes, dim)",
           [](const Tensor& x, const IntList& sizes, int64_t dim) { return x.split_with_sizes(sizes, dim); }),
      Bind("chunk(input, chunks, dim)",
           [](const Tensor& x, int64_t n, int64_t dim) {
             CheckCount(x.dim() > 0 ? std::min(n, x.size(dim)) : 0, "chunk");
             return x.chunk(n, dim);
           }),
      Bind("unbind(input, dim)",
           [](const Tensor& x, int64_t dim) {
             CheckCount(x.dim() > 0 ? x.size(dim) : 0, "unbind");
             return x.unbind(dim);
           }),
      Bind("tensorSplit(input, sections, dim)",
           [](const Tensor& x, int64_t sections, int64_t dim) {
             CheckCount(sections, "tensorSplit");
             return at::tensor_split(x, sections, dim);
           }),
      Bind("tensorSplitAt(input, indices, dim)",
           [](const Tensor& x, const IntList& indices, int64_t dim) {
             return at::tensor_split(x, indices, dim);
           }),
      Bind("hsplit(input, sections)",
           [](const Tensor& x, int64_t n) {
             CheckCount(n, "hsplit");
             return at::hsplit(x, n);
           }),
      Bind("hsplitAt(input, indices)", [](const Tensor& x, const IntList& at) { return at::hsplit(x, at); }),
      Bind("vsplit(input, sections)",
           [](const Tensor& x, int64_t n) {
             CheckCount(n, "vsplit");
             return at::vsplit(x, n);
           }),
      Bind("vsplitAt(input, indices)", [](const Tensor& x, const IntList& at) { return at::vsplit(x, at); }),
      Bind("dsplit(input, sections)",
           [](const Tensor& x, int64_t n) {
             CheckCount(n, "dsplit");
             return at::dsplit(x, n);
           }),
      Bind("dsplitAt(input, indices)", [](const Tensor& x, const IntList& at) { return at::dsplit(x, at); }),
      Bind("broadcastTensors(tensors)", [](const Tensors& xs) { return at::broadcast_tensors(xs); }),
      Bind("meshgrid(tensors, indexing)",
           [](const std::vector<Tensor>& xs, const OneOf<"ij", "xy">& indexing) {
             return at::meshgrid(xs, indexing);
           }),
      Bind("cartesianProd(tensors)", [](const Tensors& xs) { return at::cartesian_prod(xs); }),
      Bind("combinations(input, r, withReplacement)",
           [](const Tensor& x, int64_t r, bool again) { return at::combinations(x, r, again); }),
      BindUnary("atleast1d(input)", at::atleast_1d),
      BindUnary("atleast2d(input)", at::atleast_2d),
      BindUnary("atleast3d(input)", at::atleast_3d),
  };
  return table;
}

}  // namespace dyconv
