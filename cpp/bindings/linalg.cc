// Linear algebra: decompositions, solvers, matrix norms.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using at::Tensor;

// LAPACK refuses other values: MKL prints a line, and libtorch reports an internal error.
void CheckFinite(const Tensor& matrix, const char* name) {
  if (!matrix.is_cpu() || !matrix.is_floating_point()) return;
  const at::NoGradGuard no_grad;
  Require(at::isfinite(matrix).all().item<bool>(), ErrorKind::kArgument, "Expected finite values for ", name,
          " of lstsq but received NaN or an infinity");
}

}  // namespace

const OpTable& LinalgOps() {
  static const OpTable table = {
      BindUnary("inv(input)", at::linalg_inv),
      Bind("pinv(input, atol, rtol, hermitian)",
           [](const Tensor& x, std::optional<double> atol, std::optional<double> rtol, bool hermitian) {
             return at::linalg_pinv(x, atol, rtol, hermitian);
           }),
      BindUnary("det(input)", at::linalg_det),
      Bind("slogdet(input)", [](const Tensor& x) { return at::linalg_slogdet(x); }),
      BindUnary("logdet(input)", at::logdet),
      Bind("solve(input, other, left)",
           [](const Tensor& a, const Tensor& b, bool left) { return at::linalg_solve(a, b, left); }),
      Bind("solveTriangular(input, other, upper, left, unitriangular)",
           [](const Tensor& a, const Tensor& b, bool upper, bool left, bool unitriangular) {
             return at::linalg_solve_triangular(a, b, upper, left, unitriangular);
           }),
      Bind("lstsq(input, other)",
           [](const Tensor& a, const Tensor& b) {
             CheckFinite(a, "input");
             CheckFinite(b, "other");
             return at::linalg_lstsq(a, b);
           }),
      Bind("cholesky(input, upper)",
           [](const Tensor& x, bool upper) { return at::linalg_cholesky(x, upper); }),
      Bind("choleskySolve(input, factor, upper)",
           [](const Tensor& b, const Tensor& factor, bool upper) {
             return at::cholesky_solve(b, factor, upper);
           }),
      Bind("choleskyInverse(input, upper)",
           [](const Tensor& factor, bool upper) { return at::cholesky_inverse(factor, upper); }),
      Bind("qr(input, mode)",
           [](const Tensor& x, const OneOf<"reduced", "complete">& mode) { return at::linalg_qr(x, mode); }),
      Bind("svd(input, fullMatrices)", [](const Tensor& x, bool full) { return at::linalg_svd(x, full); }),
      Bind("svdvals(input)", [](const Tensor& x) { return at::linalg_svdvals(x); }),
      Bind("eigh(input, half)",
           [](const Tensor& x, const OneOf<"L", "U">& half) { return at::linalg_eigh(x, half); }),
      Bind("eigvalsh(input, half)",
           [](const Tensor& x, const OneOf<"L", "U">& half) { return at::linalg_eigvalsh(x, half); }),
      Bind("matrixPower(input, n)", [](const Tensor& x, int64_t n) { return at::linalg_matrix_power(x, n); }),
      BindUnary("matrixExp(input)", at::linalg_matrix_exp),
      Bind("matrixRank(input, atol, rtol, hermitian)",
           [](const Tensor& x, std::optional<double> atol, std::optional<double> rtol, bool hermitian) {
             return at::linalg_matrix_rank(x, atol, rtol, hermitian);
           }),
      Bind("matrixNorm(input, p, dim, keepdim, dtype)",
           [](const Tensor& x, const at::Scalar& p, const IntList& dims, bool keep, OptionalDType dtype) {
             return at::linalg_matrix_norm(x, p, dims, keep, dtype);
           }),
      Bind("matrixNormNamed(input, p, dim, keepdim, dtype)",
           [](const Tensor& x, const OneOf<"fro", "nuc">& p, const IntList& dims, bool keep,
              OptionalDType dtype) { return at::linalg_matrix_norm(x, p, dims, keep, dtype); }),
      Bind("linalgNorm(input, ord, dim, keepdim, dtype)",
           [](const Tensor& x, const std::optional<at::Scalar>& ord, const Dims& dims, bool keep,
              OptionalDType dtype) { return at::linalg_norm(x, ord, Over(dims), keep, dtype); }),
      Bind("linalgNormNamed(input, ord, dim, keepdim, dtype)",
           [](const Tensor& x, const OneOf<"fro", "nuc">& ord, const Dims& dims, bool keep,
              OptionalDType dtype) { return at::linalg_norm(x, ord, Over(dims), keep, dtype); }),
      Bind("cond(input, p)",
           [](const Tensor& x, const std::optional<at::Scalar>& p) { return at::linalg_cond(x, p); }),
      Bind("condNamed(input, p)",
           [](const Tensor& x, const OneOf<"fro", "nuc">& p) { return at::linalg_cond(x, p); }),
      Bind("multiDot(tensors)",
           [](const std::vector<Tensor>& tensors) { return at::linalg_multi_dot(tensors); }),
      Bind("vecdot(input, other, dim)",
           [](const Tensor& a, const Tensor& b, int64_t dim) { return at::linalg_vecdot(a, b, dim); }),
      Bind("vander(input, n)",
           [](const Tensor& x, const std::optional<int64_t>& n) { return at::linalg_vander(x, n); }),
  };
  return table;
}

}  // namespace dyconv
