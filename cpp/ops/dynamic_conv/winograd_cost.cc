#include "ops/dynamic_conv/winograd_cost.h"

#include <algorithm>

namespace dyconv {
namespace {

// In multiply-adds: mixing or folding one weight of one expert; transforming one pixel of one channel in both
// directions, including its memory traffic; the same for one weight of one expert, including reading it from
// memory.
constexpr double kMix = 1.4, kDirectMix = 3;
constexpr double kMovePixel = 14;
constexpr double kMoveWeight = 40;

// The work of a pass: products of all pixels with all weights, multiply-adds of mixing and folding per
// weight, transforms of images.
struct Pass {
  int products;
  double mixing;
  int images;
};

// Pairs of outputs and inputs along one axis that a kernel connects: the direct form skips the padding.
double Pairs(int64_t in, int64_t out, int64_t kernel, int64_t padding) {
  int64_t pairs = 0;
  // Output y and tap k meet input y + k - padding.
  for (int64_t k = 0; k < kernel; ++k) {
    const int64_t first = std::max<int64_t>(0, padding - k), end = std::min(out, in + padding - k);
    pairs += std::max<int64_t>(0, end - first);
  }
  return static_cast<double>(pairs);
}

// Costs are per sample, input channel and output channel.
WinogradCost Cheapest(const kernels::DynamicConvShape& s, const Pass& pass) {
  const auto of = [](int64_t n) { return static_cast<double>(n); };
  const double pixel = pass.images * kMovePixel * (1 / of(s.in_channels) + 1 / of(s.out_channels)) / 2;
  const double weight = pass.products * kMoveWeight * of(s.experts) / of(std::max<int64_t>(1, s.batch));
  const double pairs =
      Pairs(s.in_h, s.out_h, s.kernel_h, s.padding_h) * Pairs(s.in_w, s.out_w, s.kernel_w, s.padding_w);
  const double direct = pass.products * pairs + pixel * of(s.out_plane()) +
                        of(s.kernel_size()) * (kDirectMix * pass.mixing + weight);
  WinogradCost best{};
  const int64_t most = kernels::MostWinogradTile(s.kernel_h);
  for (int64_t h = 2; h <= most; ++h) {
    for (int64_t w = 2; w <= most; ++w) {
      const auto tiling = kernels::WinogradTilingOf(s, {h, w});
      const double products = of(tiling.y.products() * tiling.x.products());
      const double cost =
          products * (pass.products + pixel) + of(tiling.points()) * (kMix * pass.mixing + weight);
      if (best.tile.h == 0 || cost / direct < best.relative) best = {{h, w}, cost / direct};
    }
  }
  return best;
}

}  // namespace

bool WinogradApplies(const kernels::DynamicConvShape& s) {
  return (s.kernel_h == 3 || s.kernel_h == 5) && s.kernel_w == s.kernel_h && s.groups == 1 &&
         s.stride_h == 1 && s.stride_w == 1 && s.dilation_h == 1 && s.dilation_w == 1;
}

// Multiply-adds to mix one weight of all experts.
double Mixture(const kernels::DynamicConvShape& s, Mixing mixing) {
  if (mixing == Mixing::kNone) return 0;
  return static_cast<double>(mixing == Mixing::kShares ? s.experts - 1 : s.experts);
}

WinogradCost WinogradForwardCost(const kernels::DynamicConvShape& s, Mixing mixing) {
  return Cheapest(s, {.products = 1, .mixing = Mixture(s, mixing), .images = 2});
}

// The gradients of the input and of the experts; that of attention is computed with the folding.
WinogradCost WinogradBackwardCost(const kernels::DynamicConvShape& s, Mixing mixing) {
  // The input gradient mixes; attention's needs as many products, and the experts' one for every expert.
  const double folding = mixing == Mixing::kNone ? 0 : static_cast<double>(s.experts);
  return Cheapest(s, {.products = 2, .mixing = 2 * Mixture(s, mixing) + folding, .images = 3});
}

}  // namespace dyconv
