// Packing of weights for int8, and activations as uint8.
#include "kernels/cpu/int8_round.h"

#include "kernels/cpu/int8_weights.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// The weight of a row of the packed weights and an output channel; 0 where they are filled up.
struct WeightAt {
  const DynamicConvShape& s;
  const Int8ConvPlan& plan;
  const float* weight;

  DYCONV_INLINE float operator()(int64_t row, int64_t column) const {
    const int64_t taps = s.kernel_size(), run = row / (plan.groups * 4), i = row % (plan.groups * 4);
    if (i >= plan.length || column >= s.out_channels) return 0;
    const int64_t tap = run * (taps / plan.runs) + i / s.in_channels;
    return weight[(column * s.in_channels + i % s.in_channels) * taps + tap];
  }
  DYCONV_INLINE Vec Row(int64_t row, int64_t first) const {
    Vec v = {};
    for (int j = 0; j < kLanes; ++j) v[j] = (*this)(row, first + j);
    return v;
  }
};

}  // namespace

// Static weights. [begin, end) is a range of panels.
void PackInt8Weights(const DynamicConvShape& s, const Int8ConvPlan& plan, const float* weight,
                     const Int8Weights& to, int64_t begin, int64_t end) {
  const WeightAt weight_at{s, plan, weight};
  const int64_t rows = RowsOf(plan);
  for (int64_t i = begin; i < end; ++i) {
    const Int8Panel panel(plan, i);
    for (int64_t v = 0; v < panel.vecs; ++v) {
      const int64_t first = panel.first + v * kLanes;
      Vec most = {};
      for (int64_t r = 0; r < rows; ++r) most = Largest(most, Absolute(weight_at.Row(r, first)));
      const auto at = [&](int64_t r) { return weight_at.Row(r, first); };
      StoreInts(to.sums + first,
                QuantizeColumns(rows, FactorOf(most, kMostWeight), at,
                                to.packed + panel.first * rows + v * kLanes * 4, panel.vecs * kLanes * 4));
      Store(to.scales + first, most / kMostWeight);
    }
  }
}

// Experts as int16. All experts share the scale of a column, so that they can be mixed as integers.
// [begin, end) is a range of vectors of columns.
void PackInt8Experts(const DynamicConvShape& s, const Int8ConvPlan& plan, const float* weight,
                     int16_t* packed, float* scales, int64_t begin, int64_t end) {
  const int64_t rows = RowsOf(plan), pairs = CeilDiv(s.experts, 2);
  const auto row_of = [&](int64_t k, int64_t r, int64_t first) {
    return k < s.experts ? WeightAt{s, plan, weight + k * s.expert_size()}.Row(r, first) : Vec{};
  };
  for (int64_t v = begin; v < end; ++v) {
    const int64_t first = v * kLanes;
    Vec most = {};
    for (int64_t k = 0; k < s.experts; ++k) {
      for (int64_t r = 0; r < rows; ++r) most = Largest(most, Absolute(row_of(k, r, first)));
    }
    const Vec factor = FactorOf(most, kMostShort);
    int16_t* to = packed + first * rows * pairs * 2;
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t k = 0; k < 2 * pairs; k += 2, to += 2 * kLanes) {
        const IntVec one = RoundedTo(row_of(k, r, first) * factor, -kMostShort, kMostShort);
        const IntVec two = RoundedTo(row_of(k + 1, r, first) * factor, -kMostShort, kMostShort);
        StoreInts(to, (one & 0xffff) | two << 16);
      }
    }
    Store(scales + first, most / kMostShort);
  }
}

void QuantizeFloats(const float* from, float factor, int32_t zero, uint8_t* to, int64_t begin, int64_t end) {
  int64_t i = begin;
  for (; i + kLanes <= end; i += kLanes) StoreBytes(to + i, Quantized(Load(from + i), factor, zero), kLanes);
  if (i < end) StoreBytes(to + i, Quantized(LoadPart(from + i, end - i), factor, zero), end - i);
}

}  // namespace dyconv::kernels::DYCONV_ISA
