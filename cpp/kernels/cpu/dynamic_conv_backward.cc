#include "layout.h"
#include "mix.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// Rows of a weight gradient that are folded at once, pixels that are multiplied before the accumulators are
// stored, and pixels of a sample above which samples are folded one by one.
constexpr int64_t kFoldRows = 3 * kMaxRows;
constexpr int64_t kFoldExperts = 2;
constexpr int64_t kOuterPixels = 128;
constexpr int64_t kManyPixels = 256;
constexpr int64_t kFewPixels = 8;
constexpr int64_t kInputPixels = 1024;

// What GradInput needs for one block of samples.
struct InputBlock {
  int64_t first, samples;  // within the chunk
  float* sums;             // [samples, input plane, panel]
  float* mixed;            // [kMixSamples, kTileRows, panel]
  int32_t* inputs;         // the pixels of one tap
  int32_t* outputs;
};

template <int kVecs>
void InputPanel(const DynamicConvArgs& args, const InputBlock& b, const Panel& panel) {
  const auto& s = args.shape;
  const int64_t out = s.out_per_group(), width = kVecs * kLanes, taps = s.kernel_size();
  const int64_t plane = s.in_plane() * width, strip = Max(1, kInputPixels / s.out_w);
  const int64_t no_offset = 0;
  bool accumulate = false;
  for (int64_t y = 0; y < s.out_h; y += strip) {
    for (int64_t channel = 0; channel < out; channel += kTileRows) {
      const int64_t rows = Min(kTileRows, out - channel);
      for (int64_t i = 0; i < taps; ++i) {
        const int64_t tap = (i + taps / 2) % taps;  // the middle one first: it usually has all pixels
        const PixelPairs pixels =
            TapPairs(s, tap, y, Min(y + strip, s.out_h), {0, s.in_w}, b.inputs, b.outputs);
        if (!accumulate && pixels.count < s.in_plane()) {
          std::memset(b.sums, 0, b.samples * plane * sizeof(float));
          accumulate = true;
        }
        if (pixels.count == 0) continue;
        const float* tile = args.packed_weight + panel.offset + (tap * out + channel) * s.experts * width;
        const int64_t column = y * s.out_w * s.out_channels + panel.group * out + channel;
        MixAndMultiply<kVecs>(tile, args.mixture_of(args.chunk_begin + b.first), b.samples, b.mixed,
                              pixels.outputs, pixels.inputs, pixels.count, [&](int64_t n) {
                                const float* grad = args.packed_grad + (b.first + n) * args.plan.packed_grad;
                                return GemmTask{grad + column, s.out_channels, &no_offset,         1,
                                                rows,          nullptr,        b.sums + n * plane, width,
                                                accumulate};
                              });
        accumulate = true;
      }
    }
  }
}

// Floats between the weight gradient tiles of two samples.
template <int kVecs>
constexpr int64_t kFoldStride = kFoldRows * kVecs * kLanes;

// Adds the gradients of one tile of mixed weights, one per sample and kFoldStride apart, to those of kExperts
// of the `experts` and, times these experts from kFirstDot on, to the attention's (kLanes partial sums each).
template <int kSamples, int kVecs, int kExperts, int kFirstDot>
void FoldExperts(const float* tiles, const float* attention, int64_t experts, int64_t rows,
                 const float* packed, float* packed_grad, float* sums) {
  Vec dot[kSamples][kExperts];
  float a[kSamples][kExperts];
#pragma GCC unroll 8
  for (int s = 0; s < kSamples; ++s) {
#pragma GCC unroll 8
    for (int k = 0; k < kExperts; ++k) {
      dot[s][k] = Load(sums + (s * experts + k) * kLanes);
      a[s][k] = attention[s * experts + k];
    }
  }
  const int64_t step = experts * kVecs * kLanes;
  for (int64_t r = 0; r < rows; ++r, tiles += kVecs * kLanes, packed += step, packed_grad += step) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      Vec tile[kSamples];
#pragma GCC unroll 8
      for (int s = 0; s < kSamples; ++s) tile[s] = Load(tiles + s * kFoldStride<kVecs> + v * kLanes);
#pragma GCC unroll 8
      for (int k = 0; k < kExperts; ++k) {
        const Vec w = k < kFirstDot ? Vec{} : Load(packed + (k * kVecs + v) * kLanes);
        Vec grad = Load(packed_grad + (k * kVecs + v) * kLanes);
#pragma GCC unroll 8
        for (int s = 0; s < kSamples; ++s) {
          grad += a[s][k] * tile[s];
          if (k >= kFirstDot) dot[s][k] += tile[s] * w;
        }
        Store(packed_grad + (k * kVecs + v) * kLanes, grad);
      }
    }
  }
#pragma GCC unroll 8
  for (int s = 0; s < kSamples; ++s) {
#pragma GCC unroll 8
    for (int k = kFirstDot; k < kExperts; ++k) Store(sums + (s * experts + k) * kLanes, dot[s][k]);
  }
}

