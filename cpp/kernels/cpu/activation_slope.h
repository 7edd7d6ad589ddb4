// Derivatives of the activations that kernels fuse.
#pragma once

#include "kernels/cpu/epilogue.h"

namespace dyconv::kernels::DYCONV_ISA {

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
  return gradient;
}

}  // namespace dyconv::kernels::DYCONV_ISA
