// The forward with products in bfloat16 and sums in float32, where the CPU multiplies groups of bfloat16.
// Experts are mixed in float32 and rounded once.
#include "kernels/cpu/forward_block.h"

#if defined(__AVX512F__)
#include "kernels/cpu/bf16_avx512.h"
#elif defined(__aarch64__) && !(defined(__clang__) && __clang_major__ < 16)
// Older versions of clang cannot compile single functions for more than the rest.
#include "kernels/cpu/bf16_neon.h"
#endif

namespace dyconv::kernels::DYCONV_ISA {

#if defined(DYCONV_BF16)
namespace {

constexpr int kMixPair = 2;
// Rows of a mixed tile: twice as many as in float32, in the same number of bytes.
constexpr int64_t kMixedRows = 2 * kTileRows;

template <int kVecs>
void Bf16Gemm(const Bf16Task& task, const int32_t* a_pixels, const int32_t* c_pixels, int64_t count) {
  ForEachRegisterTile(
      count, [&](auto rows, int64_t p) { Bf16Tile<rows(), kVecs>(task, a_pixels + p, c_pixels + p); });
}

template <int kVecs>
void Bf16Panel(const DynamicConvArgs& args, const Block& b, const Panel& panel) {
  const auto& s = args.shape;
  const int64_t in = s.in_per_group(), width = kVecs * kLanes, stride = kMixedRows * width;
  const int64_t input_floats = b.in_rows * b.padded_w * s.in_channels, sum_floats = b.pixels * width;
  uint16_t* mixed = reinterpret_cast<uint16_t*>(b.mixed);
  // A static convolution has one expert, mixed with the factor 1. This rounds the weights in every call,
  // which costs little compared with the products.
  static constexpr float kOnes[kMixPair] = {1, 1};
  ForEachTapTile(args, b, width, [&](const TapTile& tile) {
    const float* packed =
        args.packed_weight + panel.offset + (tile.tap * in + tile.channel) * s.experts * width;
    for (int64_t first = 0; first < b.samples; first += kMixPair) {
      const int64_t samples = Min(kMixPair, b.samples - first);
      WithConstant<kMixPair>(samples, [&](auto n) {
        const float* attention =
            args.is_static() ? kOnes : args.attention + (b.first_sample + first) * s.experts;
        MixGroups<n(), kVecs>(packed, attention, s.experts, tile.segments, tile.length, mixed, stride);
      });
      for (int64_t i = 0; i < samples; ++i) {
        const Bf16Task task{b.input16 + (first + i) * input_floats + panel.group * in + tile.channel,
                            s.in_channels,
                            tile.offsets,
                            tile.segments,
                            tile.length,
                            mixed + i * stride,
                            b.sums + (first + i) * sum_floats,
                            width,
                            tile.accumulate};
        Bf16Gemm<kVecs>(task, tile.pixels.inputs, tile.pixels.outputs, tile.pixels.count);
      }
    }
  });
}

}  // namespace

bool CanMultiplyBf16(const DynamicConvShape& s) {
  // With one channel per group there is one row of weights, and nothing to pair it with.
  return (s.in_per_group() > 1 || s.groups == 1) && HasBf16();
}

void DynamicConvForwardBf16(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  for (int64_t item = begin; item < end; ++item) {
    const int64_t tap_rows = CeilDiv(args.shape.in_per_group(), kBf16Rows) * kBf16Rows;
    const Block block = MakeBlock(args, item, scratch, tap_rows, kMixedRows);
    PrepareBlock(args, block);
    RoundToBf16(block.input, block.samples * block.in_rows * block.padded_w * args.shape.in_channels,
                block.input16);
    for (int64_t i = 0; i < args.plan.forward_panels; ++i) {
      const Panel panel = ForwardPanel(args.shape, i);
      WithConstant<kMaxVecs>(panel.vecs, [&](auto vecs) { Bf16Panel<vecs()>(args, block, panel); });
      WritePanel(args, block, panel);
    }
  }
}

#else

void DynamicConvForward(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch);

bool CanMultiplyBf16(const DynamicConvShape&) { return false; }

void DynamicConvForwardBf16(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  DynamicConvForward(args, begin, end, scratch);
}

#endif

}  // namespace dyconv::kernels::DYCONV_ISA