template <int kSamples, int kVecs>
void FoldRows(const float* tiles, const float* attention, int64_t experts, int64_t rows, const float* packed,
              float* packed_grad, float* sums, bool skip_first_dot) {
  for (int64_t k = 0; k < experts; k += kFoldExperts) {
    const int64_t at = k * kVecs * kLanes;
    const auto fold = [&](auto n, auto first_dot) {
      FoldExperts<kSamples, kVecs, n(), first_dot()>(tiles, attention + k, experts, rows, packed + at,
                                                     packed_grad + at, sums + k * kLanes);
    };
    WithConstant<kFoldExperts>(Min(kFoldExperts, experts - k), [&](auto n) {
      if (skip_first_dot && k == 0) {
        fold(n, std::integral_constant<int, 1>());
      } else {
        fold(n, std::integral_constant<int, 0>());
      }
    });
  }
}

// One tile of the weight gradient: rows of one tap x one panel.
struct Unit {
  Panel panel;
  int64_t tap, channel, rows;
  int64_t offset;  // of its first row in the packed experts
};

Unit UnitAt(const DynamicConvShape& s, int64_t index) {
  const int64_t taps = s.kernel_size(), out = s.out_per_group(), tiles = CeilDiv(out, kTileRows);
  Unit unit;
  unit.tap = index % taps;
  unit.channel = index / taps % tiles * kTileRows;
  unit.rows = Min(kTileRows, out - unit.channel);
  unit.panel = BackwardPanel(s, index / taps / tiles);
  unit.offset = unit.panel.offset + (unit.tap * out + unit.channel) * s.experts * unit.panel.width();
  return unit;
}

// to (+)= the gradient of one sample's weights in `rows` rows of a unit from row `r` on.
template <int kVecs>
void SampleRows(const DynamicConvArgs& args, const Unit& unit, int64_t r, int64_t rows, int64_t sample,
                const PixelPairs& pixels, float* to, bool accumulate) {
  const auto &of_grad = args.packed_grad_strides, &of_input = args.packed_input_strides;
  const float* grad =
      args.packed_grad + sample * of_grad.sample + unit.panel.group * of_grad.group + unit.channel + r;
  const float* input = args.packed_input + sample * of_input.sample + unit.panel.group * of_input.group +
                       unit.panel.first_column;
  // So few pixels are done before the next sample's have come.
  if (pixels.count <= kFewPixels) {
    for (int64_t p = 0; p < pixels.count; ++p) {
      const float* next = input + of_input.sample + pixels.inputs[p] * of_input.pixel;
      for (int v = 0; v < kVecs; ++v) __builtin_prefetch(next + v * kLanes);
      next = grad + of_grad.sample + pixels.outputs[p] * of_grad.pixel;
      __builtin_prefetch(next);
      __builtin_prefetch(next + rows - 1);
    }
  }
  for (int64_t p = 0; p < pixels.count; p += kOuterPixels) {
    OuterTask task{grad,
                   of_grad.pixel,
                   pixels.outputs + p,
                   input,
                   of_input.pixel,
                   pixels.inputs + p,
                   Min(kOuterPixels, pixels.count - p),
                   to,
                   accumulate || p > 0};
    int64_t m = 0;
    for (; m + kMaxRows <= rows; m += kMaxRows, task.a += kMaxRows, task.c += kMaxRows * kVecs * kLanes) {
      OuterTile<kMaxRows, kVecs>(task);
    }
    if (m < rows) WithConstant<kMaxRows>(rows - m, [&](auto n) { OuterTile<n(), kVecs>(task); });
  }
}

// The part of samples [first, first + kSamples) of the chunk in `rows` rows of a unit from row `r` on.
template <int kSamples, int kVecs>
void WeightRows(const DynamicConvArgs& args, const Unit& unit, int64_t r, int64_t rows, int64_t first,
                const PixelPairs& pixels, float* tiles, float* sums) {
  const auto& s = args.shape;
  const int64_t width = kVecs * kLanes;
  for (int64_t i = 0; i < kSamples; ++i) {
    SampleRows<kVecs>(args, unit, r, rows, first + i, pixels, tiles + i * kFoldStride<kVecs>, false);
  }
  const int64_t at = unit.offset + r * s.experts * width, sample = args.chunk_begin + first;
  FoldRows<kSamples, kVecs>(tiles, args.attention + sample * s.experts, s.experts, rows,
                            args.packed_weight + at, args.packed_weight_grad + at,
                            sums + sample * s.experts * kLanes, args.skip_first_dot);
}

