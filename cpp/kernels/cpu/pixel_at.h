// The output pixels of channels-last images, counted over all samples.
#pragma once

#include "kernels/kernel.h"

namespace dyconv::kernels::DYCONV_ISA {

// Where the pixels of an output are: sample, row, column of the `index`-th.
struct PixelAt {
  int64_t sample, y, x;

  DYCONV_INLINE PixelAt(const DynamicConvShape& s, int64_t index)
      : sample(index / s.out_plane()), y(index % s.out_plane() / s.out_w), x(index % s.out_w) {}
  DYCONV_INLINE void Next(const DynamicConvShape& s) {
    if (++x < s.out_w) return;
    x = 0;
    if (++y < s.out_h) return;
    y = 0;
    ++sample;
  }
};

}  // namespace dyconv::kernels::DYCONV_ISA
