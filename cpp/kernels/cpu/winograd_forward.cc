#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/winograd.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// A block of samples x rows of tiles, and the scratch it works in.
struct TileBlock {
  int64_t first_sample, samples;
  int64_t first_row;  // of output pixels
  WinogradTiling tiling;
  int64_t channels;                // of the input, in whole vectors
  int64_t points_step, sums_step;  // from one point to the next
  float* mixed;
  float* bias;
  float* points;   // [points, samples, tiles, channels]
  float* sums;     // [points, samples, tiles, panel]
  float* inputs;   // [input pixels, channels] of one sample
  float* outputs;  // [output pixels, panel] of one sample
  float* half;
  int32_t* indices;
  int32_t* real_inputs;  // those that are not padding
  int32_t* all_outputs;
};

TileBlock MakeTileBlock(const DynamicConvArgs& args, int64_t item, float* scratch) {
  const auto& s = args.shape;
  const auto& plan = args.plan;
  TileBlock b;
  const int64_t strips = CeilDiv(s.out_h, plan.forward_out_rows);
  b.first_sample = item / strips * plan.forward_samples;
  b.samples = Min(plan.forward_samples, s.batch - b.first_sample);
  b.first_row = item % strips * plan.forward_out_rows;
  b.tiling = plan.winograd;
  b.tiling.y.outputs = Min(plan.forward_out_rows, s.out_h - b.first_row);
  b.channels = WholeVecs(s.in_channels);
  const int64_t tiles = b.samples * b.tiling.count(), points = b.tiling.points();
  b.mixed = scratch;
  b.bias = b.mixed + kMixSamples * kTileRows * kPanel;
  b.points = b.bias + kPanel;
  b.points_step = tiles * b.channels + kWinogradGap;
  b.sums_step = tiles * kPanel + kWinogradGap;
  b.sums = b.points + points * b.points_step;
  b.inputs = b.sums + points * b.sums_step;
  b.outputs = b.inputs + b.tiling.input_pixels() * b.channels;
  b.half = b.outputs + b.tiling.output_pixels() * kPanel;
  b.indices = reinterpret_cast<int32_t*>(b.half + TransformScratch(b.tiling));
  b.real_inputs = b.indices + tiles;
  b.all_outputs = b.real_inputs + b.tiling.input_pixels();
  return b;
}

// Transforms the block's input.
void PackTileBlock(const DynamicConvArgs& args, const TileBlock& b) {
  const auto& s = args.shape;
  const int64_t top = b.first_row - s.padding_h;  // image row of the first row of the tiles
  const int64_t first = Max(0, top), last = Min(s.in_h, top + b.tiling.y.inputs());
  PaddedPixels(first, last, s.in_w, -top, s.padding_w, b.tiling.x.inputs(), b.real_inputs);
  std::memset(b.inputs, 0, b.tiling.input_pixels() * b.channels * sizeof(float));
  const auto& strides = args.input_strides;
  for (int64_t i = 0; i < b.samples; ++i) {
    if (last > first) {
      const int64_t at = (b.first_sample + i) * strides.batch + first * s.in_w * strides.pixel;
      WithInput(args, [&](const auto* image) {
        ImageToRows(image + at, strides, s.in_channels, (last - first) * s.in_w, b.real_inputs, b.inputs,
                    b.channels);
      });
    }
    ImageToPoints<Inputs>(b.tiling, b.inputs, b.points + i * b.tiling.count() * b.channels,
                          {b.channels, b.channels, b.points_step}, b.channels, b.half);
  }
}

// Transforms one panel of the sums back.
void WriteTiles(const DynamicConvArgs& args, const TileBlock& b, const Panel& panel) {
  const auto& strides = args.output_strides;
  const int64_t width = panel.width();
  for (int64_t i = 0; i < b.samples; ++i) {
    PointsToImage<Outputs>(b.tiling, b.sums + i * b.tiling.count() * width, b.outputs,
                           {width, width, b.sums_step}, width, b.half);
    NoteNotFinite(args, b.outputs, b.tiling.output_pixels() * width);
    const int64_t sample = b.first_sample + i;
    MixBias(args, sample, panel.first_column, panel.columns, b.bias);
    const int64_t at = sample * strides.batch + panel.first_column * strides.channel +
                       b.first_row * args.shape.out_w * strides.pixel;
    if (args.epilogue.any()) {
      StoreRows(b.outputs, width, b.bias, args.epilogue, b.tiling.output_pixels(), at, strides.pixel,
                panel.columns, args.output);
      continue;
    }
    WithOutput(args, [&](auto* image) {
      RowsToImage(b.outputs, width, b.all_outputs, b.bias, panel.columns, b.tiling.output_pixels(),
                  image + at, strides);
    });
  }
}

}  // namespace

void WinogradForward(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  const auto products = WinogradProducts(args.shape, args.plan.winograd);
  const int64_t point = ForwardPanel(products, args.plan.forward_panels).offset;
  const int64_t parts = args.plan.forward_panel_parts, panels = args.plan.forward_panels;
  for (int64_t item = begin; item < end; ++item) {
    const TileBlock b = MakeTileBlock(args, item / parts, scratch);
    const int64_t first = item % parts * panels / parts, last = (item % parts + 1) * panels / parts;
    Iota(b.tiling.output_pixels(), b.all_outputs);
    PackTileBlock(args, b);
    const PackedStrides strides{b.points_step, b.tiling.count() * b.channels, b.channels};
    for (int64_t i = first; i < last; ++i) {
      const Panel panel = ForwardPanel(products, i);
      WithConstant<kMaxVecs>(panel.vecs, [&](auto vecs) {
        MultiplyPoints<vecs()>({b.tiling, b.points, strides, args.shape.in_channels, b.samples,
                                args.packed_weight + panel.offset, point, args.mixture_of(b.first_sample),
                                b.mixed, b.indices, b.sums, b.sums_step});
      });
      WriteTiles(args, b, panel);
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
