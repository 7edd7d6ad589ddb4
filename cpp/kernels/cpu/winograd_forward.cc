#include "winograd.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// A block of samples x rows of tiles, and the scratch it works in.
struct TileBlock {
  int64_t first_sample, samples;
  int64_t first_row, rows;  // of output pixels
  Tiling tiling;
  int64_t channels;                // of the input, in whole vectors
  int64_t points_step, sums_step;  // from one point to the next
  float* mixed;
  float* bias;
  float* points;   // [points, samples, tiles, channels]
  float* sums;     // [points, samples, tiles, panel]
  float* inputs;   // [input pixels, channels] of one sample
  float* outputs;  // [output pixels, panel] of one sample
  int32_t* identity;
  int32_t* real_inputs;  // those that are not padding
  int32_t* real_outputs;
};

TileBlock MakeTileBlock(const DynamicConvArgs& args, int64_t item, float* scratch) {
  const auto& s = args.shape;
  const auto& plan = args.plan;
  TileBlock b;
  const int64_t strips = CeilDiv(s.out_h, plan.forward_out_rows);
  b.first_sample = item / strips * plan.forward_samples;
  b.samples = Min(plan.forward_samples, s.batch - b.first_sample);
  b.first_row = item % strips * plan.forward_out_rows;
  b.rows = Min(plan.forward_out_rows, s.out_h - b.first_row);
  const int64_t tile = plan.winograd_tile, points = WinogradPoints(tile);
  b.tiling = {tile, WinogradTilesAlong(b.rows, tile), WinogradTilesAlong(s.out_w, tile)};
  b.channels = WholeVecs(s.in_channels);
  const int64_t tiles = b.samples * b.tiling.count();
  b.mixed = scratch;
  b.bias = b.mixed + kMixSamples * kTileRows * kPanel;
  b.points = b.bias + kPanel;
  b.points_step = tiles * b.channels + kWinogradGap;
  b.sums_step = tiles * kPanel + kWinogradGap;
  b.sums = b.points + points * b.points_step;
  b.inputs = b.sums + points * b.sums_step;
  b.outputs = b.inputs + b.tiling.input_pixels() * b.channels;
  b.identity = reinterpret_cast<int32_t*>(b.outputs + b.tiling.output_pixels() * kPanel);
  b.real_inputs = b.identity + tiles;
  b.real_outputs = b.real_inputs + b.tiling.input_pixels();
  return b;
}

// Transforms the block's input.
template <int kTile>
void PackTileBlock(const DynamicConvArgs& args, const TileBlock& b) {
  const auto& s = args.shape;
  const int64_t top = b.first_row - s.padding_h;  // image row of the first row of the tiles
  const int64_t first = Max(0, top), last = Min(s.in_h, top + kTile * b.tiling.high + 2);
  const int64_t tiles = b.tiling.count();
  Iota(b.samples * tiles, b.identity);
  PaddedPixels(0, b.rows, s.out_w, 0, 0, b.tiling.output_w(), b.real_outputs);
  PaddedPixels(first, last, s.in_w, -top, s.padding_w, b.tiling.input_w(), b.real_inputs);
  std::memset(b.inputs, 0, b.tiling.input_pixels() * b.channels * sizeof(float));
  const auto& strides = args.input_strides;
  const Steps pixel{b.tiling.input_w() * b.channels, b.channels};
  for (int64_t i = 0; i < b.samples; ++i) {
    if (last > first) {
      ImageToRows(args.input + (b.first_sample + i) * strides.batch + first * s.in_w * strides.pixel, strides,
                  s.in_channels, (last - first) * s.in_w, b.real_inputs, b.inputs, b.channels);
    }
    for (int64_t t = 0; t < tiles; ++t) {
      const float* from = b.inputs + b.tiling.input_pixel(t) * b.channels;
      float* to = b.points + (i * tiles + t) * b.channels;
      for (int64_t c = 0; c < b.channels; c += kLanes)
        Transform<typename Winograd<kTile>::Input>(from + c, pixel, to + c, PointSteps<kTile>(b.points_step));
    }
  }
}

template <int kTile, int kVecs>
void WriteTiles(const DynamicConvArgs& args, const TileBlock& b, const Panel& panel) {
  const auto& s = args.shape;
  constexpr int64_t kWidth = kVecs * kLanes;
  const int64_t tiles = b.tiling.count();
  const auto& strides = args.output_strides;
  for (int64_t i = 0; i < b.samples; ++i) {
    for (int64_t t = 0; t < tiles; ++t) {
      const float* from = b.sums + (i * tiles + t) * kWidth;
      float* to = b.outputs + b.tiling.output_pixel(t) * kWidth;
      for (int64_t c = 0; c < kWidth; c += kLanes) {
        Transform<typename Winograd<kTile>::Output>(from + c, PointSteps<kTile>(b.sums_step), to + c,
                                                    {b.tiling.output_w() * kWidth, kWidth});
      }
    }
    const int64_t sample = b.first_sample + i;
    MixBias(args, sample, panel.first_column, panel.columns, b.bias);
    RowsToImage(b.outputs, kWidth, b.real_outputs, b.bias, panel.columns, b.rows * s.out_w,
                args.output + sample * strides.batch + panel.first_column * strides.channel +
                    b.first_row * s.out_w * strides.pixel,
                strides);
  }
}

template <int kTile>
void ForwardBlock(const DynamicConvArgs& args, const TileBlock& b) {
  const auto products = WinogradProducts(args.shape, kTile);
  PackTileBlock<kTile>(args, b);
  const int64_t tiles = b.tiling.count();
  const PackedStrides strides{b.points_step, tiles * b.channels, b.channels};
  const int64_t point = ForwardPanel(products, args.plan.forward_panels).offset;
  for (int64_t i = 0; i < args.plan.forward_panels; ++i) {
    const Panel panel = ForwardPanel(products, i);
    WithConstant<kMaxVecs>(panel.vecs, [&](auto vecs) {
      MultiplyPoints<vecs()>({b.points, strides, WinogradPoints(kTile), args.shape.in_channels, b.samples,
                              tiles, args.packed_weight + panel.offset, point,
                              args.mixture_of(b.first_sample), b.mixed, b.identity, b.sums, b.sums_step});
      WriteTiles<kTile, vecs()>(args, b, panel);
    });
  }
}

}  // namespace

void WinogradForward(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  WithTile(args.plan.winograd_tile, [&](auto tile) {
    for (int64_t item = begin; item < end; ++item)
      ForwardBlock<tile()>(args, MakeTileBlock(args, item, scratch));
  });
}

}  // namespace dyconv::kernels::DYCONV_ISA
