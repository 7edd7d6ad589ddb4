// Depthwise convolution, static and dynamic. A plane is kept flat, rows one after the other with their
// padding, so that a tap is a shift of the whole plane and every product below is a loop over long
// unit-stride vectors. Strides split the padded plane into stride_h x stride_w phases (rows and columns by
// remainder), within which taps are shifts again.
#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/layout.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// Vectors that are multiplied at once. There must be enough independent sums to hide the latency of a
// multiply-add: narrow vectors need more of them, if there are enough registers.
constexpr int kUnroll = kLanes == 4 && kMaxVecs * kMaxRows > 16 ? 8 : 4;

struct Layout {
  int64_t taps, lanes;       // taps, and rounded up to whole vectors
  int64_t multiplier;        // output channels per input channel
  int64_t phase_h, phase_w;  // rows and columns of a phase
  int64_t phase;             // floats of a phase, whole blocks of vectors
  int64_t phases;
  int64_t flat;    // floats of an output plane with rows of phase_w, without what follows its last pixel
  int64_t reach;   // of the last tap within a phase: zeros in front of a gradient plane
  int64_t padded;  // floats of all phases and of what whole vectors read beyond them

  DYCONV_INLINE explicit Layout(const DynamicConvShape& s) {
    taps = s.kernel_size();
    lanes = CeilDiv(taps, kLanes) * kLanes;
    multiplier = s.out_per_group();
    phase_h = CeilDiv(s.in_h + 2 * s.padding_h, s.stride_h);
    phase_w = CeilDiv(s.in_w + 2 * s.padding_w, s.stride_w);
    phase = CeilDiv(phase_h * phase_w, kUnroll * kLanes) * kUnroll * kLanes;
    phases = s.stride_h * s.stride_w;
    flat = (s.out_h - 1) * phase_w + s.out_w;
    reach =
        (s.kernel_h - 1) * s.dilation_h / s.stride_h * phase_w + (s.kernel_w - 1) * s.dilation_w / s.stride_w;
    padded = CeilDiv(phases * phase + kUnroll * kLanes, 16) * 16;
  }
};

// Where a tap finds its inputs: in which phase, and how far from the output pixel of the same index.
struct Tap {
  int64_t phase, shift;
};

DYCONV_INLINE Tap TapAt(const DynamicConvShape& s, const Layout& l, int64_t t) {
  const int64_t y = t / s.kernel_w * s.dilation_h, x = t % s.kernel_w * s.dilation_w;
  return {y % s.stride_h * s.stride_w + x % s.stride_w, y / s.stride_h * l.phase_w + x / s.stride_w};
}

DYCONV_INLINE void CopyRow(const float* from, int64_t count, float* to) {
  int64_t i = 0;
  for (; i + kLanes <= count; i += kLanes) Store(to + i, Load(from + i));
  if (i < count) StorePart(to + i, LoadPart(from + i, count - i), count - i);
}

// The lanes of a and b by remainder modulo 2.
template <int kRemainder, int... kJ>
DYCONV_INLINE Vec EverySecond(Vec a, Vec b, std::integer_sequence<int, kJ...>) {
  return Shuffle<(2 * kJ + kRemainder)...>(a, b);
}

// Vector kPart of a[0], b[0], a[1], b[1], ...
template <int kPart, int... kJ>
DYCONV_INLINE Vec Alternating(Vec a, Vec b, std::integer_sequence<int, kJ...>) {
  return Shuffle<(kPart * kLanes / 2 + kJ / 2 + (kJ % 2) * kLanes)...>(a, b);
}

constexpr auto kOrder = std::make_integer_sequence<int, kLanes>();

