// Convolutions of channels-last images with packed weights, for inference. A register tile is output pixels x
// output channels: for every tap it has a pointer to the input row of each of its pixels, so that nothing is
// copied; padding is a row of zeros, and a tap that is padding for the whole tile is left out. Of a dynamic
// convolution each thread mixes the panel it is about to multiply with: a panel stays in the L2 cache, a
// whole mixed kernel would be written to memory and read again.
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/layout.h"
#include "kernels/cpu/micro.h"
#include "kernels/cpu/pixel_at.h"
#include "kernels/nhwc.h"

namespace dyconv::kernels::DYCONV_ISA {

// In mix_once.cc.
void MixExperts(const float* weight, const float* attention, int64_t experts, int64_t size, float* mixed,
                int64_t begin, int64_t end);

namespace {

// From this number of channels, input rows are read in place.
constexpr int64_t kFewestChannels = 16;
// Pixels of a block: their input rows stay in the L1 or L2 cache while all panels pass over them.
constexpr int64_t kBlockPixels = 16 * kMaxRows;
// Packed floats that stay in the L2 cache next to a block.
constexpr int64_t kCachedWeight = 1 << 17;

// One panel of the packed weights.
struct ColumnPanel {
  int64_t vecs;
  int64_t first;  // column

  DYCONV_INLINE ColumnPanel(int64_t index, int64_t panels, int64_t out_channels) {
    const int64_t all = CeilDiv(out_channels, kLanes), least = all / panels, more = all % panels;
    vecs = least + (index < more);
    first = (index * least + Min(index, more)) * kLanes;
  }
};

// A run of rows of the packed weights, and the part of each pixel's input that it is multiplied with.
template <int kRows>
struct Run {
  const float* weights;
  const float* rows[kRows];
};

// The input rows of one register tile.
struct TileRows {
  int64_t runs;    // the runs of weights that have one
  int64_t length;  // of a run
};

template <int kRows, int kVecs>
void MultiplyTile(const Run<kRows>* runs, const TileRows& tile, const float* bias, const Epilogue& epilogue,
                  int64_t at, int64_t step, int64_t columns, float* output) {
  Vec acc[kRows][kVecs];
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) {
    const Vec first = Load(bias + v * kLanes);
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) acc[m][v] = first;
  }
  for (int64_t r = 0; r < tile.runs; ++r) {
    const float* row[kRows];
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) row[m] = runs[r].rows[m];
    AddProducts<kRows, kVecs>(row, tile.length, runs[r].weights, acc);
  }
  StoreSums<kRows, kVecs>(acc, epilogue, at, step, columns, output);
}

// A block of output pixels as the kernels see it.
struct PixelBlock {
  int64_t first, count;  // pixels, counted over all samples
  const float* copy;     // of the input, or null
  int64_t copy_w;        // pixels of a row of it
  int64_t first_row;     // output row at which the copy begins
  const float* zeros;
  const float* bias;
};

// Parts of the output that a block of pixels may not cross the border of. With several experts each sample is
// a part, because it has its own mixed kernel.
struct Blocks {
  int64_t parts, pixels;

  explicit Blocks(const DynamicConvShape& s)
      : parts(s.experts > 1 ? s.batch : 1), pixels(s.batch * s.out_plane() / parts) {}
};

// The runs of a tile of the block's pixels. Rows of a copied input are a row of the kernel long, where taps
// are not dilated.
template <int kRows>
TileRows TakeRows(const NhwcConvArgs& args, const PixelBlock& block, int64_t first, const float* weights,
                  int64_t width, Run<kRows>* runs) {
  const auto& s = args.shape;
  const int64_t channels = s.in_channels;
  PixelAt at(s, first);
  TileRows tile{0, channels};
  if (block.copy != nullptr) {
    const bool whole_rows = s.dilation_w == 1;
    const int64_t wide = whole_rows ? 1 : s.kernel_w;
    tile.length = whole_rows ? s.kernel_w * channels : channels;
    tile.runs = s.kernel_h * wide;
    for (int m = 0; m < kRows; ++m, at.Next(s)) {
      const float* from =
          block.copy + ((at.y - block.first_row) * s.stride_h * block.copy_w + at.x * s.stride_w) * channels;
      for (int64_t r = 0; r < tile.runs; ++r) {
        runs[r].rows[m] =
            from + (r / wide * s.dilation_h * block.copy_w + r % wide * s.dilation_w) * channels;
      }
    }
    for (int64_t r = 0; r < tile.runs; ++r) runs[r].weights = weights + r * tile.length * width;
    return tile;
  }
  const float* images[kRows];
  int64_t top[kRows], left[kRows];
  for (int m = 0; m < kRows; ++m, at.Next(s)) {
    images[m] = args.input + at.sample * s.in_plane() * channels;
    top[m] = at.y * s.stride_h - s.padding_h;
    left[m] = at.x * s.stride_w - s.padding_w;
  }
  for (int64_t tap = 0; tap < s.kernel_size(); ++tap) {
    auto& run = runs[tile.runs];
    bool any = false;
    for (int m = 0; m < kRows; ++m) {
      const int64_t y = top[m] + tap / s.kernel_w * s.dilation_h,
                    x = left[m] + tap % s.kernel_w * s.dilation_w;
      const bool inside = static_cast<uint64_t>(y) < static_cast<uint64_t>(s.in_h) &&
                          static_cast<uint64_t>(x) < static_cast<uint64_t>(s.in_w);
      run.rows[m] = inside ? images[m] + (y * s.in_w + x) * channels : block.zeros;
      any |= inside;
    }
    run.weights = weights + tap * channels * width;
    tile.runs += any;
  }
  return tile;
}

