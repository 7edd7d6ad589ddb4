// One vector register of floats of any width, through the compiler's vector extensions.
// Compiled once per instruction set: everything lives in namespace dyconv::kernels::DYCONV_ISA.
#pragma once

#include <cstdint>
#include <cstring>
#include <utility>

#include "kernels/kernel.h"

namespace dyconv::kernels::DYCONV_ISA {

// kMaxVecs x kMaxRows accumulators are the register tile. Together with one row of vectors and one broadcast
// number they fill the registers of the instruction set. NEON multiplies by a lane of a vector, so that the
// broadcast is an ordinary load there.
#if defined(__AVX512F__)
#define DYCONV_MAX_VECS 4
constexpr int kLanes = 16, kMaxRows = 6;
#elif defined(__AVX2__)
#define DYCONV_MAX_VECS 2
constexpr int kLanes = 8, kMaxRows = 6;
#elif defined(__aarch64__)
#define DYCONV_MAX_VECS 4
constexpr int kLanes = 4, kMaxRows = 6;
#else
#define DYCONV_MAX_VECS 2
constexpr int kLanes = 4, kMaxRows = 4;
#endif
constexpr int kMaxVecs = DYCONV_MAX_VECS;

// Floats of a cache line.
constexpr int kLine = 16;

typedef float Vec __attribute__((vector_size(kLanes * sizeof(float))));
typedef int32_t IntVec __attribute__((vector_size(kLanes * sizeof(int32_t))));

DYCONV_INLINE Vec Load(const float* from) {
  Vec v;
  std::memcpy(&v, from, sizeof(v));
  return v;
}
DYCONV_INLINE void Store(float* to, Vec v) { std::memcpy(to, &v, sizeof(v)); }
// Stores to aligned memory without the caches. For results that are larger than the caches: an ordinary store
// would first read each cache line from memory, and evict others. Other threads see the results after
// StreamFence.
DYCONV_INLINE void Stream(float* to, Vec v) {
#if defined(__AVX512F__)
  __builtin_ia32_movntps512(to, v);
#elif defined(__AVX2__)
  __builtin_ia32_movntps256(to, v);
#else
  Store(to, v);
#endif
}
DYCONV_INLINE void StreamFence() {
#if defined(__AVX2__)
  __builtin_ia32_sfence();
#endif
}
template <bool kStream>
DYCONV_INLINE void Put(float* to, Vec v) {
  kStream ? Stream(to, v) : Store(to, v);
}

DYCONV_INLINE Vec Set1(float x) { return x - Vec{}; }
DYCONV_INLINE float Sum(Vec v) {
  float sum = 0;
  for (int i = 0; i < kLanes; ++i) sum += v[i];
  return sum;
}

DYCONV_INLINE float Dot(const float* a, const float* b, int64_t size) {
  constexpr int kUnroll = 4;
  Vec sum[kUnroll] = {};
  int64_t i = 0;
  for (; i + kUnroll * kLanes <= size; i += kUnroll * kLanes) {
#pragma GCC unroll 4
    for (int v = 0; v < kUnroll; ++v) sum[v] += Load(a + i + v * kLanes) * Load(b + i + v * kLanes);
  }
  float dot = Sum((sum[0] + sum[1]) + (sum[2] + sum[3]));
  for (; i < size; ++i) dot += a[i] * b[i];
  return dot;
}

DYCONV_INLINE int64_t Min(int64_t a, int64_t b) { return a < b ? a : b; }
DYCONV_INLINE int64_t Max(int64_t a, int64_t b) { return a > b ? a : b; }
DYCONV_INLINE int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// The lanes kI of a and b together.
template <int... kI>
DYCONV_INLINE Vec Shuffle(Vec a, Vec b) {
#if defined(__clang__) || __GNUC__ >= 12
  return __builtin_shufflevector(a, b, kI...);
#else
  typedef int32_t Lanes __attribute__((vector_size(kLanes * sizeof(int32_t))));
  return __builtin_shuffle(a, b, Lanes{kI...});
#endif
}

// Swaps the off-diagonal blocks of size kStep of two rows.
template <int kStep, int... kJ>
DYCONV_INLINE void SwapBlocks(Vec& a, Vec& b, std::integer_sequence<int, kJ...>) {
  const Vec low = Shuffle<((kJ & kStep) ? kLanes + kJ - kStep : kJ)...>(a, b);
  const Vec high = Shuffle<((kJ & kStep) ? kLanes + kJ : kJ + kStep)...>(a, b);
  a = low;
  b = high;
}

template <int kStep>
DYCONV_INLINE void TransposeStage(Vec* rows) {
#pragma GCC unroll 16
  for (int i = 0; i < kLanes; ++i) {
    if ((i & kStep) == 0)
      SwapBlocks<kStep>(rows[i], rows[i + kStep], std::make_integer_sequence<int, kLanes>());
  }
}

// Transposes kLanes vectors in place: rows[i][j] <-> rows[j][i].
DYCONV_INLINE void Transpose(Vec* rows) {
  if constexpr (kLanes > 8) TransposeStage<8>(rows);
  if constexpr (kLanes > 4) TransposeStage<4>(rows);
  TransposeStage<2>(rows);
  TransposeStage<1>(rows);
}

// Adds pairs of 2 * kCount vectors to kCount, until one is left.
template <int kCount>
DYCONV_INLINE void SumPairs(Vec* vectors) {
#pragma GCC unroll 8
  for (int i = 0; i < kCount; ++i) {
    SwapBlocks<kCount>(vectors[i], vectors[i + kCount], std::make_integer_sequence<int, kLanes>());
    vectors[i] += vectors[i + kCount];
  }
  if constexpr (kCount > 1) SumPairs<kCount / 2>(vectors);
}

// The sums of the lanes of kLanes vectors, as one vector; overwrites them.
DYCONV_INLINE Vec SumEach(Vec* vectors) {
  SumPairs<kLanes / 2>(vectors);
  return vectors[0];
}

}  // namespace dyconv::kernels::DYCONV_ISA