// even[i] = row[2 i] and odd[i] = row[2 i + 1].
DYCONV_INLINE void SplitRow(const float* row, int64_t count, float* even, float* odd) {
  for (; count >= 2 * kLanes; count -= 2 * kLanes, row += 2 * kLanes, even += kLanes, odd += kLanes) {
    const Vec a = Load(row), b = Load(row + kLanes);
    Store(even, EverySecond<0>(a, b, kOrder));
    Store(odd, EverySecond<1>(a, b, kOrder));
  }
  if (count == 0) return;
  const Vec a = LoadPart(row, Min(count, kLanes));
  const Vec b = count > kLanes ? LoadPart(row + kLanes, count - kLanes) : Vec{};
  StorePart(even, EverySecond<0>(a, b, kOrder), (count + 1) / 2);
  if (count > 1) StorePart(odd, EverySecond<1>(a, b, kOrder), count / 2);
}

// The reverse.
DYCONV_INLINE void JoinRow(const float* even, const float* odd, int64_t count, float* row) {
  for (; count >= 2 * kLanes; count -= 2 * kLanes, row += 2 * kLanes, even += kLanes, odd += kLanes) {
    const Vec a = Load(even), b = Load(odd);
    Store(row, Alternating<0>(a, b, kOrder));
    Store(row + kLanes, Alternating<1>(a, b, kOrder));
  }
  if (count == 0) return;
  const Vec a = LoadPart(even, (count + 1) / 2), b = count > 1 ? LoadPart(odd, count / 2) : Vec{};
  StorePart(row, Alternating<0>(a, b, kOrder), Min(count, kLanes));
  if (count > kLanes) StorePart(row + kLanes, Alternating<1>(a, b, kOrder), count - kLanes);
}

// The first number of row y of an image within the phases, and a column of it.
template <typename T>
DYCONV_INLINE T* RowOf(const DynamicConvShape& s, const Layout& l, int64_t y, T* phases) {
  const int64_t py = y + s.padding_h;
  return phases + py % s.stride_h * s.stride_w * l.phase + py / s.stride_h * l.phase_w;
}
DYCONV_INLINE int64_t ColumnOf(const DynamicConvShape& s, const Layout& l, int64_t x) {
  const int64_t px = x + s.padding_w;
  return px % s.stride_w * l.phase + px / s.stride_w;
}

// Image plane -> phases. Padding is not written: it is zeroed once for all planes.
void SplitPlane(const DynamicConvShape& s, const Layout& l, const float* image, float* phases) {
  for (int64_t y = 0; y < s.in_h; ++y) {
    float* row = RowOf(s, l, y, phases);
    const float* from = image + y * s.in_w;
    if (s.stride_w == 1) {
      CopyRow(from, s.in_w, row + s.padding_w);
    } else if (s.stride_w == 2) {
      SplitRow(from, s.in_w, row + ColumnOf(s, l, 0), row + ColumnOf(s, l, 1));
    } else {
      for (int64_t x = 0; x < s.in_w; ++x) row[ColumnOf(s, l, x)] = from[x];
    }
  }
}

void JoinPlane(const DynamicConvShape& s, const Layout& l, const float* phases, float* image) {
  for (int64_t y = 0; y < s.in_h; ++y) {
    const float* row = RowOf(s, l, y, phases);
    float* to = image + y * s.in_w;
    if (s.stride_w == 1) {
      CopyRow(row + s.padding_w, s.in_w, to);
    } else if (s.stride_w == 2) {
      JoinRow(row + ColumnOf(s, l, 0), row + ColumnOf(s, l, 1), s.in_w, to);
    } else {
      for (int64_t x = 0; x < s.in_w; ++x) to[x] = row[ColumnOf(s, l, x)];
    }
  }
}

