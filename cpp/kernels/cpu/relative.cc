// What experts relative to the first need besides packing: which one that should be, and its part of the
// attention's gradient.
#include "vec.h"

namespace dyconv::kernels::DYCONV_ISA {

void LargestWeights(const float* weight, int64_t size, float* largest, int64_t begin, int64_t end) {
  for (int64_t k = begin; k < end; ++k) {
    const float* w = weight + k * size;
    // As integers, absolute values have the same order, infinity and NaN above all.
    uint32_t most = 0;
    for (int64_t i = 0; i < size; ++i) {
      uint32_t bits;
      std::memcpy(&bits, w + i, sizeof(bits));
      bits &= 0x7fffffff;
      most = bits > most ? bits : most;
    }
    std::memcpy(largest + k, &most, sizeof(most));
  }
}

void DotSamples(const float* a, const float* b, int64_t size, float* dots, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) dots[n] = Dot(a + n * size, b + n * size, size);
}

}  // namespace dyconv::kernels::DYCONV_ISA
