// Kernels for experts relative to a base expert, apart from packing: which one that should be, and its part
// of the attention's gradient.
#include "kernels/cpu/vec.h"

namespace dyconv::kernels::DYCONV_ISA {

void LargestWeights(const DynamicConvShape& s, const float* weight, float* largest, int64_t begin,
                    int64_t end) {
  const int64_t row = s.in_per_group() * s.kernel_size(), columns = s.groups * row;
  for (int64_t k = begin; k < end; ++k) {
    const float* w = weight + k * s.expert_size();
    float* of_out = largest + k * (s.out_channels + columns);
    float* of_in = of_out + s.out_channels;
    std::memset(of_in, 0, columns * sizeof(float));
    for (int64_t o = 0; o < s.out_channels; ++o, w += row) {
      // The bits of absolute values, as integers, have the same order; those of infinity and NaN are the
      // largest.
      uint32_t most = 0;
      float* of_tap = of_in + o / s.out_per_group() * row;
      for (int64_t i = 0; i < row; ++i) {
        uint32_t bits, of_column;
        std::memcpy(&bits, w + i, sizeof(bits));
        std::memcpy(&of_column, of_tap + i, sizeof(of_column));
        bits &= 0x7fffffff;
        most = bits > most ? bits : most;
        of_column = bits > of_column ? bits : of_column;
        std::memcpy(of_tap + i, &of_column, sizeof(of_column));
      }
      std::memcpy(of_out + o, &most, sizeof(most));
    }
  }
}

void DotSamples(const float* a, const float* b, int64_t size, float* dots, int64_t begin, int64_t end) {
  for (int64_t n = begin; n < end; ++n) dots[n] = Dot(a + n * size, b + n * size, size);
}

}  // namespace dyconv::kernels::DYCONV_ISA
