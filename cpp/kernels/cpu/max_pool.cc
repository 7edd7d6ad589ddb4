// Max pooling of contiguous planes of float32, or of bfloat16 as the upper halves of float32. A plane is
// split into stride_h x stride_w phases (rows and columns by remainder) with its padding, as the depthwise
// convolution does, so that a tap is a unit-stride load.
#include "kernels/cpu/bf16.h"

#include <limits>
#include <type_traits>

namespace dyconv::kernels::DYCONV_ISA {
namespace {

typedef uint8_t ByteVec __attribute__((vector_size(kLanes)));

constexpr float kLowest = -std::numeric_limits<float>::infinity();

// The first `count` lanes of v, and the lowest number for the others.
template <int... kI>
DYCONV_INLINE Vec FirstOf(Vec v, int64_t count, std::integer_sequence<int, kI...>) {
  const IntVec lanes = {kI...};
  return lanes < static_cast<int32_t>(count) ? v : Vec{} + kLowest;
}
constexpr auto kLaneOrder = std::make_integer_sequence<int, kLanes>();

// Back, without a rounding: the maximum is one of the inputs.
template <typename T>
DYCONV_INLINE auto Narrowed(Vec v) {
  if constexpr (std::is_same_v<T, float>) {
    return v;
  } else {
    return __builtin_convertvector((IntVec)v >> 16, HalfVec);
  }
}

struct Layout {
  int64_t taps;
  int64_t phase_h, phase_w;  // rows and columns of a phase
  int64_t phase;             // floats of a phase and of what whole vectors read and write beyond it
  int64_t padded;            // floats of all phases
  int64_t span;              // from the first output to the last, as if rows were as long as a phase's

