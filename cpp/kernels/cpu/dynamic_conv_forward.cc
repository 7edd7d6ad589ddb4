#include "forward_block.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

template <int kVecs>
void MultiplyPanel(const DynamicConvArgs& args, const Block& b, const Panel& panel) {
  const auto& s = args.shape;
  const int64_t in = s.in_per_group(), taps = s.kernel_size(), width = kVecs * kLanes;
  const int64_t length = Min(in, kTileRows), taps_per_tile = in <= kTileRows ? Max(1, kTileRows / in) : 1;
  const int64_t input_floats = b.in_rows * b.padded_w * s.in_channels, sum_floats = b.pixels * width;
  for (int64_t channel = 0; channel < in; channel += length) {
    const int64_t channels = Min(length, in - channel);
    for (int64_t tap = 0; tap < taps; tap += taps_per_tile) {
      const int64_t segments = Min(taps_per_tile, taps - tap), rows = segments * channels;
      const float* tile = args.packed_weight + panel.offset + (tap * in + channel) * s.experts * width;
      MixAndMultiply<kVecs>(tile, args.attention + b.first_sample * s.experts, s.experts, rows, b.samples,
                            b.mixed, b.taps, b.identity, b.pixels, [&](int64_t i) {
                              return GemmTask{b.input + i * input_floats + panel.group * in + channel,
                                              s.in_channels,
                                              b.offsets + tap,
                                              segments,
                                              channels,
                                              nullptr,
                                              b.sums + i * sum_floats,
                                              width,
                                              channel > 0 || tap > 0};
                            });
    }
  }
}

}  // namespace

void DynamicConvForward(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  for (int64_t item = begin; item < end; ++item) {
    const Block block = MakeBlock(args, item, scratch);
    PrepareBlock(args, block);
    for (int64_t i = 0; i < args.plan.forward_panels; ++i) {
      const Panel panel = ForwardPanel(args.shape, i);
      WithConstant<kMaxVecs>(panel.vecs, [&](auto vecs) { MultiplyPanel<vecs()>(args, block, panel); });
      WritePanel(args, block, panel);
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
