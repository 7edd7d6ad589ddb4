// Weights of the kernels for int8: rounded to bytes, and mixed from experts of 16 bits. int8_round.h comes
// before.
#pragma once

#include "kernels/cpu/int8_dot.h"
#include "kernels/cpu/int8_round.h"
#include "kernels/int8.h"

namespace dyconv::kernels::DYCONV_ISA {

constexpr float kMostWeight = 127, kMostShort = 32767;

// One panel of columns.
struct Int8Panel {
  int64_t vecs, first;

  DYCONV_INLINE Int8Panel(const Int8ConvPlan& plan, int64_t index) {
    const int64_t all = plan.columns / kLanes, least = all / plan.panels, more = all % plan.panels;
    vecs = least + (index < more);
    first = (index * least + Min(index, more)) * kLanes;
  }
};

DYCONV_INLINE int64_t RowsOf(const Int8ConvPlan& plan) { return plan.runs * plan.groups * 4; }

DYCONV_INLINE Vec Absolute(Vec x) { return x < 0.0f ? -x : x; }
DYCONV_INLINE Vec Largest(Vec a, Vec b) { return a > b ? a : b; }
DYCONV_INLINE IntVec Absolute(IntVec x) { return x < 0 ? -x : x; }
DYCONV_INLINE IntVec Largest(IntVec a, IntVec b) { return a > b ? a : b; }

// The factor that makes the largest number of a column the largest integer. A column whose numbers are all
// below 2^-100 is quantized to 0, because its factor could be infinite.
DYCONV_INLINE Vec FactorOf(Vec largest, float most) { return largest >= 0x1p-100f ? most / largest : Vec{}; }

// Quantizes one vector of columns, whose rows at(r) gives, to bytes [group][kLanes][4], `step` apart, and
// gives the sums. No number times `factor` is beyond the largest weight.
template <typename At>
DYCONV_INLINE IntVec QuantizeColumns(int64_t rows, Vec factor, const At& at, int8_t* to, int64_t step) {
  constexpr float kMagic = 12582912;  // the last bits of a sum with it are the integer
  constexpr uint32_t kMagicBits = 0x4b400000;
  BitVec sums = {};
  for (int64_t r = 0; r < rows; r += 4, to += step) {
    BitVec one[4], bytes = {};
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      one[i] = (BitVec)(at(r + i) * factor + kMagic);
      sums += one[i];
    }
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) bytes |= (one[i] & 255) << (8 * i);
    StoreInts(to, (IntVec)bytes);
  }
  return (IntVec)(sums - static_cast<uint32_t>(rows) * kMagicBits);
}

// The attention of a sample as pairs of 16 bits, whose sizes add up to 2^15 - 1 up to rounding, and what they
// are multiplied by.
struct Shares {
  ShortVec pairs[kMaxExperts / 2];
  float factor;

  Shares(const float* attention, int64_t experts) {
    float sum = 0;
    for (int64_t k = 0; k < experts; ++k) sum += attention[k] < 0 ? -attention[k] : attention[k];
    // Where one is not finite, the scales become NaN, and with them the outputs.
    factor = sum / kMostShort + (sum - sum);
    const bool usable = sum >= 0x1p-100f && sum - sum == 0;
    const auto of = [&](int64_t k) {
      if (!usable || k >= experts) return uint32_t{0};
      const Vec one = Set1(attention[k] * (kMostShort / sum));
      return static_cast<uint32_t>(RoundedTo(one, -kMostShort, kMostShort)[0]) & 0xffff;
    };
    for (int64_t p = 0; 2 * p < experts; ++p)
      pairs[p] = (ShortVec)Ints(static_cast<int32_t>(of(2 * p) | of(2 * p + 1) << 16));
  }
};

// The sum of the experts times their shares; packed experts are [row][pair][kLanes][2].
DYCONV_INLINE IntVec MixedRow(const int16_t* experts, const Shares& shares, int64_t pairs) {
  IntVec sum = PairProducts((ShortVec)LoadInts(experts), shares.pairs[0]);
  for (int64_t p = 1; p < pairs; ++p)
    sum += PairProducts((ShortVec)LoadInts(experts + p * 2 * kLanes), shares.pairs[p]);
  return sum;
}

// A vector of columns of the mixed weights of a sample. With more than one pair, they are kept in `mixed`.
template <bool kKeeps>
DYCONV_INLINE void MixColumns(const int16_t* experts, const Shares& shares, int64_t pairs,
                              const float* expert_scales, int64_t rows, int32_t* mixed, const Int8Weights& to,
                              int64_t step) {
  const int64_t row = pairs * 2 * kLanes;
  IntVec most[4] = {};
  for (int64_t r = 0; r < rows; r += 4) {
#pragma GCC unroll 4
    for (int i = 0; i < 4; ++i) {
      const IntVec sum = MixedRow(experts + (r + i) * row, shares, kKeeps ? pairs : 1);
      most[i] = Largest(most[i], Absolute(sum));
      if constexpr (kKeeps) StoreInts(mixed + (r + i) * kLanes, sum);
    }
  }
  const IntVec all = Largest(Largest(most[0], most[1]), Largest(most[2], most[3]));
  const Vec largest = __builtin_convertvector(all, Vec);
  const auto at = [&](int64_t r) DYCONV_ALWAYS_INLINE {
    const IntVec sum = kKeeps ? LoadInts(mixed + r * kLanes) : MixedRow(experts + r * row, shares, 1);
    return __builtin_convertvector(sum, Vec);
  };
  StoreInts(to.sums, QuantizeColumns(rows, FactorOf(largest, kMostWeight), at, to.packed, step));
  Store(to.scales, largest / kMostWeight * (Load(expert_scales) * shares.factor));
}

// A panel of the mixed weights of a sample.
inline void MixPanel(const Int8ConvArgs& args, const Int8Panel& panel, int64_t sample, int32_t* mixed,
                     const Int8Weights& to) {
  const int64_t rows = RowsOf(args.plan), experts = args.shape.experts, pairs = CeilDiv(experts, 2);
  const Shares shares(args.attention + sample * experts, experts);
  for (int64_t v = 0; v < panel.vecs; ++v) {
    const int64_t first = panel.first + v * kLanes;
    const int16_t* from = args.experts + first * rows * pairs * 2;
    const Int8Weights own{to.packed + v * kLanes * 4, to.scales + v * kLanes, to.sums + v * kLanes};
    const int64_t step = panel.vecs * kLanes * 4;
    if (pairs > 1) {
      MixColumns<true>(from, shares, pairs, args.expert_scales + first, rows, mixed, own, step);
    } else {
      MixColumns<false>(from, shares, pairs, args.expert_scales + first, rows, mixed, own, step);
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
