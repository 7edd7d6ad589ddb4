// Convolutions of uint8 images with int8 weights. As in nhwc_conv.cc, a register tile is output pixels x
// output channels, and has a pointer to the input row of each of its pixels for every run. Of a dynamic
// convolution each thread mixes a panel for a sample, from experts and attention as int16, and quantizes it
// with its own scales.
#include "kernels/cpu/int8_round.h"

#include "kernels/cpu/int8_dot.h"
#include "kernels/cpu/int8_finish.h"
#include "kernels/cpu/int8_weights.h"
#include "kernels/cpu/pixel_at.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// From this number of channels, the rows of the input are read in place.
constexpr int64_t kFewestChannels = 16;
constexpr int64_t kBlockPixels = 16 * kMaxRows;
// Packed bytes that stay in the L2 cache next to a block.
constexpr int64_t kCachedWeight = 1 << 19;
// Vectors of a panel that is mixed: more panels are shared more evenly by threads.
constexpr int64_t kMixedVecs = 2;

int64_t Lines(int64_t bytes) { return CeilDiv(bytes, 64) * 64; }

int64_t CopiedHeight(const DynamicConvShape& s, int64_t out_rows) {
  return (out_rows - 1) * s.stride_h + (s.kernel_h - 1) * s.dilation_h + 1;
}
int64_t CopiedWidth(const DynamicConvShape& s) { return s.in_w + 2 * s.padding_w; }

// The parts of a thread's scratch memory, in bytes.
struct Int8Scratch {
  int64_t runs, input, mixed, packed, columns;

  Int8Scratch(const DynamicConvShape& s, const Int8ConvPlan& plan) {
    runs = Lines(plan.runs * static_cast<int64_t>(sizeof(Int8Run<kMaxRows>)));
    const int64_t rows = CopiedHeight(s, plan.block_pixels / s.out_w);
    // Four bytes are read at a time.
    input = Lines(plan.copies_input ? rows * CopiedWidth(s) * s.in_channels + 4 : s.in_channels);
    const bool mixes = s.experts > 0;
    mixed = s.experts > 2 ? Lines(RowsOf(plan) * kLanes * static_cast<int64_t>(sizeof(int32_t))) : 0;
    packed = mixes ? Lines(RowsOf(plan) * kMixedVecs * kLanes) : 0;
    columns = mixes ? Lines(kMixedVecs * kLanes * static_cast<int64_t>(sizeof(float))) : 0;
  }
  int64_t Total() const { return runs + input + mixed + packed + 2 * columns; }
};

// A block of output pixels of one or more samples, counted over all of them.
struct Int8Block {
  int64_t first, count;
  const uint8_t* input;  // the copy, or a row of zero points
  int64_t first_row;     // output row at which the copy begins
};

// The runs of a tile. Padding is a row of zero points: none is left out, as the zero point is subtracted for
// all weights.
template <int kRows>
void TakeInt8Rows(const Int8ConvArgs& args, const Int8Block& block, int64_t first, const int8_t* weights,
                  int64_t width, Int8Run<kRows>* runs) {
  const auto& s = args.shape;
  const auto& plan = args.plan;
  const int64_t channels = s.in_channels, wide = plan.runs / s.kernel_h;
  for (int64_t r = 0; r < plan.runs; ++r) runs[r].weights = weights + r * plan.groups * 4 * width;
  PixelAt at(s, first);
  for (int m = 0; m < kRows; ++m, at.Next(s)) {
    if (plan.copies_input) {
      const int64_t copied = CopiedWidth(s);
      const uint8_t* from =
          block.input + ((at.y - block.first_row) * s.stride_h * copied + at.x * s.stride_w) * channels;
      for (int64_t r = 0; r < plan.runs; ++r)
        runs[r].rows[m] = from + (r / wide * s.dilation_h * copied + r % wide * s.dilation_w) * channels;
      continue;
    }
    const uint8_t* image = args.input + at.sample * s.in_plane() * channels;
    const int64_t top = at.y * s.stride_h - s.padding_h, left = at.x * s.stride_w - s.padding_w;
    int64_t r = 0;
    for (int64_t i = 0; i < s.kernel_h; ++i) {
      const int64_t y = top + i * s.dilation_h;
      const bool in_rows = static_cast<uint64_t>(y) < static_cast<uint64_t>(s.in_h);
      for (int64_t j = 0; j < s.kernel_w; ++j, ++r) {
        const int64_t x = left + j * s.dilation_w;
        const bool inside = in_rows && static_cast<uint64_t>(x) < static_cast<uint64_t>(s.in_w);
        runs[r].rows[m] = inside ? image + (y * s.in_w + x) * channels : block.input;
      }
    }
  }
}