template <int kVecs>
void MultiplyBlock(const NhwcConvArgs& args, const PixelBlock& block, const ColumnPanel& panel,
                   const float* weights, void* runs) {
  const auto& s = args.shape;
  const int64_t columns = Min(kVecs * kLanes, s.out_channels - panel.first);
  ForEachRegisterTile(block.count, [&](auto rows, int64_t p) {
    auto* taken = static_cast<Run<rows()>*>(runs);
    const TileRows tile = TakeRows<rows()>(args, block, block.first + p, weights, kVecs * kLanes, taken);
    MultiplyTile<rows(), kVecs>(taken, tile, block.bias + panel.first, args.epilogue,
                                (block.first + p) * s.out_channels + panel.first, s.out_channels, columns,
                                args.output);
  });
}

int64_t CopiedRows(const DynamicConvShape& s, int64_t out_rows) {
  return (out_rows - 1) * s.stride_h + (s.kernel_h - 1) * s.dilation_h + 1;
}

// Copies the input of a block of output rows, with its padding.
void CopyInput(const NhwcConvArgs& args, const PixelBlock& block, float* copy, int32_t* pixels) {
  const auto& s = args.shape;
  const PixelAt at(s, block.first);
  const int64_t rows = CopiedRows(s, block.count / s.out_w);
  const int64_t top = at.y * s.stride_h - s.padding_h;
  const int64_t first = Max(0, top), last = Min(s.in_h, top + rows);
  if (s.padding_h > 0 || s.padding_w > 0)
    std::memset(copy, 0, rows * block.copy_w * s.in_channels * sizeof(float));
  if (last <= first) return;
  PaddedPixels(first, last, s.in_w, -top, s.padding_w, block.copy_w, pixels);
  ImageToRows(args.input + at.sample * args.input_strides.batch + first * s.in_w * args.input_strides.pixel,
              args.input_strides, s.in_channels, (last - first) * s.in_w, pixels, copy, s.in_channels);
}

// Size of the memory for the runs of a tile, in floats.
int64_t RunFloats(const DynamicConvShape& s) {
  return CeilDiv(s.kernel_size() * static_cast<int64_t>(sizeof(Run<kMaxRows>) / sizeof(float)), 16) * 16;
}

// Size of `columns` columns of the packed weights in floats. It gives the offset and the size of a panel.
int64_t PackedColumns(const DynamicConvShape& s, int64_t columns) {
  return columns * s.kernel_size() * s.in_channels;
}

// Gives the weights of a panel: as packed or, with several experts, mixed for a sample. The last mixed panel
// is kept, because successive blocks usually need the same.
class Weights {
 public:
  Weights(const NhwcConvArgs& args, float* mixed) : args_(args), mixed_(mixed) {}

  const float* Of(const ColumnPanel& panel, int64_t sample) {
    const auto& s = args_.shape;
    const float* packed = args_.packed + PackedColumns(s, panel.first);
    if (s.experts == 1) return packed;
    if (panel.first != mixed_first_ || sample != mixed_sample_) {
      MixExperts(packed, args_.attention + sample * s.experts, s.experts, args_.plan.packed, mixed_, 0,
                 PackedColumns(s, panel.vecs * kLanes));
      mixed_first_ = panel.first;
      mixed_sample_ = sample;
    }
    return mixed_;
  }

 private:
  const NhwcConvArgs& args_;
  float* mixed_;
  int64_t mixed_first_ = -1, mixed_sample_ = -1;
};

}  // namespace

