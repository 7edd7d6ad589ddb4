// The activations in float64, as loops beside the kernels compute them.
#pragma once

#include <algorithm>
#include <cmath>

#include "guarded.h"

namespace fuzz {

inline double Activated(double x, kernels::Activation activation) {
  const double clamped = std::min(std::max(x + 3, 0.0), 6.0) / 6;
  using enum kernels::Activation;
  switch (activation) {
    case kNone: return x;
    case kRelu: return std::max(x, 0.0);
    case kRelu6: return std::min(std::max(x, 0.0), 6.0);
    case kHardswish: return x * clamped;
    case kHardsigmoid: return clamped;
    case kSilu: return x / (1 + std::exp(-x));
  }
  return x;
}

}  // namespace fuzz
