// The weight gradient of Winograd's form for many experts: what the points give is transformed back sample by
// sample, so that 9 taps are folded into the experts instead of 16 or 36 points.
#include "fold.h"
#include "winograd.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

constexpr int64_t kTaps = 9;

// c[kRows][kVecs] = the sum over tiles of the outer products of `grad` and `input`, whose vectors are `block`
// floats apart.
template <int kRows, int kVecs>
DYCONV_INLINE void PointProduct(const float* grad, const float* input, int64_t block, int64_t tiles,
                                float* c) {
  Vec acc[kRows][kVecs];
  OuterStep<kRows, kVecs, false>(grad, input, block, acc);
  for (int64_t t = 1; t < tiles; ++t)
    OuterStep<kRows, kVecs, true>(grad + t * kLanes, input + t * kLanes, block, acc);
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) Store(c + (m * kVecs + v) * kLanes, acc[m][v]);
  }
}

// to = T from, along one axis.
template <typename T>
DYCONV_INLINE void TransformLine(const float* from, int64_t from_step, float* to, int64_t to_step) {
  Vec line[T::kFrom], made[T::kTo];
#pragma GCC unroll 8
  for (int i = 0; i < T::kFrom; ++i) line[i] = Load(from + i * from_step);
  T::Apply(line, made);
#pragma GCC unroll 8
  for (int i = 0; i < T::kTo; ++i) Store(to + i * to_step, made[i]);
}

// What is folded at once: rows [row, row + rows) of vectors [vec, vec + vecs) of one panel.
struct Unit {
  Panel panel;
  int64_t row, rows, vec, vecs;
  // Of one tap in the packed experts.
  int64_t offset(const DynamicConvShape& s, int64_t tap) const {
    return panel.offset + (tap * s.out_channels + row) * s.experts * panel.width() + vec * kLanes;
  }
};

Unit UnitAt(const DynamicConvShape& s, int64_t index) {
  const int64_t blocks = CeilDiv(s.out_channels, kUnitRows);
  constexpr int64_t kParts = kMaxVecs / kUnitVecs;
  Unit unit;
  unit.panel = BackwardPanel(s, index / blocks / kParts);
  unit.vec = index / blocks % kParts * kUnitVecs;
  unit.vecs = Max(0, Min(kUnitVecs, unit.panel.vecs - unit.vec));
  unit.row = index % blocks * kUnitRows;
  unit.rows = Min(kUnitRows, s.out_channels - unit.row);
  return unit;
}

void ClearUnit(const DynamicConvArgs& args, const Unit& unit) {
  for (int64_t t = 0; t < kTaps; ++t) {
    float* row = args.packed_weight_grad + unit.offset(args.shape, t);
    for (int64_t r = 0; r < unit.rows * args.shape.experts; ++r, row += unit.panel.width())
      std::memset(row, 0, unit.vecs * kLanes * sizeof(float));
  }
}

// taps[9][rows][vecs] = the gradient of the sample's mixed weights. Row by row of the points, so that
// what waits to be transformed stays in the L1 cache.
template <int kTile, int kRows, int kVecs>
void SampleTaps(const DynamicConvArgs& args, const Unit& unit, int64_t sample, int64_t tiles, float* scratch,
                float* taps) {
  using Adjoint = typename Winograd<kTile>::WeightAdjoint;
  constexpr int kAlong = Adjoint::kFrom;
  constexpr int64_t kSize = kRows * kVecs * kLanes;
  const auto &of_grad = args.packed_grad_strides, &of_input = args.packed_input_strides;
  const float* grad =
      args.packed_grad + sample * of_grad.sample + unit.row / kLanes * of_grad.block + unit.row % kLanes;
  const float* input = args.packed_input + sample * of_input.sample +
                       (unit.panel.first_column / kLanes + unit.vec) * of_input.block;
  float* half = scratch + kAlong * kSize;
  for (int64_t y = 0; y < kAlong; ++y) {
    for (int64_t x = 0; x < kAlong; ++x) {
      const int64_t p = y * kAlong + x;
      PointProduct<kRows, kVecs>(grad + p * of_grad.group, input + p * of_input.group, of_input.block, tiles,
                                 scratch + x * kSize);
    }
    for (int64_t i = 0; i < kSize; i += kLanes)
      TransformLine<Adjoint>(scratch + i, kSize, half + y * kSize + i, kAlong * kSize);
  }
  for (int64_t x = 0; x < 3; ++x) {
    for (int64_t i = 0; i < kSize; i += kLanes)
      TransformLine<Adjoint>(half + x * kAlong * kSize + i, kSize, taps + x * kSize + i, 3 * kSize);
  }
}

template <int kTile, int kRows, int kVecs>
void FoldUnit(const DynamicConvArgs& args, const Unit& unit, int64_t first, int64_t last, int64_t tiles,
              float* scratch, float* sums) {
  const auto& s = args.shape;
  constexpr int64_t kSize = kRows * kVecs * kLanes;
  const int64_t width = unit.panel.width();
  float* points = scratch;
  float* taps = points + 4 * (kTile + 2) * kSize;
  const auto fold = [&](auto samples, int64_t sample) {
    for (int64_t i = 0; i < samples(); ++i) {
      SampleTaps<kTile, kRows, kVecs>(args, unit, sample + i, tiles, points, taps + i * kTaps * kSize);
    }
    const int64_t at = args.chunk_begin + sample;
    for (int64_t t = 0; t < kTaps; ++t) {
      const int64_t offset = unit.offset(s, t);
      FoldRows<samples(), kVecs>(taps + t * kSize, kTaps * kSize, args.attention + at * s.experts, s.experts,
                                 kRows, width, args.packed_weight + offset, args.packed_weight_grad + offset,
                                 sums + at * s.experts * kLanes);
    }
  };
  int64_t sample = first;
  for (; sample + kUnitSamples <= last; sample += kUnitSamples)
    fold(std::integral_constant<int, kUnitSamples>(), sample);
  for (; sample < last; ++sample) fold(std::integral_constant<int, 1>(), sample);
}

}  // namespace

void WinogradGradWeight(const DynamicConvArgs& args, int64_t begin, int64_t end, float* attention_sums,
                        float* scratch) {
  const auto& s = args.shape;
  const int64_t block = args.plan.weight_samples, tile = args.plan.winograd_tile;
  const int64_t tiles = WinogradTilesAlong(s.out_h, tile) * WinogradTilesAlong(s.out_w, tile);
  for (int64_t first = 0; first < args.chunk_size; first += block) {
    const int64_t last = Min(first + block, args.chunk_size);
    for (int64_t i = begin; i < end; ++i) {
      const Unit unit = UnitAt(s, i);
      if (unit.vecs == 0) continue;
      if (args.chunk_begin == 0 && first == 0) ClearUnit(args, unit);
      WithTile(tile, [&](auto size) {
        WithConstant<kUnitVecs>(unit.vecs, [&](auto vecs) {
          WithConstant<kUnitRows>(unit.rows, [&](auto rows) {
            FoldUnit<size(), rows(), vecs()>(args, unit, first, last, tiles, scratch, attention_sums);
          });
        });
      });
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
