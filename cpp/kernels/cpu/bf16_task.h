// The products of bfloat16, which every instruction set computes with its own instructions.
#pragma once

#include "kernels/cpu/vec.h"

namespace dyconv::kernels::DYCONV_ISA {

// Like GemmTask, with rows of B in groups of kBf16Rows, which one instruction multiplies:
// [group][vecs][column][row]. Rows that the last group of a segment lacks are zeros.
struct Bf16Task {
  const uint16_t* a;
  int64_t lda;
  const int64_t* offsets;
  int64_t segments;
  int64_t length;
  const uint16_t* b;
  float* c;
  int64_t ldc;
  bool accumulate;
};

}  // namespace dyconv::kernels::DYCONV_ISA
