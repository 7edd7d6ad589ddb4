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
    case kSigmoid: return 1 / (1 + std::exp(-x));
    case kSilu: return x / (1 + std::exp(-x));
    case kGelu: return x * std::erfc(-x / std::sqrt(2.0)) / 2;
  }
  return x;
}

inline kernels::Activation AnyActivation(Random& random) {
  return static_cast<kernels::Activation>(random.Between(0, static_cast<int64_t>(kernels::Activation::kGelu)));
}

}  // namespace fuzz
