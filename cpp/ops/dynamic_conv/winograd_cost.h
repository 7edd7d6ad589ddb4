// Whether Winograd's form of a convolution is worth it. The counts and what they were fitted to:
// docs/dynamic-convolution.md.
#pragma once

#include "kernels/kernel.h"

namespace dyconv {

// The cheapest tile, and the cost with it as a part of the direct form's.
struct WinogradCost {
  kernels::WinogradTile tile;
  double relative;
  bool Wins() const { return relative < 0.95; }
  // Beside products in bfloat16, which are about twice as fast.
  bool WinsOverBf16() const { return relative < 0.6; }
  // Beside oneDNN's, for one kernel.
  bool WinsOverOneDnnBf16() const { return relative < 0.4; }
};

// 3x3 and 5x5 kernels of stride 1 and dilation 1 without groups.
bool WinogradApplies(const kernels::DynamicConvShape& shape);

// What experts are mixed with: nothing, any numbers, or shares of a whole (relative_experts.h).
enum class Mixing { kNone, kAny, kShares };

// Only where WinogradApplies.
WinogradCost WinogradForwardCost(const kernels::DynamicConvShape& shape, Mixing mixing);
WinogradCost WinogradBackwardCost(const kernels::DynamicConvShape& shape, Mixing mixing);

}  // namespace dyconv
