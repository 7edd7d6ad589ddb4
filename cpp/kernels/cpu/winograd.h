// Winograd's F(2x2, 3x3) and F(4x4, 3x3): Lavin and Gray, arXiv 1509.09308; docs/dynamic-convolution.md.
#pragma once

#include "layout.h"
#include "mix.h"

namespace dyconv::kernels::DYCONV_ISA {

constexpr float kRoot2 = 1.41421356237f;
constexpr float kRootHalf = 0.70710678119f;

// The transforms of tiles of kTile outputs. Each is linear along one axis, Apply(from[kFrom], to[kTo]); its
// adjoint is the one that gradients take.
template <int kTile>
struct Winograd;

// At the points 0, ±1 and ∞.
template <>
struct Winograd<2> {
  struct Input {
    static constexpr int kFrom = 4, kTo = 4;
    DYCONV_INLINE static void Apply(const Vec* d, Vec* v) {
      v[0] = d[0] - d[2];
      v[1] = d[1] + d[2];
      v[2] = d[2] - d[1];
      v[3] = d[1] - d[3];
    }
  };

  struct InputAdjoint {
    static constexpr int kFrom = 4, kTo = 4;
    DYCONV_INLINE static void Apply(const Vec* v, Vec* d) {
      d[0] = v[0];
      d[1] = v[1] - v[2] + v[3];
      d[2] = v[1] + v[2] - v[0];
      d[3] = -v[3];
    }
  };

  struct Weight {
    static constexpr int kFrom = 3, kTo = 4;
    DYCONV_INLINE static void Apply(const Vec* g, Vec* u) {
      const Vec even = 0.5f * (g[0] + g[2]), odd = 0.5f * g[1];
      u[0] = g[0];
      u[1] = even + odd;
      u[2] = even - odd;
      u[3] = g[2];
    }
  };

  struct WeightAdjoint {
    static constexpr int kFrom = 4, kTo = 3;
    DYCONV_INLINE static void Apply(const Vec* u, Vec* g) {
      const Vec sum = 0.5f * (u[1] + u[2]);
      g[0] = u[0] + sum;
      g[1] = 0.5f * (u[1] - u[2]);
      g[2] = u[3] + sum;
    }
  };

  struct Output {
    static constexpr int kFrom = 4, kTo = 2;
    DYCONV_INLINE static void Apply(const Vec* m, Vec* y) {
      y[0] = m[0] + m[1] + m[2];
      y[1] = m[1] - m[2] - m[3];
    }
  };

  struct OutputAdjoint {
    static constexpr int kFrom = 2, kTo = 4;
    DYCONV_INLINE static void Apply(const Vec* y, Vec* m) {
      m[0] = y[0];
      m[1] = y[0] + y[1];
      m[2] = y[0] - y[1];
      m[3] = -y[1];
    }
  };
};

// At the points 0, ±√½, ±√2 and ∞: the usual ±1, ±2 for ±√½, ±√2 would double the roundings.
template <>
struct Winograd<4> {
  struct Input {
    static constexpr int kFrom = 6, kTo = 6;
    DYCONV_INLINE static void Apply(const Vec* d, Vec* v) {
      const Vec even1 = d[4] - 2.0f * d[2], odd1 = kRootHalf * d[3] - kRoot2 * d[1];
      const Vec even2 = d[4] - 0.5f * d[2], odd2 = kRoot2 * d[3] - kRootHalf * d[1];
      v[0] = d[0] - 2.5f * d[2] + d[4];
      v[1] = even1 + odd1;
      v[2] = even1 - odd1;
      v[3] = even2 + odd2;
      v[4] = even2 - odd2;
      v[5] = d[1] - 2.5f * d[3] + d[5];
    }
  };

  struct InputAdjoint {
    static constexpr int kFrom = 6, kTo = 6;
    DYCONV_INLINE static void Apply(const Vec* v, Vec* d) {
      const Vec sum1 = v[1] + v[2], odd1 = v[1] - v[2], sum2 = v[3] + v[4], odd2 = v[3] - v[4];
      d[0] = v[0];
      d[1] = v[5] - kRoot2 * odd1 - kRootHalf * odd2;
      d[2] = -2.5f * v[0] - 2.0f * sum1 - 0.5f * sum2;
      d[3] = kRootHalf * odd1 + kRoot2 * odd2 - 2.5f * v[5];
      d[4] = v[0] + sum1 + sum2;
      d[5] = v[5];
    }
  };

