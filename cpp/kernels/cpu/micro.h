// The two register-tiled products everything else is made of.
#pragma once

#include "kernels/cpu/vec.h"

namespace dyconv::kernels::DYCONV_ISA {

// Calls visit(std::integral_constant<int, n>) for n in [kLeast, kMost] known at run time.
template <int kMost, int kLeast = 1, typename Visit>
DYCONV_INLINE void WithConstant(int64_t n, const Visit& visit) {
  if constexpr (kMost == kLeast) {
    visit(std::integral_constant<int, kLeast>());
  } else {
    if (n == kMost) {
      visit(std::integral_constant<int, kMost>());
    } else {
      WithConstant<kMost - 1, kLeast>(n, visit);
    }
  }
}

// Rows of each of the even register tiles of `count` rows: a thin one would wait for its own sums. Of more
// than kMaxRows, the first has kLeastRows at least.
DYCONV_INLINE int64_t FirstTileRows(int64_t count) { return CeilDiv(count, CeilDiv(count, kMaxRows)); }
constexpr int kLeastRows = kMaxRows / 2 + 1;

// Calls visit(std::integral_constant<int, rows>, first row) for those tiles.
template <typename Visit>
DYCONV_INLINE void ForEachRegisterTile(int64_t count, const Visit& visit) {
  for (int64_t tiles = CeilDiv(count, kMaxRows), first = 0; tiles > 0; --tiles) {
    const int64_t rows = CeilDiv(count - first, tiles);
    WithConstant<kMaxRows>(rows, [&](auto n) { visit(n, first); });
    first += rows;
  }
}

// acc[m] += sum over i < length of row[m][i] * b[i], where a row of b is kVecs vectors. Returns the end of b.
template <int kRows, int kVecs>
DYCONV_INLINE const float* AddProducts(const float* const* row, int64_t length, const float* b,
                                       Vec (*acc)[kVecs]) {
  for (int64_t i = 0; i < length; ++i, b += kVecs * kLanes) {
    Vec w[kVecs];
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) w[v] = Load(b + v * kLanes);
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) {
      const Vec x = Set1(row[m][i]);
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) acc[m][v] += x * w[v];
    }
  }
  return b;
}

// C[c_pixels[m]] (+)= sum over segments s and rows i of A[a_pixels[m]][offsets[s] + i] * B[s * length + i].
// Pixels index rows of lda and ldc floats; B is dense, kVecs vectors a row. No im2col: a segment is one tap.
struct GemmTask {
  const float* a;
  int64_t lda;
  const int64_t* offsets;
  int64_t segments;
  int64_t length;
  const float* b;
  float* c;
  int64_t ldc;
  bool accumulate;
};

// All `count` rows of a product. Compiled once for all kernels, in gemm.cc.
template <int kVecs>
void Gemm(const GemmTask& task, const int32_t* a_pixels, const int32_t* c_pixels, int64_t count);

// The first rows of the products of one or two samples whose B are still to be mixed from packed experts
// [row][expert][vecs], so that mixing hides behind the products.
struct MixTask {
  const float* packed;
  const float* shares;  // [expert][sample]; those of the first expert are 1 for a relative tile
  int64_t experts;
  float* mixed;    // where each B is kept, if it is
  int64_t stride;  // floats from one to the next
};

// A register tile of one or two samples.
using MixTile = void (*)(const MixTask& mix, const GemmTask* tasks, const int32_t* a_pixels,
                         const int32_t* c_pixels);

// The one of so many rows for `samples` samples: 1 to kMaxRows for one whose B is not kept, kLeastRows to
// kMaxRows where it is kept, kMaxRows / 2 for two, which keep theirs. Compiled likewise.
template <int kVecs>
MixTile MixTileOf(bool relative, bool keep, int64_t samples, int64_t rows);

// C[m] (+)= sum over p of A[a_pixels[p] * lda + m] * B[b_pixels[p] * ldb], rows of C are kVecs vectors.
struct OuterTask {
  const float* a;
  int64_t lda;
  const int32_t* a_pixels;
  const float* b;
  int64_t ldb;
  const int32_t* b_pixels;
  int64_t count;
  float* c;
  bool accumulate;
};

// acc (+)= the outer product of kRows numbers and kVecs vectors.
template <int kRows, int kVecs, bool kAdd>
DYCONV_INLINE void OuterStep(const float* a, const float* b, Vec (*acc)[kVecs]) {
  Vec x[kVecs];
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) x[v] = Load(b + v * kLanes);
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
    const Vec g = Set1(a[m]);
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) acc[m][v] = kAdd ? acc[m][v] + g * x[v] : g * x[v];
  }
}

template <int kRows, int kVecs>
void OuterTile(const OuterTask& task) {
  Vec acc[kRows][kVecs];
  const auto a = [&](int64_t p) { return task.a + task.a_pixels[p] * task.lda; };
  const auto b = [&](int64_t p) { return task.b + task.b_pixels[p] * task.ldb; };
  // There is a first pixel; few pixels feel whether accumulators are cleared or made by its product.
  if (task.accumulate) {
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) acc[m][v] = Load(task.c + (m * kVecs + v) * kLanes);
    }
    OuterStep<kRows, kVecs, true>(a(0), b(0), acc);
  } else {
    OuterStep<kRows, kVecs, false>(a(0), b(0), acc);
  }
  for (int64_t p = 1; p < task.count; ++p) OuterStep<kRows, kVecs, true>(a(p), b(p), acc);
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) Store(task.c + (m * kVecs + v) * kLanes, acc[m][v]);
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
