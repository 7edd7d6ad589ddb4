// Whether Winograd's form of a convolution is faster. The counts, and the measurements to which they were
// fitted: docs/dynamic-convolution.md.
#pragma once

#include "kernels/kernel.h"

namespace dyconv {

// The cheapest tile, and its cost as a fraction of the direct form's.
struct WinogradCost {
  kernels::WinogradTile tile;
  double relative;
  bool Wins() const { return relative < 0.95; }
  // Compared with products in bfloat16, which are about twice as fast.
  bool WinsOverBf16() const { return relative < 0.6; }
  // Compared with oneDNN's, for one kernel.
  bool WinsOverOneDnnBf16() const { return relative < 0.4; }
};

// 3x3 and 5x5 kernels of stride 1 and dilation 1 without groups.
bool WinogradApplies(const kernels::DynamicConvShape& shape);

// How experts are mixed: not at all, with any attention, or relative to one of them (relative_experts.h).
enum class Mixing { kNone, kAny, kShares };

// Valid only if WinogradApplies.
WinogradCost WinogradForwardCost(const kernels::DynamicConvShape& shape, Mixing mixing);
WinogradCost WinogradBackwardCost(const kernels::DynamicConvShape& shape, Mixing mixing);

}  // namespace dyconv
