// The activations that kernels fuse, and their derivatives.
#pragma once

#include <type_traits>

#include "kernels/cpu/vec.h"
#include "kernels/kernel.h"

namespace dyconv::kernels::DYCONV_ISA {

// NaN stays NaN, as in libtorch: a comparison with it is false.
DYCONV_INLINE Vec Clamped(Vec x, float least, float most) {
  x = x < least ? Vec{} + least : x;
  return x > most ? Vec{} + most : x;
}

// exp(x) for x in [-87, 88], within 2 units in the last place: 2^n exp(r), |r| <= ln(2) / 2. NaN stays NaN.
DYCONV_INLINE Vec Exp(Vec x) {
  // A float32 of this size has no fraction, so that adding it rounds.
  constexpr float kRound = 12582912.0f;
  constexpr float kLn2High = 0.693359375f, kLn2Low = -2.12194440e-4f;
  const Vec n = (x * 1.44269504f + kRound) - kRound;
  const Vec r = (x - n * kLn2High) - n * kLn2Low;
  // The Taylor polynomial of degree 7: its error is less than the rounding.
  Vec sum = Set1(1.0f / 5040);
  for (const float factor : {1.0f / 720, 1.0f / 120, 1.0f / 24, 1.0f / 6, 0.5f, 1.0f, 1.0f})
    sum = sum * r + factor;
  const IntVec exponent = (__builtin_convertvector(n, IntVec) + 127) << 23;
  Vec power;
  std::memcpy(&power, &exponent, sizeof(power));
  return sum * power;
}

// Those with an exponential are functions of their own: inlined into every loop, they would be most of its
// code.
#define DYCONV_SEPARATE [[maybe_unused]] static __attribute__((noinline))

// 1 + exp(-x), or infinity where the sum is beyond 1.6e38: what is divided by it is then 0, as in libtorch.
DYCONV_INLINE Vec OnePlusExp(Vec minus_x) {
  const Vec sum = 1.0f + Exp(Clamped(minus_x, -87, 88));
  return minus_x > 88.0f ? Set1(__builtin_inff()) : sum;
}

// Sigmoid and Silu: within 4 units in the last place.
DYCONV_SEPARATE Vec Sigmoid(Vec x) { return 1.0f / OnePlusExp(-x); }
DYCONV_SEPARATE Vec Silu(Vec x) { return x / OnePlusExp(-x); }

// P(X > |x|) of a standard normal X: half of erfc(|x| / sqrt(2)) by formula 7.1.26 of Abramowitz and Stegun,
// within 8e-8. `bell` is exp(-x x / 2).
DYCONV_INLINE Vec NormalTail(Vec x, Vec& bell) {
  const Vec size = x < 0.0f ? -x : x, exponent = -0.5f * x * x;
  bell = Exp(Clamped(exponent, -87, 0));
  bell = exponent < -87.0f ? Vec{} : bell;
  const Vec t = 1.0f / (1.0f + (0.3275911f * 0.70710678f) * size);
  Vec sum = Set1(1.061405429f);
  for (const float factor : {-1.453152027f, 1.421413741f, -0.284496736f, 0.254829592f})
    sum = sum * t + factor;
  return 0.5f * (sum * t) * bell;
}

// x P(X <= x), within 8e-8 |x| and rounding. Without a difference where x is negative, unlike 1 + erf(x).
DYCONV_SEPARATE Vec Gelu(Vec x) {
  Vec bell;
  const Vec tail = NormalTail(x, bell);
  return x * (x < 0.0f ? tail : 1.0f - tail);
}

DYCONV_SEPARATE Vec GeluSlope(Vec x) {
  Vec bell;
  const Vec tail = NormalTail(x, bell);
  constexpr float kDensity = 0.398942280f;  // 1 / sqrt(2 pi)
  return (x < 0.0f ? tail : 1.0f - tail) + x * (kDensity * bell);
}

template <Activation kActivation>
DYCONV_INLINE Vec Activated(Vec x) {
  if constexpr (kActivation == Activation::kRelu) return x < 0.0f ? Vec{} : x;
  if constexpr (kActivation == Activation::kRelu6) return Clamped(x, 0, 6);
  if constexpr (kActivation == Activation::kHardswish) return x * (Clamped(x + 3.0f, 0, 6) * (1.0f / 6));
  if constexpr (kActivation == Activation::kHardsigmoid) return Clamped(x + 3.0f, 0, 6) * (1.0f / 6);
  if constexpr (kActivation == Activation::kSigmoid) return Sigmoid(x);
  if constexpr (kActivation == Activation::kSilu) return Silu(x);
  if constexpr (kActivation == Activation::kGelu) return Gelu(x);
  return x;
}

// Calls visit(std::integral_constant<Activation, a>) for an activation of a few instructions, which a
// register tile applies before it stores its sums, and gives false. For others it visits kNone and gives
// true: ActivateRows applies them to the sums in memory, because a call would spill all registers of a tile.
template <typename Visit>
DYCONV_INLINE bool WithShortActivation(Activation activation, const Visit& visit) {
  using enum Activation;
  switch (activation) {
    case kRelu:
      visit(std::integral_constant<Activation, kRelu>());
      return false;
    case kRelu6:
      visit(std::integral_constant<Activation, kRelu6>());
      return false;
    case kHardswish:
      visit(std::integral_constant<Activation, kHardswish>());
      return false;
    case kHardsigmoid:
      visit(std::integral_constant<Activation, kHardsigmoid>());
      return false;
    default:
      visit(std::integral_constant<Activation, kNone>());
      return activation != kNone;
  }
}

// The same for all activations, where there are no register tiles.
template <typename Visit>
DYCONV_INLINE void WithActivation(Activation activation, const Visit& visit) {
  using enum Activation;
  switch (activation) {
    case kSigmoid:
      return visit(std::integral_constant<Activation, kSigmoid>());
    case kSilu:
      return visit(std::integral_constant<Activation, kSilu>());
    case kGelu:
      return visit(std::integral_constant<Activation, kGelu>());
    default:
      WithShortActivation(activation, visit);
  }
}

// Applies an activation in place to `count` rows of `columns` floats, `step` floats apart. In activation.cc.
void ActivateRows(Activation activation, float* rows, int64_t count, int64_t step, int64_t columns);

// gradient * activation'(x), with libtorch's values where the derivative jumps.
template <Activation kActivation>
DYCONV_INLINE Vec TimesSlope(Vec gradient, Vec x) {
  const Vec zero = {};
  if constexpr (kActivation == Activation::kRelu) return x <= 0.0f ? zero : gradient;
  if constexpr (kActivation == Activation::kRelu6) {
    gradient = x <= 0.0f ? zero : gradient;
    return x >= 6.0f ? zero : gradient;
  }
  if constexpr (kActivation == Activation::kHardswish) {
    const Vec inside = gradient * (x * (1.0f / 3) + 0.5f);
    gradient = x < 3.0f ? inside : gradient;
    return x <= -3.0f ? zero : gradient;
  }
  if constexpr (kActivation == Activation::kHardsigmoid) {
    gradient = x > -3.0f ? gradient * (1.0f / 6) : zero;
    return x < 3.0f ? gradient : zero;
  }
  if constexpr (kActivation == Activation::kSigmoid) {
    const Vec s = Sigmoid(x);
    return gradient * (s * (1.0f - s));
  }
  if constexpr (kActivation == Activation::kSilu) {
    const Vec s = Sigmoid(x);
    return gradient * (s * (1.0f + x * (1.0f - s)));
  }
  if constexpr (kActivation == Activation::kGelu) return gradient * GeluSlope(x);
  return gradient;
}

}  // namespace dyconv::kernels::DYCONV_ISA