template <int kVecs>
void MultiplyBlock(const Int8ConvArgs& args, const Int8Block& block, const Int8Panel& panel,
                   const Int8Weights& weights, const float* bias, void* memory) {
  const int64_t width = kVecs * kLanes, columns = Min(width, args.shape.out_channels - panel.first);
  const int64_t step = args.shape.out_channels;
  const Finish finish(args, weights, bias + panel.first);
  alignas(64) int32_t sums[kMaxRows * kVecs * kLanes];
  ForEachRegisterTile(block.count, [&](auto rows, int64_t p) {
    auto* runs = static_cast<Int8Run<rows()>*>(memory);
    TakeInt8Rows<rows()>(args, block, block.first + p, weights.packed, width, runs);
    MultiplyInt8<rows(), kVecs>(runs, args.plan.runs, args.plan.groups, sums);
    const int64_t at = (block.first + p) * step + panel.first;
    WithActivation(args.activation, [&](auto activation) {
      if (args.output8 != nullptr) {
        FinishRows<activation()>(finish, sums, rows(), width, at, step, columns, args.output8);
      } else {
        FinishRows<activation()>(finish, sums, rows(), width, at, step, columns, args.output);
      }
    });
  });
}

// Copies the input of a block of output rows, with its padding.
void CopyInput(const Int8ConvArgs& args, const Int8Block& block, uint8_t* copy) {
  const auto& s = args.shape;
  const PixelAt at(s, block.first);
  const int64_t rows = CopiedHeight(s, block.count / s.out_w), width = CopiedWidth(s) * s.in_channels;
  const int64_t top = at.y * s.stride_h - s.padding_h, line = s.in_w * s.in_channels;
  std::memset(copy, args.input_zero, rows * width + 4);
  const uint8_t* image = args.input + at.sample * s.in_plane() * s.in_channels;
  for (int64_t y = Max(0, -top); y < rows && top + y < s.in_h; ++y)
    std::memcpy(copy + y * width + s.padding_w * s.in_channels, image + (top + y) * line, line);
}

}  // namespace

