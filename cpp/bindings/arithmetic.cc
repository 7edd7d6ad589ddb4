// Sums, products, powers and rounding, element by element.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

// Of CPU integers, the places where the divisor is -1; undefined if there are none. The processor cannot
// divide the smallest integer by -1, and ends the process where libtorch lets it.
Tensor PlacesOfMinusOne(const Tensor& a, const Tensor& b) {
  const at::ScalarType type = at::result_type(a, b);
  if (!a.is_cpu() || !at::isIntegralType(type, /*includeBool=*/false) || type == at::kByte) return {};
  const Tensor places = at::eq(b.to(type), -1);
  return places.any().item<bool>() ? places : Tensor();
}

// The divisor with 1 in these places.
Tensor WithOnes(const Tensor& places, const Tensor& a, const Tensor& b) {
  return b.to(at::result_type(a, b)).masked_fill(places, 1);
}

Tensor DivRounded(const Tensor& a, const Operand& b, const OneOf<"trunc", "floor">& mode) {
  const Tensor places = PlacesOfMinusOne(a, b.tensor);
  if (!places.defined()) return at::div(a, b.tensor, std::string_view(mode));
  const Tensor quotient = at::div(a, WithOnes(places, a, b.tensor), std::string_view(mode));
  return at::where(places, at::neg(a.to(quotient.scalar_type())), quotient);
}

Tensor DivRoundedInPlace(const Tensor& a, const Operand& b, const OneOf<"trunc", "floor">& mode) {
  const Tensor places = PlacesOfMinusOne(a, b.tensor);
  if (!places.defined()) return Tensor(a).div_(b.tensor, mode);
  Tensor(a).div_(WithOnes(places, a, b.tensor), mode);
  return Tensor(a).copy_(at::where(places, at::neg(a), a));
}

}  // namespace

