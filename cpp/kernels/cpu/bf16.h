// bfloat16, the upper half of a float32, as the kernels read and write it: widened to float32 and back.
#pragma once

#include "kernels/cpu/vec.h"

namespace dyconv::kernels::DYCONV_ISA {

typedef uint32_t BitVec __attribute__((vector_size(kLanes * sizeof(uint32_t))));
typedef uint16_t HalfVec __attribute__((vector_size(kLanes * sizeof(uint16_t))));

DYCONV_INLINE Vec Widened(const float* from) { return Load(from); }
DYCONV_INLINE Vec Widened(const uint16_t* from) {
  HalfVec upper;
  std::memcpy(&upper, from, sizeof(upper));
  return (Vec)(__builtin_convertvector(upper, IntVec) << 16);
}
DYCONV_INLINE float WidenedOne(float from) { return from; }
DYCONV_INLINE float WidenedOne(uint16_t from) {
  const uint32_t bits = static_cast<uint32_t>(from) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof(value));
  return value;
}

// To the nearest, ties to even, as PyTorch rounds; NaN stays one.
DYCONV_INLINE void StoreRounded(float* to, Vec v) { Store(to, v); }
DYCONV_INLINE void StoreRounded(uint16_t* to, Vec v) {
  const BitVec bits = (BitVec)v, rounded = (bits + 0x7fff + (bits >> 16 & 1)) >> 16;
  const HalfVec upper = __builtin_convertvector(v == v ? rounded : BitVec{} + 0x7fc0, HalfVec);
  std::memcpy(to, &upper, sizeof(upper));
}
DYCONV_INLINE void StoreRoundedOne(float* to, float value) { *to = value; }
DYCONV_INLINE void StoreRoundedOne(uint16_t* to, float value) {
  uint32_t bits;
  std::memcpy(&bits, &value, sizeof(bits));
  *to = static_cast<uint16_t>(value == value ? (bits + 0x7fff + (bits >> 16 & 1)) >> 16 : 0x7fc0);
}

}  // namespace dyconv::kernels::DYCONV_ISA
