// Products of matrices of bfloat16 with FEAT_BF16 of ARM, for dynamic_conv_bf16.cc. BFMMLA multiplies two
// rows of four numbers with two columns of four, so that the sums are blocks of 2 x 2.
#pragma once

#include <arm_neon.h>

#include "kernels/cpu/bf16_task.h"
#include "kernels/dispatch.h"

// These instructions are not part of the instruction set of this build. HasBf16 tests whether the CPU has
// them.
#define DYCONV_BF16 __attribute__((target("arch=armv8.2-a+bf16")))

namespace dyconv::kernels::DYCONV_ISA {

constexpr int kBf16Rows = 4;

inline bool HasBf16() { return HasArmBf16(); }

// acc += the products of four numbers from every a[m] + i on with a group of rows of B. The sums of columns
// 2 * h and 2 * h + 1 of a vector of columns are acc[row / 2][vector][h].
template <int kRows, int kVecs>
DYCONV_INLINE DYCONV_BF16 void Bf16Step(const uint16_t* const* a, int64_t i, const uint16_t* b,
                                        float32x4_t (*acc)[kVecs][2]) {
  constexpr int kPairs = (kRows + 1) / 2;
  bfloat16x8_t x[kPairs];
#pragma GCC unroll 8
  for (int m = 0; m < kPairs; ++m) {
    x[m] = vreinterpretq_bf16_u16(
        vcombine_u16(vld1_u16(a[2 * m] + i), vld1_u16(a[2 * m + (2 * m + 1 < kRows)] + i)));
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) {
#pragma GCC unroll 2
    for (int h = 0; h < 2; ++h) {
      const bfloat16x8_t w = vreinterpretq_bf16_u16(vld1q_u16(b + v * 16 + h * 8));
#pragma GCC unroll 8
      for (int m = 0; m < kPairs; ++m) acc[m][v][h] = vbfmmlaq_f32(acc[m][v][h], x[m], w);
    }
  }
}

DYCONV_INLINE float32x4_t LowHalves(float32x4_t a, float32x4_t b) {
  return vcombine_f32(vget_low_f32(a), vget_low_f32(b));
}
DYCONV_INLINE float32x4_t HighHalves(float32x4_t a, float32x4_t b) {
  return vcombine_f32(vget_high_f32(a), vget_high_f32(b));
}

template <int kRows, int kVecs>
DYCONV_BF16 void Bf16Tile(const Bf16Task& task, const int32_t* a_pixels, const int32_t* c_pixels) {
  constexpr int kPairs = (kRows + 1) / 2;
  float32x4_t acc[kPairs][kVecs][2];
  const uint16_t* a[kRows];
  float* c[kRows];
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
    a[m] = task.a + a_pixels[m] * task.lda;
    c[m] = task.c + c_pixels[m] * task.ldc;
  }
#pragma GCC unroll 8
  for (int m = 0; m < kPairs; ++m) {
    const int second = 2 * m + (2 * m + 1 < kRows);  // the same row again if the number of rows is odd
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      const float32x4_t zero = vdupq_n_f32(0);
      const float32x4_t upper = task.accumulate ? vld1q_f32(c[2 * m] + v * 4) : zero;
      const float32x4_t lower = task.accumulate ? vld1q_f32(c[second] + v * 4) : zero;
      acc[m][v][0] = LowHalves(upper, lower);
      acc[m][v][1] = HighHalves(upper, lower);
    }
  }
  const uint16_t* b = task.b;
  for (int64_t s = 0; s < task.segments; ++s) {
    const int64_t first = task.offsets[s], last = first + task.length;
    int64_t i = first;
    for (; i + 4 <= last; i += 4, b += kVecs * 16) Bf16Step<kRows, kVecs>(a, i, b, acc);
    if (i < last) {
      uint16_t ends[kRows][4] = {};
      const uint16_t* end[kRows];
      for (int m = 0; m < kRows; ++m) {
        for (int64_t j = i; j < last; ++j) ends[m][j - i] = a[m][j];
        end[m] = ends[m];
      }
      Bf16Step<kRows, kVecs>(end, 0, b, acc);
      b += kVecs * 16;
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kPairs; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      vst1q_f32(c[2 * m] + v * 4, LowHalves(acc[m][v][0], acc[m][v][1]));
      if (2 * m + 1 < kRows) vst1q_f32(c[2 * m + 1] + v * 4, HighHalves(acc[m][v][0], acc[m][v][1]));
    }
  }
}

// `rows` rows of mixed experts, at most four, rounded; those that are lacking are zeros.
template <int kSamples, int kVecs>
DYCONV_INLINE DYCONV_BF16 void MixGroup(const float* packed, const float* attention, int64_t experts,
                                        int64_t rows, uint16_t* mixed, int64_t stride) {
  const int64_t row = experts * kVecs * kLanes;
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) {
    Vec acc[kSamples][4] = {};
    for (int64_t k = 0; k < experts; ++k) {
      const float* from = packed + (k * kVecs + v) * kLanes;
#pragma GCC unroll 4
      for (int r = 0; r < 4; ++r) {
        const Vec w = r < rows ? Load(from + r * row) : Vec{};
#pragma GCC unroll 8
        for (int s = 0; s < kSamples; ++s) acc[s][r] += attention[s * experts + k] * w;
      }
    }
#pragma GCC unroll 8
    for (int s = 0; s < kSamples; ++s) {
      Transpose(acc[s]);  // rows of a column are adjacent
      uint16_t* to = mixed + s * stride + v * 16;
#pragma GCC unroll 2
      for (int h = 0; h < 2; ++h) {
        const bfloat16x8_t first = vcvtq_low_bf16_f32((float32x4_t)acc[s][2 * h]);
        const bfloat16x8_t both = vcvtq_high_bf16_f32(first, (float32x4_t)acc[s][2 * h + 1]);
        vst1q_u16(to + h * 8, vreinterpretq_u16_bf16(both));
      }
    }
  }
}

// Mixes the segments of a tile as Bf16Task requires them.
template <int kSamples, int kVecs>
DYCONV_BF16 void MixGroups(const float* packed, const float* attention, int64_t experts, int64_t segments,
                           int64_t length, uint16_t* mixed, int64_t stride) {
  const int64_t row = experts * kVecs * kLanes;
  for (int64_t s = 0; s < segments; ++s) {
    int64_t r = 0;
    for (; r + 4 <= length; r += 4, packed += 4 * row, mixed += kVecs * 16) {
      MixGroup<kSamples, kVecs>(packed, attention, experts, 4, mixed, stride);
    }
    if (r < length) {
      MixGroup<kSamples, kVecs>(packed, attention, experts, length - r, mixed, stride);
      packed += (length - r) * row;
      mixed += kVecs * 16;
    }
  }
}

inline DYCONV_BF16 void RoundToBf16(const float* from, int64_t count, uint16_t* to) {
  for (int64_t i = 0; i < count; i += 8) {
    const bfloat16x8_t first = vcvtq_low_bf16_f32(vld1q_f32(from + i));
    vst1q_u16(to + i, vreinterpretq_u16_bf16(vcvtq_high_bf16_f32(first, vld1q_f32(from + i + 4))));
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
