// Reading elements by index or mask.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

}  // namespace

const OpTable& IndexingOps() {
  static const OpTable table = {
      Bind("index(input, indices)",
           [](const Tensor& x, const std::vector<at::indexing::TensorIndex>& indices) {
             return x.index(indices);
           }),
      Bind("select(input, dim, index)",
           [](const Tensor& x, int64_t dim, int64_t index) { return x.select(dim, index); }),
      Bind("indexSelect(input, dim, index)",
           [](const Tensor& x, int64_t dim, const Tensor& index) { return x.index_select(dim, index); }),
      Bind("take(input, index)", [](const Tensor& x, const Tensor& index) { return x.take(index); }),
      Bind("takeAlongDim(input, index, dim)",
           [](const Tensor& x, const Tensor& index, Dim dim) { return x.take_along_dim(index, dim); }),
      Bind("gather(input, dim, index)",
           [](const Tensor& x, int64_t dim, const Tensor& index) { return x.gather(dim, index); }),
      Bind("maskedSelect(input, mask)",
           [](const Tensor& x, const Tensor& mask) { return x.masked_select(mask); }),
      BindUnary("nonzero(input)", at::nonzero),
      BindUnary("argwhere(input)", at::argwhere),
  };
  return table;
}

}  // namespace dyconv
