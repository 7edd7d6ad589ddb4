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

// A separate function: inlined into every register tile, it would be most of the code of the kernels.
[[maybe_unused]] static __attribute__((noinline)) Vec Sigmoid(Vec x) {
  const Vec sigmoid = 1.0f / (1.0f + Exp(Clamped(-x, -87, 88)));
  return x < -88.0f ? Vec{} : sigmoid;  // not a little more, which a large x would multiply
}

template <Activation kActivation>
DYCONV_INLINE Vec Activated(Vec x) {
  if constexpr (kActivation == Activation::kRelu) return x < 0.0f ? Vec{} : x;
  if constexpr (kActivation == Activation::kRelu6) return Clamped(x, 0, 6);
  if constexpr (kActivation == Activation::kHardswish) return x * (Clamped(x + 3.0f, 0, 6) * (1.0f / 6));
  if constexpr (kActivation == Activation::kHardsigmoid) return Clamped(x + 3.0f, 0, 6) * (1.0f / 6);
  if constexpr (kActivation == Activation::kSilu) return x * Sigmoid(x);
  return x;
}

// Calls visit(std::integral_constant<Activation, a>).
template <typename Visit>
DYCONV_INLINE void WithActivation(Activation activation, const Visit& visit) {
  using enum Activation;
  switch (activation) {
    case kNone:
      return visit(std::integral_constant<Activation, kNone>());
    case kRelu:
      return visit(std::integral_constant<Activation, kRelu>());
    case kRelu6:
      return visit(std::integral_constant<Activation, kRelu6>());
    case kHardswish:
      return visit(std::integral_constant<Activation, kHardswish>());
    case kHardsigmoid:
      return visit(std::integral_constant<Activation, kHardsigmoid>());
    case kSilu:
      return;  // only in WithAnyActivation
  }
}

// The same for all activations, where there are no register tiles.
template <typename Visit>
DYCONV_INLINE void WithAnyActivation(Activation activation, const Visit& visit) {
  if (activation == Activation::kSilu) return visit(std::integral_constant<Activation, Activation::kSilu>());
  WithActivation(activation, visit);
}

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
  if constexpr (kActivation == Activation::kSilu) {
    const Vec s = Sigmoid(x);
    return gradient * (s * (1.0f + x * (1.0f - s)));
  }
  return gradient;
}

}  // namespace dyconv::kernels::DYCONV_ISA