NhwcConvPlan PlanNhwcConv(const DynamicConvShape& s, bool channels_last, int64_t threads) {
  NhwcConvPlan plan;
  const int64_t vecs = CeilDiv(s.out_channels, kLanes);
  plan.copies_input = !channels_last || (s.in_channels < kFewestChannels && s.kernel_w > 1);
  plan.panels = CeilDiv(vecs, kMaxVecs);
  // An even number of panels can be divided among two or four threads so that no panel is mixed by two of
  // them. Where the input is copied, the caller mixes the whole kernel before.
  if (s.experts > 1 && !plan.copies_input && plan.panels > 1 && plan.panels < vecs)
    plan.panels += plan.panels % 2;
  plan.packed = vecs * kLanes * s.kernel_size() * s.in_channels;
  plan.bias = vecs * kLanes;
  plan.panels_first = plan.packed > kCachedWeight;
  if (plan.copies_input) {
    // Blocks of rows; their number is a multiple of the number of threads unless it is large anyway.
    int64_t rows = Min(s.out_h, Max(1, 2 * kBlockPixels / s.out_w));
    while (rows > 1 && s.batch * CeilDiv(s.out_h, rows) % threads != 0 &&
           s.batch * CeilDiv(s.out_h, rows) < 8 * threads) {
      --rows;
    }
    plan.block_pixels = rows * s.out_w;
    plan.blocks = s.batch * CeilDiv(s.out_h, rows);
    plan.panels_first = false;
    plan.items = plan.blocks;
    plan.scratch = CopiedRows(s, rows) * ((s.in_w + 2 * s.padding_w) * s.in_channels + s.in_w);
  } else {
    const Blocks all(s);
    int64_t blocks = CeilDiv(all.pixels, kBlockPixels);
    const auto items = [&] { return all.parts * blocks * plan.panels; };
    while (items() % threads != 0 && items() < 8 * threads && 2 * blocks <= all.pixels) ++blocks;
    plan.block_pixels = CeilDiv(all.pixels, blocks);
    plan.blocks = all.parts * CeilDiv(all.pixels, plan.block_pixels);
    plan.items = plan.blocks * plan.panels;
    plan.scratch = CeilDiv(s.in_channels, kLanes) * kLanes;
    if (s.experts > 1) {
      plan.panels_first = true;
      plan.scratch += PackedColumns(s, Min(vecs, kMaxVecs) * kLanes);
    }
  }
  plan.scratch += RunFloats(s);
  return plan;
}

// [begin, end) is a range of panels.
void PackNhwcConv(const NhwcConvArgs& args, const float* weight, float* packed, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const int64_t taps = s.kernel_size();
  for (int64_t i = begin; i < end; ++i) {
    const ColumnPanel panel(i, args.plan.panels, s.out_channels);
    const int64_t width = panel.vecs * kLanes;
    float* to = packed + PackedColumns(s, panel.first);
    for (int64_t tap = 0; tap < taps; ++tap) {
      for (int64_t c = 0; c < s.in_channels; ++c) {
        for (int64_t j = 0; j < width; ++j) {
          const int64_t o = panel.first + j;
          *to++ = o < s.out_channels ? weight[(o * s.in_channels + c) * taps + tap] : 0.0f;
        }
      }
    }
  }
}

void NhwcConv(const NhwcConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  const auto& s = args.shape;
  const auto& plan = args.plan;
  // The scratch memory holds the runs of a tile, then zeros for padding or a copy of the input, then mixed
  // weights.
  Weights weights(args, scratch + RunFloats(s) + CeilDiv(s.in_channels, kLanes) * kLanes);
  const auto multiply = [&](const PixelBlock& block, int64_t index, int64_t sample, float* runs) {
    const ColumnPanel panel(index, plan.panels, s.out_channels);
    const float* packed = weights.Of(panel, sample);
    WithConstant<kMaxVecs>(panel.vecs,
                           [&](auto vecs) { MultiplyBlock<vecs()>(args, block, panel, packed, runs); });
  };
  if (plan.copies_input) {
    const int64_t rows = plan.block_pixels / s.out_w, strips = CeilDiv(s.out_h, rows);
    float* copy = scratch + RunFloats(s);
    for (int64_t item = begin; item < end; ++item) {
      const int64_t row = item % strips * rows;
      const int64_t copy_w = s.in_w + 2 * s.padding_w;
      const PixelBlock block{(item / strips * s.out_h + row) * s.out_w,
                             Min(rows, s.out_h - row) * s.out_w,
                             copy,
                             copy_w,
                             row,
                             nullptr,
                             args.epilogue.bias};
      CopyInput(args, block, copy,
                reinterpret_cast<int32_t*>(copy + CopiedRows(s, rows) * copy_w * s.in_channels));
      for (int64_t i = 0; i < plan.panels; ++i) multiply(block, i, 0, scratch);
    }
    return;
  }
  float* zeros = scratch + RunFloats(s);
  std::memset(zeros, 0, s.in_channels * sizeof(float));
  const Blocks all(s);
  const int64_t blocks = plan.blocks / all.parts;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t index = plan.panels_first ? item % plan.blocks : item / plan.panels;
    const int64_t panel = plan.panels_first ? item / plan.blocks : item % plan.panels;
    const int64_t part = index / blocks, first = index % blocks * plan.block_pixels;
    const PixelBlock block{part * all.pixels + first,
                           Min(plan.block_pixels, all.pixels - first),
                           nullptr,
                           0,
                           0,
                           zeros,
                           args.epilogue.bias + part * args.bias_stride};
    multiply(block, panel, part, scratch);
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