  DYCONV_INLINE explicit Layout(const MaxPoolShape& s) {
    taps = s.kernel_h * s.kernel_w;
    phase_h = Max(s.out_h + (s.kernel_h - 1) * s.dilation_h / s.stride_h,
                  CeilDiv(s.in_h + s.padding_h, s.stride_h));
    phase_w = Max(s.out_w + (s.kernel_w - 1) * s.dilation_w / s.stride_w,
                  CeilDiv(s.in_w + s.padding_w, s.stride_w));
    phase = phase_h * phase_w + kLanes;
    padded = s.stride_h * s.stride_w * phase;
    span = (s.out_h - 1) * phase_w + s.out_w;
  }
};

// Every other float of a and b together, from kFirst on.
template <int kFirst, int... kI>
DYCONV_INLINE Vec EveryOther(Vec a, Vec b, std::integer_sequence<int, kI...>) {
  return Shuffle<(kFirst + 2 * kI)...>(a, b);
}

// even[i] = from[2 * i], odd[i] = from[2 * i + 1]. Whole vectors are stored, and read before `end`; beyond
// what there is they hold the lowest number. `doubt` becomes NaN where a number is that or infinite.
template <typename T>
DYCONV_INLINE void SplitPairs(const T* from, int64_t count, const T* end, float* even, float* odd,
                              Vec& doubt) {
  for (int64_t x = 0; x < count; x += 2 * kLanes) {
    const int64_t n = Min(2 * kLanes, count - x);
    T last[2 * kLanes] = {};
    const T* pairs = from + x;
    if (end - pairs < 2 * kLanes) pairs = static_cast<T*>(std::memcpy(last, pairs, n * sizeof(T)));
    const Vec a = Widened(pairs), b = Widened(pairs + kLanes);
    doubt += a * 0.0f + b * 0.0f;
    Store(even + x / 2, FirstOf(EveryOther<0>(a, b, kLaneOrder), (n + 1) / 2, kLaneOrder));
    Store(odd + x / 2, FirstOf(EveryOther<1>(a, b, kLaneOrder), n / 2, kLaneOrder));
  }
}

// The same for rows that are not split.
template <typename T>
DYCONV_INLINE void CopyRow(const T* from, int64_t count, const T* end, float* to, Vec& doubt) {
  for (int64_t x = 0; x < count; x += kLanes) {
    const int64_t n = Min(kLanes, count - x);
    T last[kLanes] = {};
    const T* row = from + x;
    if (end - row < kLanes) row = static_cast<T*>(std::memcpy(last, row, n * sizeof(T)));
    const Vec a = Widened(row);
    doubt += a * 0.0f;
    Store(to + x, FirstOf(a, n, kLaneOrder));
  }
}

// Image plane -> phases, row by row, each over the surplus of the one before. The padding in between stays
// what it was filled with once, the lowest number. Returns whether all numbers are finite, as far as whole
// vectors tell.
template <typename T>
bool SplitPlane(const MaxPoolShape& s, const Layout& l, const T* image, const T* end, float* phases) {
  const auto column = [&](int64_t px) { return px % s.stride_w * l.phase + px / s.stride_w; };
  const int64_t first = column(s.padding_w), second = column(s.padding_w + 1);
  int64_t phase = s.padding_h % s.stride_h, y_of_phase = s.padding_h / s.stride_h;
  Vec doubt = {};
  for (int64_t y = 0; y < s.in_h; ++y, image += s.in_w) {
    float* row = phases + phase * s.stride_w * l.phase + y_of_phase * l.phase_w;
    if (s.stride_w == 1) {
      CopyRow(image, s.in_w, end, row + first, doubt);
    } else if (s.stride_w == 2) {
      SplitPairs(image, s.in_w, end, row + first, row + second, doubt);
    } else {
      for (int64_t x = 0; x < s.in_w; ++x) {
        row[column(x + s.padding_w)] = WidenedOne(image[x]);
        doubt[0] += WidenedOne(image[x]) * 0.0f;
      }
    }
    if (++phase == s.stride_h) {
      phase = 0;
      ++y_of_phase;
    }
  }
  return Sum(doubt) == 0;
}

// The maximum over taps for kLanes outputs, and the first tap that has it. As in PyTorch a NaN wins, which
// only has to be looked for where there may be one.
template <bool kTaps, bool kNan>
DYCONV_INLINE Vec MaxOfTaps(const float* const* sources, int64_t taps, int64_t at, IntVec& winner) {
  Vec best = Load(sources[0] + at);
  winner = IntVec{};
  for (int64_t t = 1; t < taps; ++t) {
    const Vec v = Load(sources[t] + at);
    if constexpr (!kTaps && !kNan) {
      best = v > best ? v : best;
    } else {
      const IntVec wins = kNan ? (v > best) | (v != v) : v > best;
      best = wins ? v : best;
      if constexpr (kTaps) winner = wins ? IntVec{} + static_cast<int32_t>(t) : winner;
    }
  }
  return best;
}

// The outputs of one plane, kLanes at a time across the ends of rows, with what is between the rows.
template <bool kTaps, bool kNan, typename T>
void PoolFlat(const Layout& l, const float* const* sources, T* flat, uint8_t* flat_winners) {
  for (int64_t i = 0; i < l.span; i += kLanes) {
    IntVec winner;
    const auto best = Narrowed<T>(MaxOfTaps<kTaps, kNan>(sources, l.taps, i, winner));
    std::memcpy(flat + i, &best, sizeof(best));
    if constexpr (kTaps) {
      const ByteVec bytes = __builtin_convertvector(winner, ByteVec);
      std::memcpy(flat_winners + i, &bytes, sizeof(bytes));
    }
  }
}

// Rows without what is between them. They are copied as whole vectors, each over the surplus of the one
// before; `end` is the end of what this thread may write.
template <typename T>
void CopyRows(const MaxPoolShape& s, const Layout& l, const T* flat, T* to, const T* end) {
  for (int64_t y = 0; y < s.out_h; ++y, flat += l.phase_w, to += s.out_w) {
    for (int64_t x = 0; x < s.out_w; x += kLanes) {
      if (to + x + kLanes <= end) {
        std::memcpy(to + x, flat + x, kLanes * sizeof(T));
      } else {
        std::memcpy(to + x, flat + x, Min(kLanes, s.out_w - x) * sizeof(T));
      }
    }
  }
}

template <bool kTaps, typename T>
void PoolPlanes(const MaxPoolShape& s, const T* input, T* output, uint8_t* winners, int64_t begin,
                int64_t end, float* scratch) {
  const Layout l(s);
  const float* sources[kMaxPoolTaps];
  for (int64_t t = 0; t < l.taps; ++t) {
    const int64_t y = t / s.kernel_w * s.dilation_h, x = t % s.kernel_w * s.dilation_w;
    sources[t] = scratch + (y % s.stride_h * s.stride_w + x % s.stride_w) * l.phase +
                 y / s.stride_h * l.phase_w + x / s.stride_w;
  }
  for (int64_t i = 0; i < l.padded; ++i) scratch[i] = kLowest;
  T* flat = reinterpret_cast<T*>(scratch + l.padded);
  uint8_t* flat_winners = reinterpret_cast<uint8_t*>(scratch + l.padded + l.span + kLanes);
  const int64_t out = s.out_plane();
  for (int64_t plane = begin; plane < end; ++plane) {
    const bool finite = SplitPlane(s, l, input + plane * s.in_plane(), input + end * s.in_plane(), scratch);
    const auto pool = finite ? PoolFlat<kTaps, false, T> : PoolFlat<kTaps, true, T>;
    pool(l, sources, flat, flat_winners);
    CopyRows(s, l, flat, output + plane * out, output + end * out);
    if constexpr (kTaps) CopyRows(s, l, flat_winners, winners + plane * out, winners + end * out);
  }
}

}  // namespace

int64_t MaxPoolScratch(const MaxPoolShape& s) {
  const Layout l(s);
  return l.padded + 2 * (l.span + kLanes);
}

void MaxPoolForward(const MaxPoolShape& s, const float* input, float* output, uint8_t* winners, int64_t begin,
                    int64_t end, float* scratch) {
  const auto pool = winners != nullptr ? PoolPlanes<true, float> : PoolPlanes<false, float>;
  pool(s, input, output, winners, begin, end, scratch);
}

void MaxPoolForwardBf16(const MaxPoolShape& s, const uint16_t* input, uint16_t* output, uint8_t* winners,
                        int64_t begin, int64_t end, float* scratch) {
  const auto pool = winners != nullptr ? PoolPlanes<true, uint16_t> : PoolPlanes<false, uint16_t>;
  pool(s, input, output, winners, begin, end, scratch);
}

void MaxPoolBackward(const MaxPoolShape& s, const float* grad_output, const uint8_t* winners,
                     float* grad_input, int64_t begin, int64_t end) {
  const bool padded = s.padding_h > 0 || s.padding_w > 0;
  int64_t offsets[kMaxPoolTaps];
  for (int64_t t = 0; t < s.kernel_h * s.kernel_w; ++t) {
    offsets[t] = t / s.kernel_w * s.dilation_h * s.in_w + t % s.kernel_w * s.dilation_w;
  }
  for (int64_t plane = begin; plane < end; ++plane) {
    float* to = grad_input + plane * s.in_plane();
    std::memset(to, 0, s.in_plane() * sizeof(float));
    for (int64_t y = 0; y < s.out_h; ++y) {
      const int64_t from = plane * s.out_plane() + y * s.out_w, top = y * s.stride_h - s.padding_h;
      if (!padded) {
        float* row = to + top * s.in_w;
        for (int64_t x = 0; x < s.out_w; ++x, row += s.stride_w) {
          row[offsets[winners[from + x]]] += grad_output[from + x];
        }
        continue;
      }
      for (int64_t x = 0; x < s.out_w; ++x) {
        int64_t t = winners[from + x];
        const int64_t left = x * s.stride_w - s.padding_w;
        // The first tap wins where all are -inf, and may be padding: then it is the first that is not.
        if (t == 0 && (top < 0 || left < 0)) {
          const int64_t down = top < 0 ? CeilDiv(-top, s.dilation_h) : 0;
          const int64_t right = left < 0 ? CeilDiv(-left, s.dilation_w) : 0;
          t = down * s.kernel_w + right;
        }
        to[top * s.in_w + left + offsets[t]] += grad_output[from + x];
      }
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
