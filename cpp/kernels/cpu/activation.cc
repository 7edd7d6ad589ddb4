#include "kernels/cpu/epilogue.h"

namespace dyconv::kernels::DYCONV_ISA {

void ActivateRows(Activation activation, float* rows, int64_t count, int64_t step, int64_t columns) {
  WithActivation(activation, [&](auto kind) {
    for (int64_t m = 0; m < count; ++m, rows += step) {
      int64_t c = 0;
      for (; c + kLanes <= columns; c += kLanes) Store(rows + c, Activated<kind()>(Load(rows + c)));
      if (c < columns) {
        const Vec end = LoadPart(rows + c, columns - c);
        StorePart(rows + c, Activated<kind()>(end), columns - c);
      }
    }
  });
}

}  // namespace dyconv::kernels::DYCONV_ISA
