// Winograd's form along both axes: images to points and back, and the products at the points.
// docs/dynamic-convolution.md.
#pragma once

#include "kernels/cpu/layout.h"
#include "kernels/cpu/mix.h"
#include "kernels/cpu/winograd_transforms.h"

namespace dyconv::kernels::DYCONV_ISA {

// Calls visit(std::integral_constant<int, n>) for n outputs, kLeast to kMost.
template <int kLeast, int kMost, typename Visit>
DYCONV_INLINE void WithOutputs(int64_t outputs, const Visit& visit) {
  if constexpr (kLeast < kMost) {
    if (outputs < kMost) return WithOutputs<kLeast, kMost - 1>(outputs, visit);
  }
  visit(std::integral_constant<int, kMost>());
}

// Calls visit(kernel, tile) for those of an axis.
template <typename Visit>
DYCONV_INLINE void WithTile(const WinogradAxis& axis, const Visit& visit) {
  const auto with = [&](auto kernel) {
    WithOutputs<2, MostWinogradTile(kernel())>(axis.tile, [&](auto tile) { visit(kernel, tile); });
  };
  if (axis.kernel == 5) {
    with(std::integral_constant<int, 5>());
  } else {
    with(std::integral_constant<int, 3>());
  }
}

// Vectors along one axis: floats from one to the next, and from one such line to the next one.
struct Lines {
  int64_t step, next;
};

// to (+)= T from, in `count` lines.
template <typename T, bool kAdd, bool kStream = false>
void TransformLines(const float* from, Lines from_lines, float* to, Lines to_lines, int64_t count) {
  for (int64_t n = 0; n < count; ++n, from += from_lines.next, to += to_lines.next) {
    Vec taken[T::kFrom], made[T::kTo];
    Unroll<T::kFrom>([&](auto i) DYCONV_ALWAYS_INLINE { taken[i()] = Load(from + i() * from_lines.step); });
    T::Apply(taken, made);
    Unroll<T::kTo>([&](auto i) DYCONV_ALWAYS_INLINE {
      float* at = to + i() * to_lines.step;
      Put<kStream>(at, kAdd ? Load(at) + made[i()] : made[i()]);
    });
  }
}

// The same with the transform of tile `i` of an axis, for kOf = Inputs or Outputs.
template <template <int, int, int> typename kOf, template <typename> typename kWay, bool kAdd,
          bool kStream = false>
DYCONV_INLINE void TransformTile(const WinogradAxis& axis, int64_t i, const float* from, Lines from_lines,
                                 float* to, Lines to_lines, int64_t count) {
  WithTile(axis, [&](auto kernel, auto tile) {
    WithOutputs<1, tile()>(axis.outputs_of(i), [&](auto outputs) {
      TransformLines<kWay<kOf<kernel(), tile(), outputs()>>, kAdd, kStream>(from, from_lines, to, to_lines,
                                                                            count);
    });
  });
}

// Whether kOf is Inputs, not Outputs.
template <template <int, int, int> typename kOf>
constexpr bool kOfInputs = kOf<3, 2, 2>::kMatrix.kColumns > 2;

// Floats in which images are halfway: points along the height, pixels along the width, one vector each.
DYCONV_INLINE int64_t TransformScratch(const WinogradTiling& t) {
  return t.y.points() * t.x.inputs() * kLanes;
}

// Where one image's numbers are: floats from one pixel, tile and point to the next. Pixels are row by row and
// nothing else.
struct TransformStrides {
  int64_t pixel, tile, point;
};

// Takes an image (inputs or outputs) to the points of its tiles: first the columns of a row of tiles, then
// its tiles.
template <template <int, int, int> typename kOf, bool kStream = false>
void ImageToPoints(const WinogradTiling& t, const float* image, float* points,
                   const TransformStrides& strides, int64_t channels, float* half) {
  const int64_t width = kOfInputs<kOf> ? t.x.inputs() : t.x.outputs, row = width * strides.pixel;
  const Lines high{width * kLanes, kLanes}, wide{kLanes, width * kLanes};
  const Lines at_points{strides.point, t.x.points() * strides.point};
  for (int64_t y = 0; y < t.y.count(); ++y) {
    for (int64_t c = 0; c < channels; c += kLanes) {
      TransformTile<kOf, ToPoints, false>(t.y, y, image + y * t.y.tile * row + c, {row, strides.pixel}, half,
                                          high, width);
      float* to = points + y * t.x.count() * strides.tile + c;
      for (int64_t x = 0; x < t.x.count(); ++x, to += strides.tile) {
        TransformTile<kOf, ToPoints, false, kStream>(t.x, x, half + x * t.x.tile * kLanes, wide, to,
                                                     at_points, t.y.points_of(y));
      }
    }
  }
}

// Back. Inputs of different tiles overlap: they are added to the image, which is zeros before.
template <template <int, int, int> typename kOf>
void PointsToImage(const WinogradTiling& t, const float* points, float* image,
                   const TransformStrides& strides, int64_t channels, float* half) {
  constexpr bool kOverlap = kOfInputs<kOf>;
  const int64_t width = kOfInputs<kOf> ? t.x.inputs() : t.x.outputs, row = width * strides.pixel;
  const Lines high{width * kLanes, kLanes}, wide{kLanes, width * kLanes};
  const Lines at_points{strides.point, t.x.points() * strides.point};
  for (int64_t y = 0; y < t.y.count(); ++y) {
    for (int64_t c = 0; c < channels; c += kLanes) {
      if (kOverlap) std::memset(half, 0, t.y.points_of(y) * width * kLanes * sizeof(float));
      const float* from = points + y * t.x.count() * strides.tile + c;
      for (int64_t x = 0; x < t.x.count(); ++x, from += strides.tile) {
        TransformTile<kOf, FromPoints, kOverlap>(t.x, x, from, at_points, half + x * t.x.tile * kLanes, wide,
                                                 t.y.points_of(y));
      }
      TransformTile<kOf, FromPoints, kOverlap>(t.y, y, half, high, image + y * t.y.tile * row + c,
                                               {row, strides.pixel}, width);
    }
  }
}

// Notes whether one of `count` numbers, whole vectors, is not finite.
DYCONV_INLINE void NoteNotFinite(const DynamicConvArgs& args, const float* numbers, int64_t count) {
  constexpr int kUnroll = 4;
  Vec doubt[kUnroll] = {};
  int64_t i = 0;
  for (; i + kUnroll * kLanes <= count; i += kUnroll * kLanes) {
#pragma GCC unroll 4
    for (int v = 0; v < kUnroll; ++v) doubt[v] += Load(numbers + i + v * kLanes) * 0.0f;
  }
  for (; i < count; i += kLanes) doubt[0] += Load(numbers + i) * 0.0f;
  const bool finite = Sum((doubt[0] + doubt[1]) + (doubt[2] + doubt[3])) == 0;
  if (!finite) __atomic_store_n(args.not_finite, 1, __ATOMIC_RELAXED);
}

DYCONV_INLINE int64_t WholeVecs(int64_t floats) { return CeilDiv(floats, kLanes) * kLanes; }

// Rows of the experts that are mixed at once: whole cache lines of the input. With few tiles, the experts
// themselves should stay in the L1 cache for all samples, instead of the mixed rows.
DYCONV_INLINE int64_t WinogradRows(int64_t tiles, int64_t experts) {
  return tiles > kMixPixels ? kTileRows : CeilDiv(kTileRows / experts, 16) * 16;
}

// The products of all points with one panel of columns, for some samples:
// sums[point][sample][tile][column] = the sum over rows of from[point][sample][tile][row] times the sample's
// mixture of the experts.
struct WinogradProduct {
  WinogradTiling tiling;
  const float* from;
  PackedStrides strides;
  int64_t rows;
  int64_t samples;
  const float* packed;  // the panel's experts at the first point
  int64_t packed_point;
  Mixture mixture;  // of the first sample
  float* mixed;
  int32_t* indices;  // room for those of the tiles of all samples
  float* sums;
  int64_t sums_point;
};

// Those at one point, for the tiles listed in `indices`, `tiles` a sample.
template <int kVecs>
void MultiplyPoint(const WinogradProduct& p, int64_t point, int64_t samples, int64_t tiles) {
  static constexpr int64_t kNoOffset = 0;
  constexpr int64_t kWidth = kVecs * kLanes;
  const int64_t step = WinogradRows(tiles, p.mixture.experts);
  const int64_t row_floats = p.mixture.experts * kWidth;
  const float* packed = p.packed + point * p.packed_point;
  for (int64_t row = 0; row < p.rows; row += step) {
    const int64_t rows = Min(step, p.rows - row);
    const float* following =
        row + rows < p.rows ? packed + (row + rows) * row_floats : packed + p.packed_point;
    MixAndMultiply<kVecs>(
        packed + row * row_floats, p.mixture, samples, p.mixed, p.indices, p.indices, tiles, [&](int64_t i) {
          const float* from = p.from + point * p.strides.group + i * p.strides.sample + row;
          // The transformed input of each point is read only once for each panel, so that it is not in the
          // caches: that of the next samples is prefetched.
          for (int64_t t = 0; samples > 1 && t < tiles; ++t) {
            const float* next = from + kMixSamples * p.strides.sample + p.indices[t] * p.strides.pixel;
            for (int64_t r = 0; r < rows; r += kLine) __builtin_prefetch(next + r);
          }
          PrefetchPart(following, rows * row_floats, {i, samples});
          return GemmTask{from,
                          p.strides.pixel,
                          &kNoOffset,
                          1,
                          rows,
                          nullptr,
                          p.sums + point * p.sums_point + i * p.tiling.count() * kWidth,
                          kWidth,
                          row > 0};
        });
  }
}

template <int kVecs>
void MultiplyPoints(const WinogradProduct& p) {
  // One kernel for all samples: their tiles, which follow each other without a gap, are rows of one product.
  const bool together = p.mixture.attention == nullptr;
  const int64_t listed = together ? p.samples : 1, samples = together ? 1 : p.samples;
  int64_t high = -1, wide = -1, tiles = 0;
  for (int64_t point = 0; point < p.tiling.points(); ++point) {
    if (p.tiling.high_at(point) != high || p.tiling.wide_at(point) != wide) {
      high = p.tiling.high_at(point);
      wide = p.tiling.wide_at(point);
      tiles = listed * p.tiling.TilesAt(point, listed, p.indices);
    }
    if (tiles > 0) MultiplyPoint<kVecs>(p, point, samples, tiles);
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
