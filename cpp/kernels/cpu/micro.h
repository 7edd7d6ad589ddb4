// The two register-tiled products everything else is made of.
#pragma once

#include "kernels/cpu/vec.h"

namespace dyconv::kernels::DYCONV_ISA {

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

template <int kRows, int kVecs>
void GemmTile(const GemmTask& task, const int32_t* a_pixels, const int32_t* c_pixels) {
  Vec acc[kRows][kVecs];
  const float* a[kRows];
  float* c[kRows];
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
    a[m] = task.a + a_pixels[m] * task.lda;
    c[m] = task.c + c_pixels[m] * task.ldc;
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) acc[m][v] = task.accumulate ? Load(c[m] + v * kLanes) : Vec{};
  }
  const float* b = task.b;
  for (int64_t s = 0; s < task.segments; ++s) {
    const float* row[kRows];
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) row[m] = a[m] + task.offsets[s];
    for (int64_t i = 0; i < task.length; ++i, b += kVecs * kLanes) {
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
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) Store(c[m] + v * kLanes, acc[m][v]);
  }
}

// The same for the first kRows of the products of kSamples samples whose B are still to be mixed from packed
// experts [row][expert][vecs], so that mixing hides behind the products. With kKeep each B is filled on the
// way, `stride` floats apart. `shares` is [expert][sample]; with kRelative the first expert's are 1.
template <int kSamples, int kRows, int kVecs, bool kKeep, bool kRelative>
void MixGemmTile(const GemmTask* tasks, const float* packed, const float* shares, int64_t experts,
                 float* mixed, int64_t stride, const int32_t* a_pixels, const int32_t* c_pixels) {
  Vec acc[kSamples][kRows][kVecs];
  const float* a[kSamples][kRows];
#pragma GCC unroll 8
  for (int n = 0; n < kSamples; ++n) {
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) {
      a[n][m] = tasks[n].a + a_pixels[m] * tasks[n].lda;
      const float* c = tasks[n].c + c_pixels[m] * tasks[n].ldc;
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) acc[n][m][v] = tasks[n].accumulate ? Load(c + v * kLanes) : Vec{};
    }
  }
  for (int64_t s = 0; s < tasks[0].segments; ++s) {
    const int64_t offset = tasks[0].offsets[s];
    for (int64_t i = offset; i < offset + tasks[0].length; ++i) {
#pragma GCC unroll 8
      for (int n = 0; n < kSamples; ++n) {
        Vec w[kVecs];
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; ++v) {
          w[v] = Load(packed + v * kLanes);
          if constexpr (!kRelative) w[v] *= shares[n];
        }
        for (int64_t k = 1; k < experts; ++k) {
#pragma GCC unroll 8
          for (int v = 0; v < kVecs; ++v)
            w[v] += shares[k * kSamples + n] * Load(packed + (k * kVecs + v) * kLanes);
        }
#pragma GCC unroll 8
        for (int v = 0; kKeep && v < kVecs; ++v) Store(mixed + n * stride + v * kLanes, w[v]);
#pragma GCC unroll 8
        for (int m = 0; m < kRows; ++m) {
          const Vec x = Set1(a[n][m][i]);
#pragma GCC unroll 8
          for (int v = 0; v < kVecs; ++v) acc[n][m][v] += x * w[v];
        }
      }
      packed += experts * kVecs * kLanes;
      if constexpr (kKeep) mixed += kVecs * kLanes;
    }
  }
#pragma GCC unroll 8
  for (int n = 0; n < kSamples; ++n) {
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) {
      float* c = tasks[n].c + c_pixels[m] * tasks[n].ldc;
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) Store(c + v * kLanes, acc[n][m][v]);
    }
  }
}

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

// Calls visit(std::integral_constant<int, n>) for n in [1, kMax] known at run time.
template <int kMax, typename Visit>
DYCONV_INLINE void WithConstant(int64_t n, const Visit& visit) {
  if constexpr (kMax == 1) {
    visit(std::integral_constant<int, 1>());
  } else {
    if (n == kMax) {
      visit(std::integral_constant<int, kMax>());
    } else {
      WithConstant<kMax - 1>(n, visit);
    }
  }
}

// Calls visit(std::integral_constant<int, rows>, first row) for even register tiles of `count` rows: a thin
// one would wait for its own sums.
template <typename Visit>
DYCONV_INLINE void ForEachRegisterTile(int64_t count, const Visit& visit) {
  for (int64_t tiles = CeilDiv(count, kMaxRows), first = 0; tiles > 0; --tiles) {
    const int64_t rows = CeilDiv(count - first, tiles);
    WithConstant<kMaxRows>(rows, [&](auto n) { visit(n, first); });
    first += rows;
  }
}

// All rows of a GEMM.
template <int kVecs>
void Gemm(const GemmTask& task, const int32_t* a_pixels, const int32_t* c_pixels, int64_t count) {
  ForEachRegisterTile(
      count, [&](auto rows, int64_t p) { GemmTile<rows(), kVecs>(task, a_pixels + p, c_pixels + p); });
}

}  // namespace dyconv::kernels::DYCONV_ISA
