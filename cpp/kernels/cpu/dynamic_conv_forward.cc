#include "kernels/cpu/forward_block.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

template <int kVecs>
void MultiplyPanel(const DynamicConvArgs& args, const Block& b, const Panel& panel) {
  const auto& s = args.shape;
  const int64_t in = s.in_per_group(), width = kVecs * kLanes;
  const int64_t input_floats = b.in_rows * b.padded_w * s.in_channels, sum_floats = b.pixels * width;
  ForEachTapTile(args, b, width, [&](const TapTile& tile) {
    const float* packed =
        args.packed_weight + panel.offset + (tile.tap * in + tile.channel) * s.experts * width;
    MixAndMultiply<kVecs>(packed, args.mixture_of(b.first_sample), b.samples, b.mixed, tile.pixels.inputs,
                          tile.pixels.outputs, tile.pixels.count, [&](int64_t i) {
                            return GemmTask{b.input + i * input_floats + panel.group * in + tile.channel,
                                            s.in_channels,
                                            tile.offsets,
                                            tile.segments,
                                            tile.length,
                                            nullptr,
                                            b.sums + i * sum_floats,
                                            width,
                                            tile.accumulate};
                          });
  });
}

}  // namespace

void DynamicConvForward(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  for (int64_t item = begin; item < end; ++item) {
    const Block block = MakeBlock(args, item, scratch, args.shape.in_per_group(), kTileRows);
    PrepareBlock(args, block);
    for (int64_t i = 0; i < args.plan.forward_panels; ++i) {
      const Panel panel = ForwardPanel(args.shape, i);
      WithConstant<kMaxVecs>(panel.vecs, [&](auto vecs) { MultiplyPanel<vecs()>(args, block, panel); });
      WritePanel(args, block, panel);
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