// to[i] = start(i) + sum over taps of weights[t] * sources[t][i], whole blocks of vectors, at least `count`
// floats.
template <bool kAccumulate>
void Correlate(const float* const* sources, const float* weights, int64_t taps, float start, int64_t count,
               float* to) {
  for (int64_t i = 0; i < count; i += kUnroll * kLanes) {
    Vec acc[kUnroll];
#pragma GCC unroll 8
    for (int v = 0; v < kUnroll; ++v) acc[v] = kAccumulate ? Load(to + i + v * kLanes) : Set1(start);
    for (int64_t t = 0; t < taps; ++t) {
      const Vec w = Set1(weights[t]);
#pragma GCC unroll 8
      for (int v = 0; v < kUnroll; ++v) acc[v] += w * Load(sources[t] + i + v * kLanes);
    }
#pragma GCC unroll 8
    for (int v = 0; v < kUnroll; ++v) Store(to + i + v * kLanes, acc[v]);
  }
}

// acc[t] = sum over i of grad[i] * sources[t][i], for kTaps taps from `sources`, whole vectors, at least
// `count` products.
template <int kTaps>
DYCONV_INLINE void CorrelateTaps(const float* const* sources, const float* grad, int64_t count, Vec* acc) {
  constexpr int kSums = kUnroll / 4;  // of each tap
  Vec sums[kSums][kTaps] = {};
  for (int64_t i = 0; i < count; i += kSums * kLanes) {
#pragma GCC unroll 2
    for (int n = 0; n < kSums; ++n) {
      const Vec g = Load(grad + i + n * kLanes);
#pragma GCC unroll 16
      for (int t = 0; t < kTaps; ++t) sums[n][t] += g * Load(sources[t] + i + n * kLanes);
    }
  }
#pragma GCC unroll 16
  for (int t = 0; t < kTaps; ++t) acc[t] = kSums == 2 ? sums[0][t] + sums[kSums - 1][t] : sums[0][t];
}

Vec TapSums(const float* const* sources, int64_t taps, const float* grad, int64_t count) {
  Vec acc[kLanes] = {};
  if (kLanes > 9 && taps == 9) {
    CorrelateTaps < kLanes<9 ? kLanes : 9>(sources, grad, count, acc);
  } else {
    int64_t t = 0;
    for (; t + 4 <= taps; t += 4) CorrelateTaps<4>(sources + t, grad, count, acc + t);
    for (; t < taps; ++t) CorrelateTaps<1>(sources + t, grad, count, acc + t);
  }
  return SumEach(acc);
}

// The gradient of one tap, summed over those pixels alone that the tap joins.
float TapSum(const DynamicConvShape& s, int64_t tap, const float* image, const float* grad) {
  const int64_t top = tap / s.kernel_w * s.dilation_h - s.padding_h;
  const int64_t left = tap % s.kernel_w * s.dilation_w - s.padding_w;
  float sum = 0;
  for (int64_t y = 0; y < s.out_h; ++y) {
    const int64_t in_y = y * s.stride_h + top;
    if (in_y < 0 || in_y >= s.in_h) continue;
    for (int64_t x = 0; x < s.out_w; ++x) {
      const int64_t in_x = x * s.stride_w + left;
      if (in_x >= 0 && in_x < s.in_w) sum += grad[y * s.out_w + x] * image[in_y * s.in_w + in_x];
    }
  }
  return sum;
}

// TapSums also multiplies the zeros between the rows of the gradient with pixels, and padding with the
// gradient. Such a product is 0 or, with a number that is not finite, NaN: sums that are not finite are
// computed again without them. `sums` are those of `taps` taps from `first` on.
void RepeatNotFinite(const DynamicConvShape& s, int64_t first, int64_t taps, const float* image,
                     const float* grad, Vec& sums) {
  if (Sum(sums * 0.0f) == 0) return;
  for (int64_t t = 0; t < taps; ++t) {
    if (sums[t] * 0.0f != 0) sums[t] = TapSum(s, first + t, image, grad);
  }
}

// The attention of a static convolution.
constexpr float kWhole = 1;

DYCONV_INLINE const float* AttentionOf(const DynamicConvArgs& args, int64_t sample) {
  return args.is_static() ? &kWhole : args.attention + sample * args.shape.experts;
}

