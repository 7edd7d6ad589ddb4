// The transforms of Winograd's F(n, 3), n to 4, and F(n, 5), n to 3, made from their points: Lavin and Gray,
// arXiv 1509.09308; docs/dynamic-convolution.md.
//
// Outputs y and weights g are coefficients of polynomials. A correlation is the adjoint of their product,
// which is known from its values at n + 2 points. So y and g are taken to the points by evaluation, and the
// input by the adjoint of interpolation; gradients and results come back by the adjoints of all three.
#pragma once

#include "kernels/cpu/vec.h"

namespace dyconv::kernels::DYCONV_ISA {

// Every tile has the point ∞, which comes first, and as many of the finite ones as it needs: of the first
// list where whole tiles have up to six points, of the second for seven. The usual 0, ±1, ±2 would double the
// roundings.
constexpr double kRoot2 = 1.4142135623730951;
constexpr double kPointsOfSix[] = {0, kRoot2, -kRoot2, 1 / kRoot2, -1 / kRoot2};
constexpr double kPointsOfSeven[] = {0.85, -0.85, 0.3, -0.3, 1.8, -1.8};
constexpr const double* FinitePoints(int all_points) {
  return all_points == 7 ? kPointsOfSeven : kPointsOfSix;
}

template <int kRowCount, int kColumnCount>
struct Matrix {
  static constexpr int kRows = kRowCount, kColumns = kColumnCount;
  double at[kRows][kColumns] = {};

  // Whether rows `i` and i + 1 belong to points ±p: equal except for the sign of odd powers.
  constexpr bool Mirrored(int i) const {
    for (int j = 0; j < kColumns; ++j) {
      const double difference = at[i + 1][j] - (j % 2 == 0 ? at[i][j] : -at[i][j]);
      if (difference > 1e-9 || difference < -1e-9) return false;
    }
    return true;
  }
  // Whether row `i` begins such a pair. The row of ∞ is in none.
  constexpr bool BeginsPair(int i) const {
    return i > 0 && i + 1 < kRows && Mirrored(i) && !BeginsPair(i - 1);
  }
};

// The product of p - q over the first `count` points q but p, the one at `i`.
constexpr double Distances(const double* points, int i, int count) {
  double product = 1;
  for (int j = 0; j < count; ++j) product *= j == i ? 1 : points[i] - points[j];
  return product;
}

// row = the coefficients of the product of x - q over the first `count` points q but that at `i`.
constexpr void Vanishing(const double* points, int i, int count, double* row) {
  row[0] = 1;
  for (int j = 0, degree = 0; j < count; ++j) {
    if (j == i) continue;
    row[++degree] = 0;
    for (int d = degree; d > 0; --d) row[d] = row[d - 1] - points[j] * row[d];
    row[0] *= -points[j];
  }
}

// The values of a polynomial with this number of coefficients at the first kPoints of kAllPoints points.
template <int kAllPoints, int kPoints, int kCoefficients>
constexpr auto Evaluation() {
  Matrix<kPoints, kCoefficients> made;
  made.at[0][kCoefficients - 1] = 1;
  for (int i = 0; i < kPoints - 1; ++i) {
    double power = 1;
    for (int j = 0; j < kCoefficients; ++j, power *= FinitePoints(kAllPoints)[i]) made.at[i + 1][j] = power;
  }
  return made;
}

// The denominators of the interpolation go into the weights, which leaves ones in the inputs' matrices.
template <int kPoints, int kKernel>
constexpr auto WeightMatrix() {
  auto made = Evaluation<kPoints, kPoints, kKernel>();
  for (int i = 0; i < kPoints - 1; ++i) {
    for (double& x : made.at[i + 1]) x /= Distances(FinitePoints(kPoints), i, kPoints - 1);
  }
  return made;
}

// At the first kPoints points, for weights that were transformed to kAllPoints.
template <int kAllPoints, int kPoints>
constexpr auto InputMatrix() {
  constexpr auto kFinite = FinitePoints(kAllPoints);
  Matrix<kPoints, kPoints> made;
  Vanishing(kFinite, -1, kPoints - 1, made.at[0]);
  for (int i = 0; i < kPoints - 1; ++i) {
    Vanishing(kFinite, i, kPoints - 1, made.at[i + 1]);
    for (double& x : made.at[i + 1]) {
      x *= Distances(kFinite, i, kAllPoints - 1) / Distances(kFinite, i, kPoints - 1);
    }
  }
  return made;
}

// To the points: weights of kKernel taps for tiles of kTile outputs, and a tile of kOutputs among those.
template <int kKernel, int kTile>
struct Weights {
  static constexpr auto kMatrix = WeightMatrix<kTile + kKernel - 1, kKernel>();
};
template <int kKernel, int kTile, int kOutputs>
struct Inputs {
  static constexpr auto kMatrix = InputMatrix<kTile + kKernel - 1, kOutputs + kKernel - 1>();
};
template <int kKernel, int kTile, int kOutputs>
struct Outputs {
  static constexpr auto kMatrix = Evaluation<kTile + kKernel - 1, kOutputs + kKernel - 1, kOutputs>();
};

// visit(std::integral_constant<int, i>) for i = 0 .. kCount - 1.
template <int kCount, typename Visit>
DYCONV_INLINE void Unroll(const Visit& visit) {
  [&]<int... kI>(std::integer_sequence<int, kI...>) DYCONV_ALWAYS_INLINE {
    (visit(std::integral_constant<int, kI>()), ...);
  }
  (std::make_integer_sequence<int, kCount>());
}

// A sum of vectors times elements of T's matrix, of which 0 and ±1 cost nothing.
template <typename T>
struct Terms {
  Vec sum{};
  bool empty = true;

  template <int kRow, int kColumn>
  DYCONV_INLINE void Add(const Vec& x) {
    constexpr double kFactor = T::kMatrix.at[kRow][kColumn];
    if constexpr (kFactor != 0) {
      const Vec term = kFactor == 1 ? x : kFactor == -1 ? -x : static_cast<float>(kFactor) * x;
      sum = empty ? term : sum + term;
      empty = false;
    }
  }
};

// The matrix of T as a transform; the rows of points ±p share their sums of even and of odd powers.
template <typename T>
struct ToPoints {
  static constexpr int kFrom = T::kMatrix.kColumns, kTo = T::kMatrix.kRows;

  DYCONV_INLINE static void Apply(const Vec* from, Vec* to) {
    Unroll<kTo>([&](auto i) DYCONV_ALWAYS_INLINE {
      if constexpr (T::kMatrix.BeginsPair(i() - 1)) return;
      Terms<T> even, odd;
      Unroll<kFrom>([&](auto j) DYCONV_ALWAYS_INLINE {
        (j() % 2 == 0 ? even : odd).template Add<i(), j()>(from[j()]);
      });
      to[i()] = even.sum + odd.sum;
      if constexpr (T::kMatrix.BeginsPair(i())) to[i() + 1] = even.sum - odd.sum;
    });
  }
};

// Its adjoint.
template <typename T>
struct FromPoints {
  static constexpr int kFrom = T::kMatrix.kRows, kTo = T::kMatrix.kColumns;

  DYCONV_INLINE static void Apply(const Vec* from, Vec* to) {
    Unroll<kTo>([&](auto j) DYCONV_ALWAYS_INLINE {
      Terms<T> terms;
      Unroll<kFrom>([&](auto i) DYCONV_ALWAYS_INLINE { terms.template Add<i(), j()>(from[i()]); });
      to[j()] = terms.sum;
    });
  }
};

}  // namespace dyconv::kernels::DYCONV_ISA
