// The products of GemmTask and MixTask: the largest part of the code of the kernels, compiled once for all of
// them.
#include "kernels/cpu/micro.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// Each register tile is a function of its own: in a common function, the compiler would spill accumulators.
#define DYCONV_TILE __attribute__((noinline))

template <int kRows, int kVecs>
DYCONV_TILE void GemmTile(const GemmTask& task, const int32_t* a_pixels, const int32_t* c_pixels) {
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
    b = AddProducts<kRows, kVecs>(row, task.length, b, acc);
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) Store(c[m] + v * kLanes, acc[m][v]);
  }
}

template <int kSamples, int kRows, int kVecs, bool kKeep, bool kRelative>
DYCONV_TILE void MixGemmTile(const MixTask& mix, const GemmTask* tasks, const int32_t* a_pixels,
                             const int32_t* c_pixels) {
  const float *packed = mix.packed, *shares = mix.shares;
  const int64_t experts = mix.experts, stride = mix.stride;
  float* mixed = mix.mixed;
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

template <int kVecs, bool kRelative>
MixTile MixTileAs(bool keep, int64_t samples, int64_t rows) {
  MixTile tile = MixGemmTile<2, kMaxRows / 2, kVecs, true, kRelative>;
  if (!keep) {
    WithConstant<kMaxRows>(rows, [&](auto n) { tile = MixGemmTile<1, n(), kVecs, false, kRelative>; });
  } else if (samples == 1) {
    WithConstant<kMaxRows, kLeastRows>(rows,
                                       [&](auto n) { tile = MixGemmTile<1, n(), kVecs, true, kRelative>; });
  }
  return tile;
}

}  // namespace

template <int kVecs>
void Gemm(const GemmTask& task, const int32_t* a_pixels, const int32_t* c_pixels, int64_t count) {
  ForEachRegisterTile(
      count, [&](auto rows, int64_t p) { GemmTile<rows(), kVecs>(task, a_pixels + p, c_pixels + p); });
}

template <int kVecs>
MixTile MixTileOf(bool relative, bool keep, int64_t samples, int64_t rows) {
  return relative ? MixTileAs<kVecs, true>(keep, samples, rows)
                  : MixTileAs<kVecs, false>(keep, samples, rows);
}

#define DYCONV_GEMM(vecs)                                                             \
  template void Gemm<vecs>(const GemmTask&, const int32_t*, const int32_t*, int64_t); \
  template MixTile MixTileOf<vecs>(bool, bool, int64_t, int64_t);
DYCONV_GEMM(1)
DYCONV_GEMM(2)
#if DYCONV_MAX_VECS > 2
DYCONV_GEMM(3)
DYCONV_GEMM(4)
#endif
#undef DYCONV_GEMM

}  // namespace dyconv::kernels::DYCONV_ISA
