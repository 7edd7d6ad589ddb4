#include "kernels/cpu/winograd.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// Pixels of one block of accumulators: kBlockPixels * kPanel floats stay in the L2 cache.
constexpr int64_t kBlockPixels = 1536;
// Points times tiles of a block of Winograd's algorithm. Its sums are written and read once for each panel,
// so that they may exceed the L2 cache; a larger block reads the experts fewer times.
constexpr int64_t kBlockPoints = 176 * 36;
// The same for the backward pass with one expert. Each thread works on one block at a time, which should stay
// in the L2 cache.
constexpr int64_t kOneExpertPoints = 88 * 36;
// Floats of packed samples that stay in the L2 cache while all tiles of a thread pass over them.
constexpr int64_t kBlockFloats = 1 << 19;

// Samples per block: up to `most`, shared out so that no thread waits long for another, whole groups of
// kMixSamples where that costs no more.
int64_t BlockSamples(int64_t batch, int64_t most, int64_t threads) {
  most = Max(1, Min(32, most));
  int64_t best = 1, least = INT64_MAX;
  for (int64_t n = 1; n <= most; ++n) {
    const int64_t blocks = CeilDiv(batch, n);
    // The cost is the number of samples of the busiest thread, times 64. Small blocks and incomplete groups
    // of kMixSamples add a little to it.
    const int64_t busiest = Min(batch, CeilDiv(blocks, threads) * n) * 64;
    const int64_t cost = busiest + busiest / (8 * n) + (n % kMixSamples == 0 ? 0 : busiest / 32);
    if (cost <= least) {
      least = cost;
      best = n;
    }
  }
  return best;
}

// Whole groups of folded samples, each with this number of floats, that stay in the cache.
int64_t WeightSamples(int64_t floats) { return Max(1, kBlockFloats / floats / kFoldSamples) * kFoldSamples; }

}  // namespace

DynamicConvPlan PlanDynamicConv(const DynamicConvShape& s, int64_t threads) {
  DynamicConvPlan plan;
  const int64_t batch = Max(1, s.batch), padded_w = s.in_w + 2 * s.padding_w;
  const int64_t in = s.in_per_group(), out = s.out_per_group(), taps = s.kernel_size();

  plan.forward_panels = s.groups * CeilDiv(out, kPanel);
  plan.forward_weight = PackedSize(s.groups, taps * in, out, s.experts);
  plan.forward_out_rows = Min(s.out_h, Max(1, kBlockPixels / s.out_w));
  plan.forward_samples =
      plan.forward_out_rows < s.out_h ? 1 : BlockSamples(batch, kBlockPixels / s.out_plane(), threads);
  plan.forward_items = CeilDiv(s.batch, plan.forward_samples) * CeilDiv(s.out_h, plan.forward_out_rows);
  const int64_t block_pixels = plan.forward_out_rows * s.out_w;
  const int64_t in_rows = (plan.forward_out_rows - 1) * s.stride_h + (s.kernel_h - 1) * s.dilation_h + 1;
  plan.forward_scratch = plan.forward_samples * (in_rows * padded_w * s.in_channels + block_pixels * kPanel) +
                         kMixSamples * kTileRows * kPanel + 4 * block_pixels + in_rows * s.in_w + 2 * taps +
                         kPanel + 64;
  plan.forward_scratch16 =
      (plan.forward_samples * in_rows * padded_w * s.in_channels + 32) / 2 / 16 * 16 + 16;
  plan.forward_scratch = (plan.forward_scratch + 15) / 16 * 16 + plan.forward_scratch16;

  plan.backward_panels = s.groups * CeilDiv(in, kPanel);
  plan.backward_weight = PackedSize(s.groups, taps * out, in, s.experts);
  plan.backward_samples = BlockSamples(batch, kBlockPixels / s.in_plane(), threads);
  plan.backward_items = CeilDiv(s.batch, plan.backward_samples);
  plan.backward_units = plan.backward_panels * taps * CeilDiv(out, kTileRows);
  plan.backward_scratch = plan.backward_samples * s.in_plane() * kPanel + kMixSamples * kTileRows * kPanel +
                          s.in_plane() + 2 * s.out_plane() + kOuterPixels + kPanel + 64;
  // A panel may read past the last channel of the last pixel.
  plan.packed_input = s.in_plane() * s.in_channels + kPanel;
  plan.packed_grad = s.out_plane() * s.out_channels;
  plan.weight_samples = WeightSamples(plan.packed_input + plan.packed_grad);
  plan.attention_lanes = kLanes;
  return plan;
}

DynamicConvPlan PlanWinograd(const DynamicConvShape& s, int64_t threads, const WinogradTile& tile) {
  const WinogradTiling whole = WinogradTilingOf(s, tile);
  DynamicConvPlan plan = PlanDynamicConv(WinogradProducts(s, whole), threads);
  plan.winograd = whole;
  const int64_t points = whole.points();
  const int64_t batch = Max(1, s.batch), in = WholeVecs(s.in_channels), out = WholeVecs(s.out_channels);
  const auto floats = [&](const WinogradTiling& t, int64_t samples, int64_t channels, int64_t inputs,
                          int64_t outputs) {
    return samples * t.count() * (points * (channels + kPanel) + 1) + t.input_pixels() * (inputs + 1) +
           t.output_pixels() * (outputs + 1) + TransformScratch(t) + kMixSamples * kTileRows * kPanel +
           2 * kPanel + 2 * points * kWinogradGap;
  };

  const int64_t wide = whole.x.count(), block = kBlockPoints / points;
  // Strips of equal height, for threads that share an image.
  const int64_t rows = CeilDiv(s.out_h, tile.h), strips = CeilDiv(rows, Max(1, block / wide));
  const int64_t strip_rows = Min(s.out_h, CeilDiv(rows, strips) * tile.h);
  const int64_t samples = BlockSamples(batch, block / whole.count(), threads);
  plan.forward_panels = CeilDiv(s.out_channels, kPanel);
  plan.forward_out_rows = strip_rows;
  plan.forward_samples = strip_rows < s.out_h ? 1 : samples;
  plan.forward_items = CeilDiv(s.batch, plan.forward_samples) * CeilDiv(s.out_h, strip_rows);
  plan.forward_scratch =
      floats({{s.kernel_h, strip_rows, tile.h}, whole.x}, plan.forward_samples, in, in, kPanel);
  plan.forward_scratch16 = 0;

  plan.backward_panels = CeilDiv(s.in_channels, kPanel);
  plan.backward_samples =
      s.experts > 1 ? samples : BlockSamples(batch, kOneExpertPoints / points / whole.count(), threads);
  plan.backward_items = CeilDiv(s.batch, plan.backward_samples);
  plan.backward_scratch =
      Max(plan.backward_scratch, floats(whole, plan.backward_samples, 0, Max(in, kPanel), out));
  plan.packed_input = points * whole.count() * in;
  plan.packed_grad = points * whole.count() * out;
  // Only one point of a sample is in use at a time.
  plan.weight_samples = WeightSamples(whole.count() * (in + out));
  return plan;
}

}  // namespace dyconv::kernels::DYCONV_ISA