  struct Weight {
    static constexpr int kFrom = 3, kTo = 6;
    DYCONV_INLINE static void Apply(const Vec* g, Vec* u) {
      const Vec even1 = (-2.0f / 3) * g[0] - (1.0f / 3) * g[2], odd1 = (-2.0f / 3 * kRootHalf) * g[1];
      const Vec even2 = (1.0f / 6) * g[0] + (1.0f / 3) * g[2], odd2 = (1.0f / 6 * kRoot2) * g[1];
      u[0] = g[0];
      u[1] = even1 + odd1;
      u[2] = even1 - odd1;
      u[3] = even2 + odd2;
      u[4] = even2 - odd2;
      u[5] = g[2];
    }
  };

  struct WeightAdjoint {
    static constexpr int kFrom = 6, kTo = 3;
    DYCONV_INLINE static void Apply(const Vec* u, Vec* g) {
      const Vec sum1 = u[1] + u[2], odd1 = u[1] - u[2], sum2 = u[3] + u[4], odd2 = u[3] - u[4];
      g[0] = u[0] - (2.0f / 3) * sum1 + (1.0f / 6) * sum2;
      g[1] = (-2.0f / 3 * kRootHalf) * odd1 + (1.0f / 6 * kRoot2) * odd2;
      g[2] = u[5] - (1.0f / 3) * sum1 + (1.0f / 3) * sum2;
    }
  };

  struct Output {
    static constexpr int kFrom = 6, kTo = 4;
    DYCONV_INLINE static void Apply(const Vec* m, Vec* y) {
      const Vec sum1 = m[1] + m[2], odd1 = m[1] - m[2], sum2 = m[3] + m[4], odd2 = m[3] - m[4];
      y[0] = m[0] + sum1 + sum2;
      y[1] = kRootHalf * odd1 + kRoot2 * odd2;
      y[2] = 0.5f * sum1 + 2.0f * sum2;
      y[3] = (0.5f * kRootHalf) * odd1 + (2.0f * kRoot2) * odd2 + m[5];
    }
  };

