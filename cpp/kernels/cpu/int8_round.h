// From float32 to integers of 8 bits. Include this first: it keeps the compiler from fusing multiplications
// with additions, which would give other numbers on processors that have such an instruction.
#pragma once

#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

#include "kernels/cpu/bf16.h"
#include "kernels/cpu/epilogue.h"

namespace dyconv::kernels::DYCONV_ISA {

typedef uint8_t ByteVec __attribute__((vector_size(kLanes)));

// To the nearest integer from `least` to `most`, at most 2^22 in size; ties to even. NaN becomes `least`.
DYCONV_INLINE IntVec RoundedTo(Vec x, float least, float most) {
  constexpr float kMagic = 12582912;  // the last bits of a sum with it are the integer
  x = x > least ? x : Set1(least);
  x = x < most ? x : Set1(most);
  return (IntVec)(x + kMagic) - (IntVec)Set1(kMagic);
}

// x * factor + zero as uint8, in whole lanes.
DYCONV_INLINE IntVec Quantized(Vec x, float factor, int32_t zero) {
  return RoundedTo(x * factor, static_cast<float>(-zero), static_cast<float>(255 - zero)) + zero;
}

DYCONV_INLINE void StoreBytes(uint8_t* to, IntVec v, int64_t count) {
  const ByteVec bytes = __builtin_convertvector(v, ByteVec);
  if (count == kLanes) {
    std::memcpy(to, &bytes, sizeof(bytes));
  } else {
    for (int64_t i = 0; i < count; ++i) to[i] = bytes[i];
  }
}

DYCONV_INLINE Vec LoadBytes(const uint8_t* from, int64_t count) {
  ByteVec bytes = {};
  if (count == kLanes) {
    std::memcpy(&bytes, from, sizeof(bytes));
  } else {
    for (int64_t i = 0; i < count; ++i) bytes[i] = from[i];
  }
  return __builtin_convertvector(__builtin_convertvector(bytes, IntVec), Vec);
}

}  // namespace dyconv::kernels::DYCONV_ISA
