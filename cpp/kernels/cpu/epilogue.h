// The last step of kernels, on vectors that are still in registers, and parts of vectors.
#pragma once

#if defined(__AVX2__)
#include <immintrin.h>
#endif

#include "kernels/cpu/activation.h"

namespace dyconv::kernels::DYCONV_ISA {

#if defined(__AVX2__) && !defined(__AVX512F__)
// All bits of the first `count` lanes.
DYCONV_INLINE __m256i LaneMask(int64_t count) {
  static constexpr int32_t kBits[2 * kLanes] = {-1, -1, -1, -1, -1, -1, -1, -1};
  return _mm256_loadu_si256(reinterpret_cast<const __m256i*>(kBits + kLanes - count));
}
#endif

// The first `count` floats, 1 to kLanes, and zeros beyond, which are not read.
DYCONV_INLINE Vec LoadPart(const float* from, int64_t count) {
#if defined(__AVX512F__)
  return _mm512_maskz_loadu_ps(static_cast<__mmask16>((1u << count) - 1), from);
#elif defined(__AVX2__)
  return _mm256_maskload_ps(from, LaneMask(count));
#else
  Vec part = {from[0]};
  for (int i = 1; i < kLanes; ++i) part[i] = i < count ? from[i] : 0.0f;
  return part;
#endif
}
DYCONV_INLINE void StorePart(float* to, Vec v, int64_t count) {
#if defined(__AVX512F__)
  _mm512_mask_storeu_ps(to, static_cast<__mmask16>((1u << count) - 1), v);
#elif defined(__AVX2__)
  _mm256_maskstore_ps(to, LaneMask(count), v);
#else
  for (int i = 0; i < kLanes; ++i) {
    if (i < count) to[i] = v[i];
  }
#endif
}

// Stores kRows x kVecs sums, to which the bias has been added, as rows of `step` floats of which `columns`
// exist (kLanes * (kVecs - 1) at least).
template <int kRows, int kVecs>
DYCONV_INLINE void StoreSums(Vec (*sums)[kVecs], const Epilogue& epilogue, int64_t at, int64_t step,
                             int64_t columns, float* output) {
  const int64_t last = columns - (kVecs - 1) * kLanes;  // columns of the last vector
  if (epilogue.residual != nullptr) {
#pragma GCC unroll 16
    for (int m = 0; m < kRows; ++m) {
      const float* residual = epilogue.residual + at + m * step;
#pragma GCC unroll 8
      for (int v = 0; v < kVecs - 1; ++v) sums[m][v] += Load(residual + v * kLanes);
      const float* end = residual + (kVecs - 1) * kLanes;
      sums[m][kVecs - 1] += last == kLanes ? Load(end) : LoadPart(end, last);
    }
  }
  const bool is_long = WithShortActivation(epilogue.activation, [&](auto activation) {
#pragma GCC unroll 16
    for (int m = 0; m < kRows; ++m) {
      float* to = output + at + m * step;
#pragma GCC unroll 8
      for (int v = 0; v < kVecs - 1; ++v) Store(to + v * kLanes, Activated<activation()>(sums[m][v]));
      const Vec end = Activated<activation()>(sums[m][kVecs - 1]);
      if (last == kLanes) {
        Store(to + (kVecs - 1) * kLanes, end);
      } else {
        StorePart(to + (kVecs - 1) * kLanes, end, last);
      }
    }
  });
  if (is_long) ActivateRows(epilogue.activation, output + at, kRows, step, columns);
}

// The same for `count` rows of sums in memory, `ld` floats apart, whose bias is still to be added.
inline void StoreRows(const float* rows, int64_t ld, const float* bias, const Epilogue& epilogue,
                      int64_t count, int64_t at, int64_t step, int64_t columns, float* output) {
  const auto store = [&](int64_t offset, Vec sums, int64_t lanes, auto activation) {
    if (epilogue.residual != nullptr) {
      const float* residual = epilogue.residual + offset;
      sums += lanes == kLanes ? Load(residual) : LoadPart(residual, lanes);
    }
    const Vec made = Activated<activation()>(sums);
    lanes == kLanes ? Store(output + offset, made) : StorePart(output + offset, made, lanes);
  };
  const int64_t first = at;
  const bool is_long = WithShortActivation(epilogue.activation, [&](auto activation) {
    for (int64_t p = 0; p < count; ++p, rows += ld, at += step) {
      int64_t c = 0;
      for (; c + kLanes <= columns; c += kLanes)
        store(at + c, Load(rows + c) + Load(bias + c), kLanes, activation);
      if (c < columns) store(at + c, Load(rows + c) + Load(bias + c), columns - c, activation);
    }
  });
  if (is_long) ActivateRows(epilogue.activation, output + first, count, step, columns);
}

}  // namespace dyconv::kernels::DYCONV_ISA