const OpTable& ArithmeticOps() {
  static const OpTable table = {
      Bind("add(input, other, alpha)", [](const Tensor& a, const Operand& b,
                                          const at::Scalar& alpha) { return at::add(a, b.tensor, alpha); }),
      Bind("sub(input, other, alpha)", [](const Tensor& a, const Operand& b,
                                          const at::Scalar& alpha) { return at::sub(a, b.tensor, alpha); }),
      BindBinary("mul(input, other)", at::mul),
      BindBinary("div(input, other)", at::div),
      Bind("divRounded(input, other, roundingMode)", DivRounded),
      BindBinary("floorDivide(input, other)", at::floor_divide),
      BindBinary("remainder(input, other)", at::remainder),
      BindBinary("fmod(input, other)", at::fmod),
      Bind("pow(input, exponent)",
           [](const Operand& x, const Operand& exponent) {
             // A number as a tensor would be saved for the backward pass, where exponent - 1 is rounded to
             // float32.
             return exponent.IsNumber() ? at::pow(x.tensor, exponent.tensor.item())
                                        : at::pow(x.tensor, exponent.tensor);
           }),
      BindBinary("floatPower(input, exponent)", at::float_power),
      BindBinary("gcd(input, other)", at::gcd),
      BindBinary("lcm(input, other)", at::lcm),
      BindBinary("ldexp(input, other)", at::ldexp),
      BindBinary("maximum(input, other)", at::maximum),
      BindBinary("minimum(input, other)", at::minimum),
      BindBinary("fmax(input, other)", at::fmax),
      BindBinary("fmin(input, other)", at::fmin),
      BindBinary("copysign(input, other)", at::copysign),
      BindBinary("nextafter(input, other)", at::nextafter),
      BindBinary("heaviside(input, values)", at::heaviside),
      BindUnary("neg(input)", at::neg),
      BindUnary("abs(input)", at::abs),
      BindUnary("sign(input)", at::sign),
      // Without complex numbers at::sgn computes the same, but its gradients are tensors without memory.
      BindUnary("sgn(input)", at::sign),
      BindUnary("reciprocal(input)", at::reciprocal),
      BindUnary("square(input)", at::square),
      BindUnary("floor(input)", at::floor),
      BindUnary("ceil(input)", at::ceil),
      BindUnary("round(input)", at::round),
      Bind("roundDecimals(input, decimals)",
           [](const Tensor& x, int64_t decimals) { return at::round(x, decimals); }),
      BindUnary("trunc(input)", at::trunc),
      BindUnary("frac(input)", at::frac),
      Bind("clamp(input, min, max)",
           [](const Tensor& x, const std::optional<at::Scalar>& low, const std::optional<at::Scalar>& high) {
             return at::clamp(x, low, high);
           }),
      Bind("clampTensor(input, min, max)",
           [](const Tensor& x, const OptionalTensor& low, const OptionalTensor& high) {
             return at::clamp(x, low, high);
           }),
      Bind("lerp(input, end, weight)",
           [](const Tensor& a, const Tensor& end, const Operand& weight) {
             return weight.IsNumber() ? at::lerp(a, end, weight.tensor.item())
                                      : at::lerp(a, end, weight.tensor);
           }),
      Bind("addcmul(input, tensor1, tensor2, value)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& value) {
             return at::addcmul(x, a, b, value);
           }),
      Bind("addcdiv(input, tensor1, tensor2, value)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& value) {
             return at::addcdiv(x, a, b, value);
           }),
      Bind("nanToNum(input, nan, posinf, neginf)",
           [](const Tensor& x, std::optional<double> nan, std::optional<double> high,
              std::optional<double> low) { return at::nan_to_num(x, nan, high, low); }),
      Bind("addInPlace(input, other, alpha)",
           [](const Tensor& a, const Operand& b, const at::Scalar& alpha) {
             return Tensor(a).add_(b.tensor, alpha);
           }),
      Bind("subInPlace(input, other, alpha)",
           [](const Tensor& a, const Operand& b, const at::Scalar& alpha) {
             return Tensor(a).sub_(b.tensor, alpha);
           }),
      Bind("mulInPlace(input, other)",
           [](const Tensor& a, const Operand& b) { return Tensor(a).mul_(b.tensor); }),
      Bind("divInPlace(input, other)",
           [](const Tensor& a, const Operand& b) { return Tensor(a).div_(b.tensor); }),
      Bind("divRoundedInPlace(input, other, roundingMode)", DivRoundedInPlace),
      Bind("floorDivideInPlace(input, other)",
           [](const Tensor& a, const Operand& b) { return Tensor(a).floor_divide_(b.tensor); }),
      Bind("remainderInPlace(input, other)",
           [](const Tensor& a, const Operand& b) { return Tensor(a).remainder_(b.tensor); }),
      BindInPlace("negInPlace(input)", &Tensor::neg_),
      BindInPlace("absInPlace(input)", &Tensor::abs_),
      BindInPlace("squareInPlace(input)", &Tensor::square_),
      BindInPlace("reciprocalInPlace(input)", &Tensor::reciprocal_),
      BindInPlace("floorInPlace(input)", &Tensor::floor_),
      BindInPlace("ceilInPlace(input)", &Tensor::ceil_),
      BindInPlace("roundInPlace(input)", &Tensor::round_),
      Bind("roundDecimalsInPlace(input, decimals)",
           [](const Tensor& x, int64_t decimals) { return Tensor(x).round_(decimals); }),
      Bind("powInPlace(input, exponent)",
           [](const Tensor& x, const Operand& exponent) {
             return exponent.IsNumber() ? Tensor(x).pow_(exponent.tensor.item())
                                        : Tensor(x).pow_(exponent.tensor);
           }),
      Bind("clampInPlace(input, min, max)",
           [](const Tensor& x, const std::optional<at::Scalar>& low, const std::optional<at::Scalar>& high) {
             return Tensor(x).clamp_(low, high);
           }),
      Bind("clampTensorInPlace(input, min, max)",
           [](const Tensor& x, const OptionalTensor& low, const OptionalTensor& high) {
             return Tensor(x).clamp_(low, high);
           }),
      Bind("lerpInPlace(input, end, weight)",
           [](const Tensor& x, const Tensor& end, const Operand& weight) {
             return weight.IsNumber() ? Tensor(x).lerp_(end, weight.tensor.item())
                                      : Tensor(x).lerp_(end, weight.tensor);
           }),
      Bind("addcmulInPlace(input, tensor1, tensor2, value)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& value) {
             return Tensor(x).addcmul_(a, b, value);
           }),
      Bind("addcdivInPlace(input, tensor1, tensor2, value)",
           [](const Tensor& x, const Tensor& a, const Tensor& b, const at::Scalar& value) {
             return Tensor(x).addcdiv_(a, b, value);
           }),
  };
  return table;
}

}  // namespace dyconv
