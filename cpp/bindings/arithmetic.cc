// Rarer arithmetic: integers, powers and bits, special functions, products of vectors and matrices.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

OpTable Special() {
  return {
      // There are no complex numbers: at::sgn is the same, but gives gradients that have no memory.
      BindUnary("sgn(input)", at::sign),
      BindUnary("isposinf(input)", at::isposinf),
      BindUnary("isneginf(input)", at::isneginf),
      BindUnary("i0(input)", at::i0),
      BindUnary("i0e(input)", at::special_i0e),
      BindUnary("i1(input)", at::special_i1),
      BindUnary("i1e(input)", at::special_i1e),
      BindUnary("entr(input)", at::special_entr),
      BindUnary("erfcx(input)", at::special_erfcx),
      BindUnary("ndtr(input)", at::special_ndtr),
      BindUnary("ndtri(input)", at::special_ndtri),
      BindUnary("logNdtr(input)", at::special_log_ndtr),
      BindBinary("zeta(input, other)", at::special_zeta),
      BindBinary("xlog1py(input, other)", at::special_xlog1py),
      Bind("polygamma(input, n)", [](const Tensor& x, int64_t n) { return at::polygamma(n, x); }),
      Bind("mvlgamma(input, p)", [](const Tensor& x, int64_t p) { return at::mvlgamma(x, p); }),
      Bind("roundDecimals(input, decimals)",
           [](const Tensor& x, int64_t decimals) { return at::round(x, decimals); }),
      Bind("roundDecimalsInPlace(input, decimals)",
           [](const Tensor& x, int64_t decimals) { return Tensor(x).round_(decimals); }),
  };
}

OpTable Products() {
  return {
      Bind("inner(input, other)", [](const Tensor& a, const Tensor& b) { return at::inner(a, b); }),
      Bind("addmv(input, mat, vec, beta, alpha)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& beta,
              const at::Scalar& alpha) { return at::addmv(x, a, b, beta, alpha); }),
      Bind("addbmm(input, batch1, batch2, beta, alpha)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& beta,
              const at::Scalar& alpha) { return at::addbmm(x, a, b, beta, alpha); }),
      Bind("addr(input, vec1, vec2, beta, alpha)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& beta,
              const at::Scalar& alpha) { return at::addr(x, a, b, beta, alpha); }),
      BindUnary("logdet(input)", at::logdet),
      Bind("vecdot(input, other, dim)",
           [](const Tensor& a, const Tensor& b, int64_t dim) { return at::linalg_vecdot(a, b, dim); }),
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
      Bind("choleskySolve(input, factor, upper)",
           [](const Tensor& b, const Tensor& factor, bool upper) {
             return at::cholesky_solve(b, factor, upper);
           }),
      Bind("choleskyInverse(input, upper)",
           [](const Tensor& factor, bool upper) { return at::cholesky_inverse(factor, upper); }),
  };
}

}  // namespace

const OpTable& ArithmeticOps() {
  static const OpTable table = [] {
    OpTable ops = {
        BindBinary("gcd(input, other)", at::gcd),
        BindBinary("lcm(input, other)", at::lcm),
        BindBinary("ldexp(input, other)", at::ldexp),
        BindBinary("logaddexp2(input, other)", at::logaddexp2),
        BindBinary("nextafter(input, other)", at::nextafter),
        BindBinary("floatPower(input, exponent)", at::float_power),
        Bind("divRoundedInPlace(input, other, roundingMode)",
             [](const Tensor& a, const Operand& b, const OneOf<"trunc", "floor">& mode) {
               return Tensor(a).div_(b.tensor, mode);
             }),
        Bind("remainderInPlace(input, other)",
             [](const Tensor& a, const Operand& b) { return Tensor(a).remainder_(b.tensor); }),
        Bind("floorDivideInPlace(input, other)",
             [](const Tensor& a, const Operand& b) { return Tensor(a).floor_divide_(b.tensor); }),
    };
    for (Op& op : Special()) ops.push_back(std::move(op));
    for (Op& op : Products()) ops.push_back(std::move(op));
    return ops;
  }();
  return table;
}

}  // namespace dyconv
