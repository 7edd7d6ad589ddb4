#include "kernels/cpu/vec.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

constexpr int kUnroll = 4;
// Floats of a gradient that stay in the L1 cache while all experts pass over them.
constexpr int64_t kBlock = 4096;

}  // namespace

void MixExperts(const float* weight, const float* attention, int64_t experts, int64_t size, float* mixed,
                int64_t begin, int64_t end) {
  int64_t i = begin;
  for (; i + kUnroll * kLanes <= end; i += kUnroll * kLanes) {
    Vec sum[kUnroll] = {};
    for (int64_t k = 0; k < experts; ++k) {
      const float* from = weight + k * size + i;
#pragma GCC unroll 4
      for (int v = 0; v < kUnroll; ++v) sum[v] += attention[k] * Load(from + v * kLanes);
    }
#pragma GCC unroll 4
    for (int v = 0; v < kUnroll; ++v) Store(mixed + i + v * kLanes, sum[v]);
  }
  for (; i < end; ++i) {
    float sum = 0;
    for (int64_t k = 0; k < experts; ++k) sum += attention[k] * weight[k * size + i];
    mixed[i] = sum;
  }
}

void UnmixExperts(const float* weight, const float* attention, int64_t experts, int64_t size,
                  const float* grad, float* grad_weight, float* grad_attention, int64_t begin, int64_t end) {
  for (int64_t first = begin; first < end; first += kBlock) {
    const int64_t last = Min(first + kBlock, end);
    for (int64_t k = 0; k < experts; ++k) {
      const float* w = weight + k * size;
      float* to = grad_weight + k * size;
      Vec dots[kUnroll] = {};
      float dot = 0;
      int64_t i = first;
      for (; i + kUnroll * kLanes <= last; i += kUnroll * kLanes) {
#pragma GCC unroll 4
        for (int v = 0; v < kUnroll; ++v) {
          const Vec g = Load(grad + i + v * kLanes);
          dots[v] += g * Load(w + i + v * kLanes);
          Store(to + i + v * kLanes, attention[k] * g);
        }
      }
      for (; i < last; ++i) {
        dot += grad[i] * w[i];
        to[i] = attention[k] * grad[i];
      }
      grad_attention[k] += dot + Sum((dots[0] + dots[1]) + (dots[2] + dots[3]));
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
