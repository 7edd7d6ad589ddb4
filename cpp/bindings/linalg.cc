// Linear algebra: products, decompositions, solvers, diagonals.
#include <algorithm>

#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "bindings/sizes.h"
#include "ops/linear.h"

namespace dyconv {
namespace {

using at::Tensor;

// libtorch counts the indices of a triangle with products that wrap, and adds to the offset: the first are
// refused, and an offset beyond the matrix is one at its edge.
int64_t TriangleOffset(int64_t rows, int64_t columns, int64_t offset) {
  Require(rows >= 0 && columns >= 0, ErrorKind::kArgument,
          "Expected integers of at least 0 for rows and columns but received ", rows, " and ", columns);
  CheckedBytes({2, rows, columns}, sizeof(int64_t), "the bytes of all indices");
  return std::clamp(offset, -rows, columns);
}

OpTable Products() {
  return {
      BindBinary("mm(input, other)",
                 [](const Tensor& a, const Tensor& b) {
                   return a.dim() == 2 && b.dim() == 2 ? MatMul(a, b) : at::mm(a, b);
                 }),
      BindBinary("mv(input, vector)", at::mv),
      BindBinary("dot(input, other)", at::dot),
      BindBinary("outer(input, other)", at::outer),
      BindBinary("kron(input, other)", at::kron),
      Bind("addmm(input, mat1, mat2, beta, alpha)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& beta,
              const at::Scalar& alpha) { return at::addmm(x, a, b, beta, alpha); }),
      Bind("baddbmm(input, batch1, batch2, beta, alpha)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& beta,
              const at::Scalar& alpha) { return at::baddbmm(x, a, b, beta, alpha); }),
      Bind("cross(input, other, dim)",
           [](const Tensor& a, const Tensor& b, int64_t dim) { return at::linalg_cross(a, b, dim); }),
      Bind("tensordot(input, other, dims, otherDims)",
           [](const Tensor& a, const Tensor& b, const IntList& dims, const IntList& other_dims) {
             return at::tensordot(a, b, dims, other_dims);
           }),
      Bind("multiDot(tensors)",
           [](const std::vector<Tensor>& tensors) { return at::linalg_multi_dot(tensors); }),
      Bind("cdist(input, other, p)",
           [](const Tensor& a, const Tensor& b, double p) { return at::cdist(a, b, p); }),
      Bind("matrixPower(input, n)", [](const Tensor& x, int64_t n) { return at::linalg_matrix_power(x, n); }),
      BindUnary("matrixExp(input)", at::linalg_matrix_exp),
      Bind("matrixNorm(input, p, dim, keepdim, dtype)",
           [](const Tensor& x, const at::Scalar& p, const IntList& dims, bool keep, OptionalDType dtype) {
             return at::linalg_matrix_norm(x, p, dims, keep, dtype);
           }),
      Bind("matrixNormNamed(input, p, dim, keepdim, dtype)",
           [](const Tensor& x, const OneOf<"fro", "nuc">& p, const IntList& dims, bool keep,
              OptionalDType dtype) { return at::linalg_matrix_norm(x, p, dims, keep, dtype); }),
  };
}

}  // namespace

const OpTable& LinalgOps() {
  static const OpTable table = [] {
    OpTable ops = {
        BindUnary("inv(input)", at::linalg_inv),
        BindUnary("det(input)", at::linalg_det),
        Bind("slogdet(input)", [](const Tensor& x) { return at::linalg_slogdet(x); }),
        Bind("solve(input, other, left)",
             [](const Tensor& a, const Tensor& b, bool left) { return at::linalg_solve(a, b, left); }),
        Bind("solveTriangular(input, other, upper, left, unitriangular)",
             [](const Tensor& a, const Tensor& b, bool upper, bool left, bool unitriangular) {
               return at::linalg_solve_triangular(a, b, upper, left, unitriangular);
             }),
        Bind("lstsq(input, other)", [](const Tensor& a, const Tensor& b) { return at::linalg_lstsq(a, b); }),
        Bind("cholesky(input, upper)",
             [](const Tensor& x, bool upper) { return at::linalg_cholesky(x, upper); }),
        Bind(
            "qr(input, mode)",
            [](const Tensor& x, const OneOf<"reduced", "complete">& mode) { return at::linalg_qr(x, mode); }),
        Bind("svd(input, fullMatrices)", [](const Tensor& x, bool full) { return at::linalg_svd(x, full); }),
        Bind("svdvals(input)", [](const Tensor& x) { return at::linalg_svdvals(x); }),
        Bind("eigh(input, half)",
             [](const Tensor& x, const OneOf<"L", "U">& half) { return at::linalg_eigh(x, half); }),
        Bind("eigvalsh(input, half)",
             [](const Tensor& x, const OneOf<"L", "U">& half) { return at::linalg_eigvalsh(x, half); }),
        Bind("pinv(input, atol, rtol, hermitian)",
             [](const Tensor& x, std::optional<double> atol, std::optional<double> rtol, bool hermitian) {
               return at::linalg_pinv(x, atol, rtol, hermitian);
             }),
        Bind("matrixRank(input, atol, rtol, hermitian)",
             [](const Tensor& x, std::optional<double> atol, std::optional<double> rtol, bool hermitian) {
               return at::linalg_matrix_rank(x, atol, rtol, hermitian);
             }),
        BindUnary("trace(input)", at::trace),
        Bind("diag(input, diagonal)",
             [](const Tensor& x, int64_t diagonal) { return at::diag(x, diagonal); }),
        Bind("diagonal(input, offset, dim1, dim2)", [](const Tensor& x, int64_t offset, int64_t a,
                                                       int64_t b) { return at::diagonal(x, offset, a, b); }),
        Bind("diagEmbed(input, offset, dim1, dim2)",
             [](const Tensor& x, int64_t offset, int64_t a, int64_t b) {
               return at::diag_embed(x, offset, a, b);
             }),
        Bind("trilIndices(rows, columns, offset)",
             [](int64_t rows, int64_t columns, int64_t offset) {
               return at::tril_indices(rows, columns, TriangleOffset(rows, columns, offset));
             }),
        Bind("triuIndices(rows, columns, offset)",
             [](int64_t rows, int64_t columns, int64_t offset) {
               return at::triu_indices(rows, columns, TriangleOffset(rows, columns, offset));
             }),
    };
    for (Op& op : Products()) ops.push_back(std::move(op));
    return ops;
  }();
  return table;
}

}  // namespace dyconv