Int8ConvPlan PlanInt8Conv(const DynamicConvShape& s, int64_t threads) {
  Int8ConvPlan plan;
  const int64_t vecs = CeilDiv(s.out_channels, kLanes);
  plan.copies_input = s.in_channels % 4 != 0 || (s.in_channels < kFewestChannels && s.kernel_w > 1);
  const bool whole_rows = plan.copies_input && s.dilation_w == 1;
  plan.runs = whole_rows ? s.kernel_h : s.kernel_size();
  plan.length = whole_rows ? s.kernel_w * s.in_channels : s.in_channels;
  plan.groups = CeilDiv(plan.length, 4);
  plan.vectors = vecs;
  plan.columns = vecs * kLanes;
  plan.packed = RowsOf(plan) * plan.columns;
  plan.experts = CeilDiv(s.experts, 2) * 2 * plan.packed;
  if (s.experts > 0) {
    // Items are the panels of a sample.
    plan.panels = CeilDiv(vecs, kMixedVecs);
    plan.block_pixels = s.out_plane();
    plan.blocks = s.batch;
    plan.items = plan.blocks * plan.panels;
  } else if (plan.copies_input) {
    // Items are blocks of rows, with all panels.
    plan.panels = CeilDiv(vecs, kMaxVecs);
    int64_t rows = Min(s.out_h, Max(1, 2 * kBlockPixels / Max(1, s.out_w)));
    while (rows > 1 && s.batch * CeilDiv(s.out_h, rows) % threads != 0 &&
           s.batch * CeilDiv(s.out_h, rows) < 8 * threads) {
      --rows;
    }
    plan.block_pixels = rows * s.out_w;
    plan.blocks = s.batch * CeilDiv(s.out_h, rows);
    plan.items = plan.blocks;
  } else {
    plan.panels = CeilDiv(vecs, kMaxVecs);
    const int64_t pixels = s.batch * s.out_plane();
    int64_t blocks = Max(1, CeilDiv(pixels, kBlockPixels));
    while (blocks * plan.panels % threads != 0 && blocks * plan.panels < 8 * threads && 2 * blocks <= pixels)
      ++blocks;
    plan.block_pixels = Max(1, CeilDiv(pixels, blocks));
    plan.blocks = CeilDiv(pixels, plan.block_pixels);
    plan.panels_first = plan.packed > kCachedWeight;
    plan.items = plan.blocks * plan.panels;
  }
  plan.scratch = Int8Scratch(s, plan).Total();
  return plan;
}

void Int8Conv(const Int8ConvArgs& args, int64_t begin, int64_t end, uint8_t* scratch) {
  const auto& s = args.shape;
  const auto& plan = args.plan;
  const Int8Scratch parts(s, plan);
  uint8_t* input = scratch + parts.runs;
  uint8_t* mixed = input + parts.input;
  uint8_t* packed = mixed + parts.mixed;
  const Int8Weights own{reinterpret_cast<int8_t*>(packed), reinterpret_cast<float*>(packed + parts.packed),
                        reinterpret_cast<int32_t*>(packed + parts.packed + parts.columns)};
  const auto multiply = [&](const Int8Block& block, int64_t index, int64_t sample) {
    const Int8Panel panel(plan, index);
    Int8Weights weights = own;
    if (s.experts > 0) {
      MixPanel(args, panel, sample, reinterpret_cast<int32_t*>(mixed), own);
    } else {
      weights = {args.weights.packed + panel.first * RowsOf(plan), args.weights.scales + panel.first,
                 args.weights.sums + panel.first};
    }
    WithConstant<kMaxVecs>(panel.vecs, [&](auto vecs) {
      MultiplyBlock<vecs()>(args, block, panel, weights, args.bias + sample * args.bias_stride, scratch);
    });
  };
  if (!plan.copies_input) std::memset(input, args.input_zero, s.in_channels);
  const int64_t rows = plan.block_pixels / s.out_w, strips = CeilDiv(s.out_h, Max(1, rows));
  int64_t copied = -1;  // the sample whose copy is in `input`
  for (int64_t item = begin; item < end; ++item) {
    if (s.experts > 0) {
      const int64_t sample = item / plan.panels;
      const Int8Block block{sample * s.out_plane(), s.out_plane(), input, 0};
      if (plan.copies_input && sample != copied) CopyInput(args, block, input);
      copied = sample;
      multiply(block, item % plan.panels, sample);
    } else if (plan.copies_input) {
      const int64_t row = item % strips * rows;
      const Int8Block block{(item / strips * s.out_h + row) * s.out_w, Min(rows, s.out_h - row) * s.out_w,
                            input, row};
      CopyInput(args, block, input);
      for (int64_t i = 0; i < plan.panels; ++i) multiply(block, i, 0);
    } else {
      const int64_t index = plan.panels_first ? item % plan.blocks : item / plan.panels;
      const int64_t panel = plan.panels_first ? item / plan.blocks : item % plan.panels;
      const int64_t first = index * plan.block_pixels;
      multiply({first, Min(plan.block_pixels, s.batch * s.out_plane() - first), input, 0}, panel, 0);
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