  struct OutputAdjoint {
    static constexpr int kFrom = 4, kTo = 6;
    DYCONV_INLINE static void Apply(const Vec* y, Vec* m) {
      const Vec even1 = y[0] + 0.5f * y[2], odd1 = kRootHalf * y[1] + (0.5f * kRootHalf) * y[3];
      const Vec even2 = y[0] + 2.0f * y[2], odd2 = kRoot2 * y[1] + (2.0f * kRoot2) * y[3];
      m[0] = y[0];
      m[1] = even1 + odd1;
      m[2] = even1 - odd1;
      m[3] = even2 + odd2;
      m[4] = even2 - odd2;
      m[5] = y[3];
    }
  };
};

// Calls visit(std::integral_constant<int, tile>).
template <typename Visit>
DYCONV_INLINE void WithTile(int64_t tile, const Visit& visit) {
  if (tile == 2) {
    visit(std::integral_constant<int, 2>());
  } else {
    visit(std::integral_constant<int, 4>());
  }
}

// Floats from one element of a square of vectors to the next, down and to the right.
struct Steps {
  int64_t down, right;
};

// to (+)= T from, along both axes.
template <typename T, bool kAdd = false>
DYCONV_INLINE void Transform(const float* from, Steps from_steps, float* to, Steps to_steps) {
  Vec half[T::kTo][T::kFrom];
#pragma GCC unroll 8
  for (int x = 0; x < T::kFrom; ++x) {
    Vec column[T::kFrom], made[T::kTo];
#pragma GCC unroll 8
    for (int y = 0; y < T::kFrom; ++y) column[y] = Load(from + y * from_steps.down + x * from_steps.right);
    T::Apply(column, made);
#pragma GCC unroll 8
    for (int y = 0; y < T::kTo; ++y) half[y][x] = made[y];
  }
#pragma GCC unroll 8
  for (int y = 0; y < T::kTo; ++y) {
    Vec made[T::kTo];
    T::Apply(half[y], made);
#pragma GCC unroll 8
    for (int x = 0; x < T::kTo; ++x) {
      float* at = to + y * to_steps.down + x * to_steps.right;
      Store(at, kAdd ? Load(at) + made[x] : made[x]);
    }
  }
}

// `high` x `wide` tiles of an image: pixels of their inputs and of their outputs, both row by row. Inputs
// overlap.
struct Tiling {
  int64_t tile;  // pixels of a tile's output along one axis
  int64_t high, wide;
  DYCONV_INLINE int64_t count() const { return high * wide; }
  DYCONV_INLINE int64_t input_w() const { return tile * wide + 2; }
  DYCONV_INLINE int64_t output_w() const { return tile * wide; }
  DYCONV_INLINE int64_t input_pixels() const { return (tile * high + 2) * input_w(); }
  DYCONV_INLINE int64_t output_pixels() const { return tile * high * output_w(); }
  DYCONV_INLINE int64_t input_pixel(int64_t i) const { return i / wide * tile * input_w() + i % wide * tile; }
  DYCONV_INLINE int64_t output_pixel(int64_t i) const {
    return i / wide * tile * output_w() + i % wide * tile;
  }
};

DYCONV_INLINE int64_t WholeVecs(int64_t floats) { return CeilDiv(floats, kLanes) * kLanes; }

// So many floats from one point of the transformed tile to the next.
template <int kTile>
DYCONV_INLINE Steps PointSteps(int64_t point) {
  return {(kTile + 2) * point, point};
}

// Rows of the experts that are mixed at once. Where few tiles share them, no mixture is kept: then it is the
// experts themselves that should stay in the L1 cache for all samples. Whole cache lines of the input.
DYCONV_INLINE int64_t WinogradRows(int64_t tiles, int64_t experts) {
  return tiles > kMaxRows ? kTileRows : CeilDiv(kTileRows / experts, 16) * 16;
}

// The products of all points with one panel of columns: for samples [first, first + samples) of `tiles` tiles
// each, sums[point][sample][tile][column] = the sum over rows of from[point][sample][tile][row] times the
// sample's mixture of the experts.
struct WinogradProduct {
  const float* from;
  PackedStrides strides;
  int64_t points;
  int64_t rows;
  int64_t samples;
  int64_t tiles;
  const float* packed;  // the panel's experts at the first point
  int64_t packed_point;
  Mixture mixture;  // of the first sample
  float* mixed;
  const int32_t* identity;
  float* sums;
  int64_t sums_point;
};

template <int kVecs>
void MultiplyPoints(const WinogradProduct& p) {
  static constexpr int64_t kNoOffset = 0;
  constexpr int64_t kWidth = kVecs * kLanes;
  // One kernel for all samples: their tiles are rows of one product.
  const bool together = p.mixture.attention == nullptr && p.strides.sample == p.tiles * p.strides.pixel;
  const int64_t samples = together ? 1 : p.samples, tiles = together ? p.samples * p.tiles : p.tiles;
  const int64_t step = WinogradRows(tiles, p.mixture.experts);
  for (int64_t point = 0; point < p.points; ++point) {
    for (int64_t row = 0; row < p.rows; row += step) {
      const int64_t rows = Min(step, p.rows - row);
      MixAndMultiply<kVecs>(
          p.packed + point * p.packed_point + row * p.mixture.experts * kWidth, p.mixture, samples, p.mixed,
          p.identity, p.identity, tiles, [&](int64_t i) {
            const float* from = p.from + point * p.strides.group + i * p.strides.sample + row;
            // Every point reads its own numbers, once a panel: the next samples' are still on their way.
            for (int64_t t = 0; !together && t < tiles; ++t) {
              const float* next = from + kMixSamples * p.strides.sample + t * p.strides.pixel;
              for (int64_t r = 0; r < rows; r += 16) __builtin_prefetch(next + r);
            }
            return GemmTask{from,
                            p.strides.pixel,
                            &kNoOffset,
                            1,
                            rows,
                            nullptr,
                            p.sums + point * p.sums_point + i * tiles * kWidth,
                            kWidth,
                            row > 0};
          });
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
