// What the float32 and the bfloat16 forward share: blocks of samples, from packing their input to writing
// their output.
#pragma once

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/layout.h"
#include "kernels/cpu/mix.h"

namespace dyconv::kernels::DYCONV_ISA {

// A block of samples x output rows, and the scratch it works in.
struct Block {
  int64_t first_sample, samples;
  int64_t first_row, rows, pixels;
  int64_t padded_w, in_rows;  // of the packed input
  int64_t tile_taps;          // taps that are mixed at once
  int64_t run;                // of them, those whose rows of an input are adjacent
  float* input;               // [samples, in_rows, padded_w, in_channels]
  float* sums;                // [samples, pixels, panel]
  float* mixed;               // [kMixSamples, kTileRows, panel]
  float* bias;                // [panel]
  int64_t* offsets;           // of the runs of taps
  int32_t* taps;              // first tap of every output pixel
  int32_t* identity;
  int32_t* tap_inputs;  // the pixels of one tap
  int32_t* tap_outputs;
  int32_t* real;      // input pixels that are not padding
  uint16_t* input16;  // the packed input in bfloat16, where that is used
};

// `tap_rows` are those a tap takes up in a mixed tile, of which there are `tile_rows`.
inline Block MakeBlock(const DynamicConvArgs& args, int64_t item, float* scratch, int64_t tap_rows,
                       int64_t tile_rows) {
  const auto& s = args.shape;
  const auto& plan = args.plan;
  Block b;
  const int64_t strips = CeilDiv(s.out_h, plan.forward_out_rows);
  b.first_sample = item / strips * plan.forward_samples;
  b.samples = Min(plan.forward_samples, s.batch - b.first_sample);
  b.first_row = item % strips * plan.forward_out_rows;
  b.rows = Min(plan.forward_out_rows, s.out_h - b.first_row);
  b.pixels = b.rows * s.out_w;
  b.padded_w = s.in_w + 2 * s.padding_w;
  b.in_rows = (b.rows - 1) * s.stride_h + (s.kernel_h - 1) * s.dilation_h + 1;
  b.tile_taps = s.in_per_group() > kTileRows / 2 ? 1 : tile_rows / tap_rows;
  b.run = s.groups == 1 && s.dilation_w == 1 && b.tile_taps >= s.kernel_w ? s.kernel_w : 1;
  b.tile_taps -= b.tile_taps % b.run;
  b.mixed = scratch;
  b.bias = b.mixed + kMixSamples * kTileRows * kPanel;
  b.offsets = reinterpret_cast<int64_t*>(b.bias + kPanel);
  b.sums = b.bias + kPanel + CeilDiv(2 * s.kernel_size(), 16) * 16;
  b.input = b.sums + b.samples * b.pixels * kPanel;
  b.taps = reinterpret_cast<int32_t*>(b.input + b.samples * b.in_rows * b.padded_w * s.in_channels);
  b.identity = b.taps + b.pixels;
  b.tap_inputs = b.identity + b.pixels;
  b.tap_outputs = b.tap_inputs + b.pixels;
  b.real = b.tap_outputs + b.pixels;
  b.input16 = reinterpret_cast<uint16_t*>(scratch + plan.forward_scratch - plan.forward_scratch16);
  return b;
}

inline void PackBlockInput(const DynamicConvArgs& args, const Block& b) {
  const auto& s = args.shape;
  const int64_t top = b.first_row * s.stride_h - s.padding_h;  // image row of packed row 0
  const int64_t first = Max(0, top), last = Min(s.in_h, top + b.in_rows);
  const int64_t floats = b.in_rows * b.padded_w * s.in_channels;
  if (s.padding_h > 0 || s.padding_w > 0) std::memset(b.input, 0, b.samples * floats * sizeof(float));
  if (last <= first) return;
  PaddedPixels(first, last, s.in_w, -top, s.padding_w, b.padded_w, b.real);
  const auto& strides = args.input_strides;
  for (int64_t i = 0; i < b.samples; ++i) {
    const int64_t at = (b.first_sample + i) * strides.batch + first * s.in_w * strides.pixel;
    WithInput(args, [&](const auto* image) {
      ImageToRows(image + at, strides, s.in_channels, (last - first) * s.in_w, b.real, b.input + i * floats,
                  s.in_channels);
    });
  }
}

// Fills the block's tables and packs its input.
inline void PrepareBlock(const DynamicConvArgs& args, const Block& b) {
  const auto& s = args.shape;
  TapPixels(s, 0, b.rows, b.padded_w, b.taps);
  Iota(b.pixels, b.identity);
  for (int64_t t = 0; t < s.kernel_size(); t += b.run) {
    b.offsets[t / b.run] =
        (t / s.kernel_w * s.dilation_h * b.padded_w + t % s.kernel_w * s.dilation_w) * s.in_channels;
  }
  PackBlockInput(args, b);
}

// Rows of the experts that are mixed at once: a part of the channels of one tap or, where channels are few,
// all channels of several taps.
struct TapTile {
  int64_t channel, tap;  // the first ones
  // The pixels that are multiplied with it, and how far from such an input each run of rows begins: a tap or,
  // where taps are adjacent, a row of the kernel.
  PixelPairs pixels;
  const int64_t* offsets;
  int64_t segments, length;
  bool accumulate;
};

// Calls visit(tile) for all tiles of a panel of `width` columns. A tile of one tap leaves out the pixels for
// which that tap is in the padding. The first tile stores its sums; it is that of the middle tap, which
// usually has all pixels.
template <typename Visit>
DYCONV_INLINE void ForEachTapTile(const DynamicConvArgs& args, const Block& b, int64_t width,
                                  const Visit& visit) {
  static constexpr int64_t kNoOffset = 0;
  const auto& s = args.shape;
  const int64_t in = s.in_per_group(), taps = s.kernel_size(), length = Min(in, kTileRows);
  const ImageRows packed{(s.padding_h - b.first_row * s.stride_h) * b.padded_w + s.padding_w, b.padded_w};
  TapTile tile{};
  for (int64_t channel = 0; channel < in; channel += length) {
    tile.channel = channel;
    tile.length = b.run * Min(length, in - channel);
    for (int64_t i = 0; i < taps; i += b.tile_taps) {
      if (b.tile_taps == 1) {
        tile.tap = (i + taps / 2) % taps;
        tile.segments = 1;
        tile.offsets = &kNoOffset;
        tile.pixels =
            TapPairs(s, tile.tap, b.first_row, b.first_row + b.rows, packed, b.tap_inputs, b.tap_outputs);
      } else {
        tile.tap = i;
        tile.segments = Min(b.tile_taps, taps - i) / b.run;
        tile.offsets = b.offsets + i / b.run;
        tile.pixels = {b.taps, b.identity, b.pixels};
      }
      if (!tile.accumulate && tile.pixels.count < b.pixels) {
        std::memset(b.sums, 0, b.samples * b.pixels * width * sizeof(float));
        tile.accumulate = true;
      }
      if (tile.pixels.count == 0) continue;
      visit(tile);
      tile.accumulate = true;
    }
  }
}

inline void WritePanel(const DynamicConvArgs& args, const Block& b, const Panel& panel) {
  const auto& s = args.shape;
  const int64_t first = panel.group * s.out_per_group() + panel.first_column;
  for (int64_t i = 0; i < b.samples; ++i) {
    const int64_t sample = b.first_sample + i;
    MixBias(args, sample, first, panel.columns, b.bias);
    const auto& strides = args.output_strides;
    const int64_t at =
        sample * strides.batch + first * strides.channel + b.first_row * s.out_w * strides.pixel;
    const float* sums = b.sums + i * b.pixels * panel.width();
    if (args.epilogue.any()) {
      StoreRows(sums, panel.width(), b.bias, args.epilogue, b.pixels, at, strides.pixel, panel.columns,
                args.output);
      continue;
    }
    WithOutput(args, [&](auto* image) {
      RowsToImage(sums, panel.width(), b.identity, b.bias, panel.columns, b.pixels, image + at, strides);
    });
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