// Samples [first, last) of the chunk in one unit. A few rows of all experts stay in the cache for all
// samples. A static convolution has nothing to fold: its gradient is summed where it belongs.
template <int kVecs>
void WeightUnit(const DynamicConvArgs& args, const Unit& unit, int64_t first, int64_t last,
                const PixelPairs& pixels, float* tiles, float* sums) {
  const bool many_pixels = args.shape.out_plane() > kManyPixels;
  for (int64_t r = 0; r < unit.rows; r += kFoldRows) {
    const int64_t rows = Min(kFoldRows, unit.rows - r);
    int64_t sample = first;
    if (args.is_static()) {
      float* to = args.packed_weight_grad + unit.offset + r * kVecs * kLanes;
      for (; sample < last; ++sample) SampleRows<kVecs>(args, unit, r, rows, sample, pixels, to, true);
    }
    for (; !many_pixels && sample + kFoldSamples <= last; sample += kFoldSamples) {
      WeightRows<kFoldSamples, kVecs>(args, unit, r, rows, sample, pixels, tiles, sums);
    }
    for (; !many_pixels && sample + 2 <= last; sample += 2) {
      WeightRows<2, kVecs>(args, unit, r, rows, sample, pixels, tiles, sums);
    }
    for (; sample < last; ++sample) WeightRows<1, kVecs>(args, unit, r, rows, sample, pixels, tiles, sums);
  }
}

}  // namespace

void PackBackwardSamples(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  const auto& s = args.shape;
  int32_t* identity = reinterpret_cast<int32_t*>(scratch);
  Iota(Max(s.in_plane(), s.out_plane()), identity);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t sample = args.chunk_begin + i;
    float* input = args.packed_input + i * args.plan.packed_input;
    std::memset(input + args.plan.packed_input - kPanel, 0, kPanel * sizeof(float));
    ImageToRows(args.input + sample * args.input_strides.batch, args.input_strides, s.in_channels,
                s.in_plane(), identity, input, s.in_channels);
    float* grad = args.packed_grad + i * args.plan.packed_grad;
    ImageToRows(args.grad_output + sample * args.grad_output_strides.batch, args.grad_output_strides,
                s.out_channels, s.out_plane(), identity, grad, s.out_channels);
    float* sums = args.grad_output_sums + sample * s.out_channels;
    std::memset(sums, 0, s.out_channels * sizeof(float));
    for (int64_t p = 0; p < s.out_plane(); ++p) {
      for (int64_t o = 0; o < s.out_channels; ++o) sums[o] += grad[p * s.out_channels + o];
    }
  }
}

void DynamicConvGradInput(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  const auto& s = args.shape;
  float* zeros = scratch;
  float* mixed = zeros + kPanel;
  float* sums = mixed + kMixSamples * kTileRows * kPanel;
  const int64_t plane = s.in_plane();
  int32_t* identity = reinterpret_cast<int32_t*>(sums + args.plan.backward_samples * plane * kPanel);
  int32_t* inputs = identity + plane;
  int32_t* outputs = inputs + s.out_plane();
  std::memset(zeros, 0, kPanel * sizeof(float));
  Iota(plane, identity);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item * args.plan.backward_samples;
    const InputBlock block{
        first, Min(args.plan.backward_samples, args.chunk_size - first), sums, mixed, inputs, outputs};
    for (int64_t i = 0; i < args.plan.backward_panels; ++i) {
      const Panel panel = BackwardPanel(s, i);
      WithConstant<kMaxVecs>(panel.vecs, [&](auto vecs) { InputPanel<vecs()>(args, block, panel); });
      const auto& strides = args.grad_input_strides;
      const int64_t channel = panel.group * s.in_per_group() + panel.first_column;
      for (int64_t j = 0; j < block.samples; ++j) {
        RowsToImage(
            sums + j * plane * panel.width(), panel.width(), identity, zeros, panel.columns, plane,
            args.grad_input + (args.chunk_begin + first + j) * strides.batch + channel * strides.channel,
            strides);
      }
    }
  }
}

void DynamicConvGradWeight(const DynamicConvArgs& args, int64_t begin, int64_t end, float* attention_sums,
                           float* scratch) {
  const auto& s = args.shape;
  float* tiles = scratch;
  int32_t* inputs = reinterpret_cast<int32_t*>(tiles + kFoldSamples * kFoldRows * kPanel);
  int32_t* outputs = inputs + s.out_plane();
  const int64_t block = args.plan.weight_samples;
  for (int64_t first = 0; first < args.chunk_size; first += block) {
    const int64_t last = Min(first + block, args.chunk_size);
    for (int64_t i = begin; i < end; ++i) {
      const Unit unit = UnitAt(s, i);
      if (args.chunk_begin == 0 && first == 0) {
        std::memset(args.packed_weight_grad + unit.offset, 0,
                    unit.rows * s.experts * unit.panel.width() * sizeof(float));
      }
      const PixelPairs pixels = TapPairs(s, unit.tap, 0, s.out_h, {0, s.in_w}, inputs, outputs);
      if (pixels.count == 0) continue;
      WithConstant<kMaxVecs>(unit.panel.vecs, [&](auto vecs) {
        WeightUnit<vecs()>(args, unit, first, last, pixels, tiles, attention_sums);
      });
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
