// Folds gradients of mixed weights into those of the experts and of the attention.
#pragma once

#include "mix.h"

namespace dyconv::kernels::DYCONV_ISA {

// Experts that are folded at once.
constexpr int64_t kFoldExperts = 2;

// Adds the gradients of one tile of mixed weights, one per sample and `stride` floats apart, to those of
// kExperts of the `experts` and, times these experts, to the attention's (kLanes partial sums each). Experts
// lie `width` floats apart in every row of `packed` and `packed_grad`.
template <int kSamples, int kVecs, int kExperts>
void FoldExperts(const float* tiles, int64_t stride, const float* attention, int64_t experts, int64_t rows,
                 int64_t width, const float* packed, float* packed_grad, float* sums) {
  Vec dot[kSamples][kExperts];
  float a[kSamples][kExperts];
#pragma GCC unroll 8
  for (int s = 0; s < kSamples; ++s) {
#pragma GCC unroll 8
    for (int k = 0; k < kExperts; ++k) {
      dot[s][k] = Load(sums + (s * experts + k) * kLanes);
      a[s][k] = attention[s * experts + k];
    }
  }
  const int64_t step = experts * width;
  for (int64_t r = 0; r < rows; ++r, tiles += kVecs * kLanes, packed += step, packed_grad += step) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) {
      Vec tile[kSamples];
#pragma GCC unroll 8
      for (int s = 0; s < kSamples; ++s) tile[s] = Load(tiles + s * stride + v * kLanes);
#pragma GCC unroll 8
      for (int k = 0; k < kExperts; ++k) {
        const Vec w = Load(packed + k * width + v * kLanes);
        Vec grad = Load(packed_grad + k * width + v * kLanes);
#pragma GCC unroll 8
        for (int s = 0; s < kSamples; ++s) {
          grad += a[s][k] * tile[s];
          dot[s][k] += tile[s] * w;
        }
        Store(packed_grad + k * width + v * kLanes, grad);
      }
    }
  }
#pragma GCC unroll 8
  for (int s = 0; s < kSamples; ++s) {
#pragma GCC unroll 8
    for (int k = 0; k < kExperts; ++k) Store(sums + (s * experts + k) * kLanes, dot[s][k]);
  }
}

template <int kSamples, int kVecs>
void FoldRows(const float* tiles, int64_t stride, const float* attention, int64_t experts, int64_t rows,
              int64_t width, const float* packed, float* packed_grad, float* sums) {
  for (int64_t k = 0; k < experts; k += kFoldExperts) {
    const int64_t at = k * width;
    WithConstant<kFoldExperts>(Min(kFoldExperts, experts - k), [&](auto n) {
      FoldExperts<kSamples, kVecs, n()>(tiles, stride, attention + k, experts, rows, width, packed + at,
                                        packed_grad + at, sums + k * kLanes);
    });
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
