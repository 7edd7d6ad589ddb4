// Products of matrices and vectors, triangles and diagonals.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "ops/linear.h"

namespace dyconv {
namespace {

using at::Tensor;

}  // namespace

const OpTable& MatrixOps() {
  static const OpTable table = {
      Bind("matmul(input, other)", [](const Tensor& a, const Tensor& b) { return MatMul(a, b); }),
      Bind("bmm(input, other)", [](const Tensor& a, const Tensor& b) { return at::bmm(a, b); }),
      BindBinary("mm(input, other)",
                 [](const Tensor& a, const Tensor& b) {
                   return a.dim() == 2 && b.dim() == 2 ? MatMul(a, b) : at::mm(a, b);
                 }),
      BindBinary("mv(input, vector)", at::mv),
      BindBinary("dot(input, other)", at::dot),
      Bind("inner(input, other)", [](const Tensor& a, const Tensor& b) { return at::inner(a, b); }),
      BindBinary("outer(input, other)", at::outer),
      BindBinary("kron(input, other)", at::kron),
      Bind("cross(input, other, dim)",
           [](const Tensor& a, const Tensor& b, int64_t dim) { return at::linalg_cross(a, b, dim); }),
      Bind("tensordot(input, other, dims, otherDims)",
           [](const Tensor& a, const Tensor& b, const IntList& dims, const IntList& other_dims) {
             return at::tensordot(a, b, dims, other_dims);
           }),
      Bind("einsum(equation, operands)",
           [](const std::string& equation, const std::vector<Tensor>& xs) {
             return at::einsum(equation, xs);
           }),
      Bind("cdist(input, other, p)",
           [](const Tensor& a, const Tensor& b, double p) { return at::cdist(a, b, p); }),
      Bind("addmm(input, mat1, mat2, beta, alpha)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& beta,
              const at::Scalar& alpha) { return at::addmm(x, a, b, beta, alpha); }),
      Bind("baddbmm(input, batch1, batch2, beta, alpha)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& beta,
              const at::Scalar& alpha) { return at::baddbmm(x, a, b, beta, alpha); }),
      Bind("addmv(input, mat, vec, beta, alpha)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& beta,
              const at::Scalar& alpha) { return at::addmv(x, a, b, beta, alpha); }),
      Bind("addbmm(input, batch1, batch2, beta, alpha)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& beta,
              const at::Scalar& alpha) { return at::addbmm(x, a, b, beta, alpha); }),
      Bind("addr(input, vec1, vec2, beta, alpha)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& beta,
              const at::Scalar& alpha) { return at::addr(x, a, b, beta, alpha); }),
      BindUnary("trace(input)", at::trace),
      Bind("tril(input, diagonal)", [](const Tensor& x, int64_t diagonal) { return x.tril(diagonal); }),
      Bind("triu(input, diagonal)", [](const Tensor& x, int64_t diagonal) { return x.triu(diagonal); }),
      Bind("diag(input, diagonal)", [](const Tensor& x, int64_t diagonal) { return at::diag(x, diagonal); }),
      Bind("diagonal(input, offset, dim1, dim2)", [](const Tensor& x, int64_t offset, int64_t a,
                                                     int64_t b) { return at::diagonal(x, offset, a, b); }),
      Bind("diagEmbed(input, offset, dim1, dim2)", [](const Tensor& x, int64_t offset, int64_t a,
                                                      int64_t b) { return at::diag_embed(x, offset, a, b); }),
      Bind("diagflat(input, offset)",
           [](const Tensor& x, int64_t offset) { return at::diagflat(x, offset); }),
      Bind("fillDiagonalInPlace(input, value)",
           [](const Tensor& x, const at::Scalar& value) { return Tensor(x).fill_diagonal_(value); }),
  };
  return table;
}

}  // namespace dyconv
