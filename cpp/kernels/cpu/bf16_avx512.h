// Products of pairs of bfloat16 with AVX512_BF16, for dynamic_conv_bf16.cc.
#pragma once

#include <immintrin.h>

#include "kernels/cpu/bf16_task.h"

// These instructions are not part of the instruction set of this build. HasBf16 tests whether the CPU has
// them.
#define DYCONV_BF16 __attribute__((target("avx512bf16")))

namespace dyconv::kernels::DYCONV_ISA {

constexpr int kBf16Rows = 2;

inline bool HasBf16() { return __builtin_cpu_supports("avx512bf16"); }

// acc += the products of kCount (1 or 2) numbers from a[m] + i on with a pair of rows of B.
template <int kRows, int kVecs, int kCount>
DYCONV_INLINE DYCONV_BF16 void Bf16Step(const uint16_t* const* a, int64_t i, const uint16_t* b,
                                        __m512 (*acc)[kVecs]) {
  __m512bh w[kVecs];
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) w[v] = (__m512bh)_mm512_loadu_si512(b + v * 32);
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
    int32_t pair = 0;
    std::memcpy(&pair, a[m] + i, kCount * sizeof(uint16_t));
    const __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) acc[m][v] = _mm512_dpbf16_ps(acc[m][v], x, w[v]);
  }
}

template <int kRows, int kVecs>
DYCONV_BF16 void Bf16Tile(const Bf16Task& task, const int32_t* a_pixels, const int32_t* c_pixels) {
  __m512 acc[kRows][kVecs];
  const uint16_t* a[kRows];
  float* c[kRows];
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
    a[m] = task.a + a_pixels[m] * task.lda;
    c[m] = task.c + c_pixels[m] * task.ldc;
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v)
      acc[m][v] = task.accumulate ? _mm512_loadu_ps(c[m] + v * 16) : _mm512_setzero_ps();
  }
  const uint16_t* b = task.b;
  for (int64_t s = 0; s < task.segments; ++s) {
    const int64_t first = task.offsets[s], last = first + task.length;
    int64_t i = first;
    for (; i + 2 <= last; i += 2, b += kVecs * 32) Bf16Step<kRows, kVecs, 2>(a, i, b, acc);
    if (i < last) {
      Bf16Step<kRows, kVecs, 1>(a, i, b, acc);
      b += kVecs * 32;
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) _mm512_storeu_ps(c[m] + v * 16, acc[m][v]);
  }
}

// Rows r and r + 1 of mixed experts, rounded and interleaved; without the second, its place is zeros.
template <int kSamples, int kVecs, bool kSecond>
DYCONV_INLINE DYCONV_BF16 void MixPair(const float* packed, const float* attention, int64_t experts,
                                       __m512i order, uint16_t* mixed, int64_t stride) {
  const int64_t row = experts * kVecs * kLanes;
  __m512 acc[kSamples][2][kVecs];
#pragma GCC unroll 8
  for (int s = 0; s < kSamples; ++s) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) acc[s][0][v] = acc[s][1][v] = _mm512_setzero_ps();
  }
  for (int64_t k = 0; k < experts; ++k) {
#pragma GCC unroll 2
    for (int half = 0; half <= kSecond; ++half) {
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) {
        const __m512 w = _mm512_loadu_ps(packed + half * row + (k * kVecs + v) * kLanes);
#pragma GCC unroll 8
        for (int s = 0; s < kSamples; ++s) {
          acc[s][half][v] = _mm512_fmadd_ps(_mm512_set1_ps(attention[s * experts + k]), w, acc[s][half][v]);
        }
      }
    }
  }
#pragma GCC unroll 8
  for (int s = 0; s < kSamples; ++s) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(acc[s][1][v], acc[s][0][v]);
      _mm512_storeu_si512(mixed + s * stride + v * 32, _mm512_permutexvar_epi16(order, both));
    }
  }
}

// Mixes the segments of a tile as Bf16Task requires them.
template <int kSamples, int kVecs>
DYCONV_BF16 void MixGroups(const float* packed, const float* attention, int64_t experts, int64_t segments,
                           int64_t length, uint16_t* mixed, int64_t stride) {
  alignas(64) uint16_t interleave[32];
  for (int i = 0; i < 32; ++i) interleave[i] = static_cast<uint16_t>(i / 2 + i % 2 * 16);
  const __m512i order = _mm512_load_si512(interleave);
  const int64_t row = experts * kVecs * kLanes;
  for (int64_t s = 0; s < segments; ++s) {
    int64_t r = 0;
    for (; r + 2 <= length; r += 2, packed += 2 * row, mixed += kVecs * 32) {
      MixPair<kSamples, kVecs, true>(packed, attention, experts, order, mixed, stride);
    }
    if (r < length) {
      MixPair<kSamples, kVecs, false>(packed, attention, experts, order, mixed, stride);
      packed += row;
      mixed += kVecs * 32;
    }
  }
}

inline DYCONV_BF16 void RoundToBf16(const float* from, int64_t count, uint16_t* to) {
  for (int64_t i = 0; i < count; i += 32) {
    const __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + i + 16), _mm512_loadu_ps(from + i));
    _mm512_storeu_si512(to + i, (__m512i)both);
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