// mixed[t] = sum over k of attention[k] * packed[k][t]
void MixTaps(const float* packed, const float* attention, int64_t experts, int64_t lanes, float* mixed) {
  for (int64_t t = 0; t < lanes; t += kLanes) {
    Vec sum = {};
    for (int64_t k = 0; k < experts; ++k) sum += attention[k] * Load(packed + k * lanes + t);
    Store(mixed + t, sum);
  }
}

}  // namespace

DynamicConvPlan PlanDepthwiseConv(const DynamicConvShape& s) {
  const Layout l(s);
  DynamicConvPlan plan;
  plan.forward_weight = plan.backward_weight = s.out_channels * s.experts * l.lanes;
  const int64_t out = CeilDiv(l.flat, 16) * 16 + kUnroll * kLanes;
  const int64_t tables = 4 * (l.taps + kLanes);
  plan.forward_scratch = l.padded + out + l.lanes + tables + 64;
  plan.backward_scratch = 2 * l.padded + CeilDiv(l.reach, 16) * 16 + l.padded + l.lanes + 2 * tables + 64;
  plan.attention_lanes = kLanes;
  return plan;
}

void PackDepthwiseWeight(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const Layout l(s);
  for (int64_t o = begin; o < end; ++o) {
    for (int64_t k = 0; k < s.experts; ++k) {
      float* to = args.packed_weight + (o * s.experts + k) * l.lanes;
      const float* from = args.weight + (k * s.out_channels + o) * l.taps;
      for (int64_t t = 0; t < l.lanes; ++t) to[t] = t < l.taps ? from[t] : 0.0f;
    }
  }
}

void UnpackDepthwiseWeightGrad(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const Layout l(s);
  for (int64_t o = begin; o < end; ++o) {
    for (int64_t k = 0; k < s.experts; ++k) {
      std::memcpy(args.grad_weight + (k * s.out_channels + o) * l.taps,
                  args.packed_weight_grad + (o * s.experts + k) * l.lanes, l.taps * sizeof(float));
    }
  }
}

void DepthwiseConvForward(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  const auto& s = args.shape;
  const Layout l(s);
  float* input = scratch;
  float* output = input + l.padded;
  float* mixed = output + CeilDiv(l.flat, 16) * 16 + kUnroll * kLanes;
  const float** sources = reinterpret_cast<const float**>(mixed + l.lanes);
  std::memset(input, 0, l.padded * sizeof(float));
  for (int64_t t = 0; t < l.taps; ++t) {
    const Tap tap = TapAt(s, l, t);
    sources[t] = input + tap.phase * l.phase + tap.shift;
  }
  for (int64_t plane = begin; plane < end; ++plane) {
    const float* attention = AttentionOf(args, plane / s.in_channels);
    SplitPlane(s, l, args.input + plane * s.in_plane(), input);
    for (int64_t j = 0; j < l.multiplier; ++j) {
      const int64_t o = plane % s.in_channels * l.multiplier + j;
      MixTaps(args.packed_weight + o * s.experts * l.lanes, attention, s.experts, l.lanes, mixed);
      float bias = 0;
      for (int64_t k = 0; args.bias != nullptr && k < s.experts; ++k) {
        bias += attention[k] * args.bias[k * s.out_channels + o];
      }
      Correlate<false>(sources, mixed, l.taps, bias, l.flat, output);
      float* to = args.output + (plane * l.multiplier + j) * s.out_plane();
      for (int64_t y = 0; y < s.out_h; ++y) CopyRow(output + y * l.phase_w, s.out_w, to + y * s.out_w);
    }
  }
}

