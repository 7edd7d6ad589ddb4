// The gradients of the experts and of the attention, direct and at Winograd's points.
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/layout.h"
#include "kernels/cpu/mix.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// Rows of a weight gradient that are added to the experts' gradients (folded) at once; experts that are
// folded at once; pixels above which samples are folded one by one; and pixels up to which the next samples
// are prefetched.
constexpr int64_t kFoldRows = 3 * kMaxRows;
constexpr int64_t kFoldExperts = 2;
constexpr int64_t kManyPixels = 256;
constexpr int64_t kFewPixels = 8;

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

// Points at the end of a row or column of points belong to fewer tiles, and cost less. Points are taken in
// steps of 11, which has no common factor with their number, so that every thread gets an equal share of the
// work.
int64_t SpreadPoint(const WinogradTiling& tiling, int64_t i) { return tiling ? i * 11 % tiling.points() : i; }

Unit UnitAt(const DynamicConvArgs& args, int64_t index) {
  const auto& s = args.shape;
  const int64_t taps = s.kernel_size(), out = s.out_per_group(), tiles = CeilDiv(out, kTileRows);
  const int64_t panels = CeilDiv(s.in_per_group(), kPanel), panel = index / taps / tiles;
  Unit unit;
  unit.tap = index % taps;
  unit.channel = index / taps % tiles * kTileRows;
  unit.rows = Min(kTileRows, out - unit.channel);
  unit.panel = BackwardPanel(s, SpreadPoint(args.plan.winograd, panel / panels) * panels + panel % panels);
  unit.offset = unit.panel.offset + (unit.tap * out + unit.channel) * s.experts * unit.panel.width();
  return unit;
}

