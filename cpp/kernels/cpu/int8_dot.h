// Sums of products of four uint8 with four int8, in int32. They are exact: no pair of products is saturated.
#pragma once

#if defined(__x86_64__)
#include <immintrin.h>
#elif defined(__aarch64__)
#include <arm_neon.h>
#endif

#include "kernels/cpu/bf16.h"
#include "kernels/cpu/micro.h"

namespace dyconv::kernels::DYCONV_ISA {

// What one run of weights is multiplied with.
template <int kRows>
struct Int8Run {
  const int8_t* weights;
  const uint8_t* rows[kRows];
};

DYCONV_INLINE uint32_t FourBytes(const uint8_t* from) {
  uint32_t four;
  std::memcpy(&four, from, sizeof(four));
  return four;
}
DYCONV_INLINE IntVec LoadInts(const void* from) {
  IntVec v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}
DYCONV_INLINE void StoreInts(void* to, IntVec v) { std::memcpy(to, &v, sizeof(v)); }
DYCONV_INLINE IntVec Ints(int32_t x) { return x - IntVec{}; }

// The bytes 0 and 2, and the bytes 1 and 3, of every lane as pairs of 16 bits.
typedef int16_t ShortVec __attribute__((vector_size(kLanes * sizeof(int32_t))));
struct BytePairs {
  ShortVec even, odd;
};
DYCONV_INLINE BytePairs SignedPairs(IntVec bytes) {
  const auto shorts = (ShortVec)bytes;
  return {shorts << 8 >> 8, shorts >> 8};
}
DYCONV_INLINE BytePairs UnsignedPairs(uint32_t bytes) {
  return {(ShortVec)Ints(static_cast<int32_t>(bytes & 0xff00ff)),
          (ShortVec)Ints(static_cast<int32_t>(bytes >> 8 & 0xff00ff))};
}

// Of every lane, the sum of the products of its two pairs of 16 bits.
DYCONV_INLINE IntVec PairProducts(ShortVec a, ShortVec b) {
#if defined(__AVX512BW__)
  return (IntVec)_mm512_madd_epi16((__m512i)a, (__m512i)b);
#elif defined(__AVX2__)
  return (IntVec)_mm256_madd_epi16((__m256i)a, (__m256i)b);
#elif defined(__x86_64__)
  return (IntVec)_mm_madd_epi16((__m128i)a, (__m128i)b);
#elif defined(__aarch64__)
  const auto x = (int16x8_t)a, y = (int16x8_t)b;
  return (IntVec)vpaddq_s32(vmull_s16(vget_low_s16(x), vget_low_s16(y)), vmull_high_s16(x, y));
#else
  const auto first = [](ShortVec v) { return (IntVec)v << 16 >> 16; };
  const auto second = [](ShortVec v) { return (IntVec)v >> 16; };
  return first(a) * first(b) + second(a) * second(b);
#endif
}

// Of every lane, the sum of the four products.
DYCONV_INLINE IntVec Dot(const BytePairs& x, const BytePairs& w) {
  return PairProducts(x.even, w.even) + PairProducts(x.odd, w.odd);
}

// sums[kRows][kVecs * kLanes] = the products of all runs, each with this number of groups of four.
template <int kRows, int kVecs>
__attribute__((noinline)) void Int8Tile(const Int8Run<kRows>* runs, int64_t count, int64_t groups,
                                        int32_t* sums) {
  IntVec acc[kRows][kVecs] = {};
  for (int64_t r = 0; r < count; ++r) {
    const int8_t* b = runs[r].weights;
    const uint8_t* row[kRows];
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) row[m] = runs[r].rows[m];
    for (int64_t g = 0; g < groups; ++g, b += kVecs * kLanes * 4) {
      BytePairs w[kVecs];
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) w[v] = SignedPairs(LoadInts(b + v * kLanes * 4));
#pragma GCC unroll 8
      for (int m = 0; m < kRows; ++m) {
        const BytePairs x = UnsignedPairs(FourBytes(row[m] + 4 * g));
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; ++v) acc[m][v] += Dot(x, w[v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) StoreInts(sums + (m * kVecs + v) * kLanes, acc[m][v]);
  }
}

#if defined(__AVX512F__)
// These instructions are not part of the instruction set of this build. HasVnni tests whether the CPU has
// them.
#define DYCONV_VNNI __attribute__((target("avx512vnni")))

inline bool HasVnni() { return __builtin_cpu_supports("avx512vnni"); }

// The same with the instruction that adds four products to each of 16 sums.
template <int kRows, int kVecs>
__attribute__((noinline)) DYCONV_VNNI void VnniTile(const Int8Run<kRows>* runs, int64_t count, int64_t groups,
                                                    int32_t* sums) {
  __m512i acc[kRows][kVecs];
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) acc[m][v] = _mm512_setzero_si512();
  }
  for (int64_t r = 0; r < count; ++r) {
    const int8_t* b = runs[r].weights;
    const uint8_t* row[kRows];
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) row[m] = runs[r].rows[m];
    for (int64_t g = 0; g < groups; ++g, b += kVecs * 64) {
      __m512i w[kVecs];
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) w[v] = _mm512_loadu_si512(b + v * 64);
#pragma GCC unroll 8
      for (int m = 0; m < kRows; ++m) {
        const __m512i x = _mm512_set1_epi32(static_cast<int32_t>(FourBytes(row[m] + 4 * g)));
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; ++v) acc[m][v] = _mm512_dpbusd_epi32(acc[m][v], x, w[v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) _mm512_storeu_si512(sums + (m * kVecs + v) * kLanes, acc[m][v]);
  }
}
#endif

template <int kRows, int kVecs>
DYCONV_INLINE void MultiplyInt8(const Int8Run<kRows>* runs, int64_t count, int64_t groups, int32_t* sums) {
#if defined(DYCONV_VNNI)
  if (HasVnni()) return VnniTile<kRows, kVecs>(runs, count, groups, sums);
#endif
  Int8Tile<kRows, kVecs>(runs, count, groups, sums);
}

}  // namespace dyconv::kernels::DYCONV_ISA
