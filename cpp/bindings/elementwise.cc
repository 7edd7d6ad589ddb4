// Exponentials, logarithms, trigonometric and special functions.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

}  // namespace

const OpTable& ElementwiseOps() {
  static const OpTable table = {
      BindUnary("exp(input)", at::exp),
      BindUnary("expm1(input)", at::expm1),
      BindUnary("exp2(input)", at::exp2),
      BindUnary("log(input)", at::log),
      BindUnary("log1p(input)", at::log1p),
      BindUnary("log2(input)", at::log2),
      BindUnary("log10(input)", at::log10),
      BindBinary("logaddexp(input, other)", at::logaddexp),
      BindBinary("logaddexp2(input, other)", at::logaddexp2),
      BindUnary("sqrt(input)", at::sqrt),
      BindUnary("rsqrt(input)", at::rsqrt),
      BindUnary("sin(input)", at::sin),
      BindUnary("cos(input)", at::cos),
      BindUnary("tan(input)", at::tan),
      BindUnary("asin(input)", at::asin),
      BindUnary("acos(input)", at::acos),
      BindUnary("atan(input)", at::atan),
      BindBinary("atan2(input, other)", at::atan2),
      BindUnary("sinh(input)", at::sinh),
      BindUnary("cosh(input)", at::cosh),
      BindUnary("tanh(input)", at::tanh),
      BindUnary("asinh(input)", at::asinh),
      BindUnary("acosh(input)", at::acosh),
      BindUnary("atanh(input)", at::atanh),
      BindUnary("sinc(input)", at::sinc),
      BindBinary("hypot(input, other)", at::hypot),
      BindUnary("deg2rad(input)", at::deg2rad),
      BindUnary("rad2deg(input)", at::rad2deg),
      BindUnary("sigmoid(input)", at::sigmoid),
      Bind("logit(input, eps)", [](const Tensor& x, std::optional<double> eps) { return at::logit(x, eps); }),
      BindUnary("erf(input)", at::erf),
      BindUnary("erfc(input)", at::erfc),
      BindUnary("erfinv(input)", at::erfinv),
      BindUnary("erfcx(input)", at::special_erfcx),
      BindUnary("lgamma(input)", at::lgamma),
      BindUnary("digamma(input)", at::digamma),
      Bind("polygamma(input, n)", [](const Tensor& x, int64_t n) { return at::polygamma(n, x); }),
      Bind("mvlgamma(input, p)", [](const Tensor& x, int64_t p) { return at::mvlgamma(x, p); }),
      BindBinary("zeta(input, other)", at::special_zeta),
      BindUnary("i0(input)", at::i0),
      BindUnary("i0e(input)", at::special_i0e),
      BindUnary("i1(input)", at::special_i1),
      BindUnary("i1e(input)", at::special_i1e),
      BindUnary("ndtr(input)", at::special_ndtr),
      BindUnary("ndtri(input)", at::special_ndtri),
      BindUnary("logNdtr(input)", at::special_log_ndtr),
      BindUnary("entr(input)", at::special_entr),
      BindBinary("xlogy(input, other)", at::xlogy),
      BindBinary("xlog1py(input, other)", at::special_xlog1py),
      BindInPlace("expInPlace(input)", &Tensor::exp_),
      BindInPlace("logInPlace(input)", &Tensor::log_),
      BindInPlace("sqrtInPlace(input)", &Tensor::sqrt_),
      BindInPlace("rsqrtInPlace(input)", &Tensor::rsqrt_),
      BindInPlace("sigmoidInPlace(input)", &Tensor::sigmoid_),
      BindInPlace("tanhInPlace(input)", &Tensor::tanh_),
  };
  return table;
}

}  // namespace dyconv