// What the gradient of a unit is summed over: the pixels its tap joins, or the tiles that have its point, of
// `samples` samples that follow each other without a gap.
PixelPairs UnitPairs(const DynamicConvArgs& args, const Unit& unit, int64_t samples, int32_t* inputs,
                     int32_t* outputs) {
  const auto& s = args.shape;
  if (!args.plan.winograd) return TapPairs(s, unit.tap, 0, s.out_h, {0, s.in_w}, inputs, outputs);
  return {inputs, inputs, args.plan.winograd.TilesAt(unit.panel.group, samples, inputs)};
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
  // The products of so few pixels take less time than reading the next sample from memory.
  if (pixels.count <= kFewPixels) {
    for (int64_t p = 0; p < pixels.count; ++p) {
      const float* next = input + 2 * of_input.sample + pixels.inputs[p] * of_input.pixel;
#pragma GCC unroll 8
      for (int i = 0; i < kVecs * kLanes; i += kLine) __builtin_prefetch(next + i);
      next = grad + 2 * of_grad.sample + pixels.outputs[p] * of_grad.pixel;
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

// Clears the columns beyond the last channel in `rows` rows of a weight gradient tile. They are products with
// the channels of other pixels or groups, and the experts are 0 there: for the attention's gradient, a
// product of 0 with a number that is not finite would be NaN.
template <int kVecs>
void ClearSurplus(int64_t columns, int64_t rows, float* tile) {
  const int64_t last = columns - (kVecs - 1) * kLanes;
  if (last == kLanes) return;
  for (int64_t r = 0; r < rows; ++r) {
    float* end = tile + (r * kVecs + kVecs - 1) * kLanes;
    Store(end, LoadPart(end, last));
  }
}

// The part of samples [first, first + kSamples) of the chunk in `rows` rows of a unit from row `r` on.
template <int kSamples, int kVecs>
void WeightRows(const DynamicConvArgs& args, const Unit& unit, int64_t r, int64_t rows, int64_t first,
                const PixelPairs& pixels, float* tiles, float* sums) {
  const auto& s = args.shape;
  const int64_t width = kVecs * kLanes;
  for (int64_t i = 0; i < kSamples; ++i) {
    float* tile = tiles + i * kFoldStride<kVecs>;
    SampleRows<kVecs>(args, unit, r, rows, first + i, pixels, tile, false);
    ClearSurplus<kVecs>(unit.panel.columns, rows, tile);
  }
  const int64_t at = unit.offset + r * s.experts * width, sample = args.chunk_begin + first;
  FoldRows<kSamples, kVecs>(tiles, args.attention + sample * s.experts, s.experts, rows,
                            args.packed_weight + at, args.packed_weight_grad + at,
                            sums + sample * s.experts * kLanes, args.skip_first_dot);
}

// The packed samples at the point after that of a unit: no cache above the third holds two points at once, so
// every unit of a point prefetches a part of the next.
struct NextPoint {
  const float* input = nullptr;
  const float* grad = nullptr;
  int64_t input_floats = 0, grad_floats = 0;
  Part part{0, 1};

  DYCONV_INLINE void Prefetch(const Part& inner) const {
    PrefetchPart(input, input_floats, part.of(inner));
    PrefetchPart(grad, grad_floats, part.of(inner));
  }
};

NextPoint NextPointOf(const DynamicConvArgs& args, int64_t unit, int64_t first, int64_t last) {
  const auto& winograd = args.plan.winograd;
  if (!winograd) return {};
  const int64_t units = args.plan.backward_units / winograd.points(), next = unit / units + 1;
  if (next == winograd.points()) return {};
  const auto &of_input = args.packed_input_strides, &of_grad = args.packed_grad_strides;
  const int64_t point = SpreadPoint(winograd, next);
  return {args.packed_input + point * of_input.group + first * of_input.sample,
          args.packed_grad + point * of_grad.group + first * of_grad.sample,
          (last - first) * of_input.sample,
          (last - first) * of_grad.sample,
          {unit % units, units}};
}

// Samples [first, last) of the chunk in one unit. A few rows of all experts stay in the cache for all
// samples, while the next rows, and what the next point needs, are on their way.
template <int kVecs>
void WeightUnit(const DynamicConvArgs& args, const Unit& unit, int64_t first, int64_t last,
                const PixelPairs& pixels, const NextPoint& next_point, float* tiles, float* sums) {
  const bool many_pixels = args.shape.out_plane() > kManyPixels;
  const int64_t row = args.shape.experts * kVecs * kLanes;
  for (int64_t r = 0; r < unit.rows; r += kFoldRows) {
    const int64_t rows = Min(kFoldRows, unit.rows - r), next = unit.offset + (r + rows) * row;
    int64_t sample = first;
    for (; !many_pixels && sample + kFoldSamples <= last; sample += kFoldSamples) {
      const Part part{(sample - first) / kFoldSamples, (last - first) / kFoldSamples};
      PrefetchPart(args.packed_weight + next, rows * row, part);
      PrefetchPart(args.packed_weight_grad + next, rows * row, part);
      next_point.Prefetch(Part{r / kFoldRows, CeilDiv(unit.rows, kFoldRows)}.of(part));
      WeightRows<kFoldSamples, kVecs>(args, unit, r, rows, sample, pixels, tiles, sums);
    }
    for (; !many_pixels && sample + 2 <= last; sample += 2) {
      WeightRows<2, kVecs>(args, unit, r, rows, sample, pixels, tiles, sums);
    }
    for (; sample < last; ++sample) WeightRows<1, kVecs>(args, unit, r, rows, sample, pixels, tiles, sums);
  }
}

// A static convolution has nothing to fold: its gradient is summed where it belongs. `pixels` are those of
// one sample, listed for `together` samples.
template <int kVecs>
void StaticWeightUnit(const DynamicConvArgs& args, const Unit& unit, int64_t first, int64_t last,
                      const PixelPairs& pixels, int64_t together) {
  for (int64_t r = 0; r < unit.rows; r += kFoldRows) {
    float* to = args.packed_weight_grad + unit.offset + r * kVecs * kLanes;
    for (int64_t sample = first; sample < last; sample += together) {
      const int64_t count = pixels.count * Min(together, last - sample);
      SampleRows<kVecs>(args, unit, r, Min(kFoldRows, unit.rows - r), sample,
                        {pixels.inputs, pixels.outputs, count}, to, true);
    }
  }
}

}  // namespace

void DynamicConvGradWeight(const DynamicConvArgs& args, int64_t begin, int64_t end, float* attention_sums,
                           float* scratch) {
  const auto& s = args.shape;
  float* tiles = scratch;
  int32_t* inputs = reinterpret_cast<int32_t*>(tiles + kFoldSamples * kFoldRows * kPanel);
  int32_t* outputs = inputs + s.out_plane();
  const int64_t block = args.plan.weight_samples;
  // Tiles of different samples follow each other, and with one kernel for all samples one product takes them.
  const int64_t together = args.is_static() && args.plan.winograd ? Max(1, kOuterPixels / s.out_plane()) : 1;
  for (int64_t first = 0; first < args.chunk_size; first += block) {
    const int64_t last = Min(first + block, args.chunk_size);
    for (int64_t i = begin; i < end; ++i) {
      const Unit unit = UnitAt(args, i);
      if (args.chunk_begin == 0 && first == 0) {
        std::memset(args.packed_weight_grad + unit.offset, 0,
                    unit.rows * s.experts * unit.panel.width() * sizeof(float));
      }
      const PixelPairs pixels = UnitPairs(args, unit, together, inputs, outputs);
      if (pixels.count == 0) continue;
      WithConstant<kMaxVecs>(unit.panel.vecs, [&](auto vecs) {
        if (args.is_static()) {
          StaticWeightUnit<vecs()>(args, unit, first, last, pixels, together);
        } else {
          WeightUnit<vecs()>(args, unit, first, last, pixels, NextPointOf(args, i, first, last), tiles,
                             attention_sums);
        }
      });
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
