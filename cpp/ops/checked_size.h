// Arithmetic on sizes that callers chose: what does not fit into 64 bits is refused, where the plain
// operators wrap around. All functions throw c10::ValueError, a ShapeError in JavaScript. `what` names the
// result: "Expected <what> below 2^63 but got 4503599627370496 * 4097".
#pragma once

#include <c10/util/ArrayRef.h>
#include <c10/util/Exception.h>
#include <c10/util/safe_numerics.h>

#include <algorithm>
#include <cstdint>

namespace dyconv {

inline int64_t CheckedMultiply(int64_t a, int64_t b, const char* what) {
  int64_t product;
  TORCH_CHECK_VALUE(!c10::mul_overflows(a, b, &product), "Expected ", what, " below 2^63 but got ", a, " * ",
                    b);
  return product;
}

inline int64_t CheckedAdd(int64_t a, int64_t b, const char* what) {
  int64_t sum;
  TORCH_CHECK_VALUE(!c10::add_overflows(a, b, &sum), "Expected ", what, " below 2^63 but got ", a, " + ", b);
  return sum;
}

// The number of elements of a tensor of such sizes. Its strides must fit too, so that a size of 0 does not
// excuse others that are too large.
inline int64_t CheckedNumel(c10::IntArrayRef sizes, const char* what = "a number of elements") {
  int64_t numel = 1, strides = 1;
  for (const int64_t size : sizes) {
    TORCH_CHECK_VALUE(size >= 0, "Expected sizes of at least 0 but got ", sizes);
    int64_t next;
    TORCH_CHECK_VALUE(!c10::mul_overflows(strides, std::max<int64_t>(size, 1), &next), "Expected ", what,
                      " below 2^63 but got sizes ", sizes);
    strides = next;
    numel *= size;  // no larger than `strides`
  }
  return numel;
}

// The bytes of a tensor of such sizes.
inline int64_t CheckedBytes(c10::IntArrayRef sizes, int64_t element_size,
                            const char* what = "a number of bytes") {
  return CheckedMultiply(CheckedNumel(sizes), element_size, what);
}

}  // namespace dyconv