void DepthwiseConvBackward(const DynamicConvArgs& args, int64_t begin, int64_t end, float* attention_sums,
                           float* scratch) {
  const auto& s = args.shape;
  const Layout l(s);
  float* input = scratch;
  float* grad_input = input + l.padded;
  float* grad =
      grad_input + l.padded + CeilDiv(l.reach, 16) * 16;  // zeros in front of it, and between its rows
  float* mixed = grad + l.padded;
  const float** sources = reinterpret_cast<const float**>(mixed + l.lanes);
  const float** grads = sources + l.taps + kLanes;
  std::memset(input, 0, (mixed - input) * sizeof(float));
  for (int64_t t = 0; t < l.taps; ++t) {
    const Tap tap = TapAt(s, l, t);
    sources[t] = input + tap.phase * l.phase + tap.shift;
  }
  // Taps by phase.
  int64_t order[kMaxDepthwiseTaps], phase_of[kMaxDepthwiseTaps], sorted = 0;
  float weights[kMaxDepthwiseTaps];
  for (int64_t phase = 0; phase < l.phases; ++phase) {
    for (int64_t t = 0; t < l.taps; ++t) {
      const Tap tap = TapAt(s, l, t);
      if (tap.phase != phase) continue;
      order[sorted] = t;
      phase_of[sorted] = phase;
      grads[sorted++] = grad - tap.shift;
    }
  }
  for (int64_t c = begin; c < end; ++c) {
    float* packed_grad = args.packed_weight_grad + c * l.multiplier * s.experts * l.lanes;
    std::memset(packed_grad, 0, l.multiplier * s.experts * l.lanes * sizeof(float));
    for (int64_t b = 0; b < s.batch; ++b) {
      const float* attention = AttentionOf(args, b);
      float* sums = args.is_static() ? nullptr : attention_sums + b * s.experts * kLanes;
      const float* image = args.input + (b * s.in_channels + c) * s.in_plane();
      SplitPlane(s, l, image, input);
      for (int64_t j = 0; j < l.multiplier; ++j) {
        const int64_t o = c * l.multiplier + j, plane = b * s.out_channels + o;
        const float* packed = args.packed_weight + o * s.experts * l.lanes;
        const float* from = args.grad_output + plane * s.out_plane();
        for (int64_t y = 0; y < s.out_h; ++y) CopyRow(from + y * s.out_w, s.out_w, grad + y * l.phase_w);
        Vec total = {};
        for (int64_t i = 0; i < l.flat; i += kLanes) total += Load(grad + i);
        args.grad_output_sums[plane] = Sum(total);
        for (int64_t t = 0; t < l.taps; t += kLanes) {
          const int64_t taps = Min(kLanes, l.taps - t);
          Vec tile = TapSums(sources + t, taps, grad, l.flat);
          RepeatNotFinite(s, t, taps, image, from, tile);
          for (int64_t k = 0; k < s.experts; ++k) {
            float* to = packed_grad + (j * s.experts + k) * l.lanes + t;
            Store(to, Load(to) + attention[k] * tile);
            if (sums == nullptr) continue;
            float* dot = sums + k * kLanes;
            Store(dot, Load(dot) + tile * Load(packed + k * l.lanes + t));
          }
        }
        if (args.grad_input == nullptr) continue;
        MixTaps(packed, attention, s.experts, l.lanes, mixed);
        for (int64_t i = 0; i < l.taps; ++i) weights[i] = mixed[order[i]];
        for (int64_t phase = 0, first = 0; phase < l.phases; ++phase) {
          int64_t taps = 0;
          while (first + taps < l.taps && phase_of[first + taps] == phase) ++taps;
          float* to = grad_input + phase * l.phase;
          if (j == 0) {
            Correlate<false>(grads + first, weights + first, taps, 0.0f, l.phase, to);
          } else {
            Correlate<true>(grads + first, weights + first, taps, 0.0f, l.phase, to);
          }
          first += taps;
        }
      }
      if (args.grad_input != nullptr) {
        JoinPlane(s, l, grad_input, args.grad_input + (b * s.in_channels + c) * s.in_plane());
      }
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
