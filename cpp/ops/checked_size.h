// Arithmetic on sizes that callers chose: results that exceed 64 bits are errors, where the operators of C++
// would overflow. All functions throw a ShapeError. `what` names the result: "Expected <what> below 2^63 but
// received 4503599627370496 * 4097".
#pragma once

#include <c10/util/ArrayRef.h>
#include <c10/util/safe_numerics.h>

#include <algorithm>
#include <cstdint>

#include "typed_error.h"

namespace dyconv {

inline int64_t CheckedMultiply(int64_t a, int64_t b, const char* what) {
  int64_t product;
  Require(!c10::mul_overflows(a, b, &product), ErrorKind::kShape, "Expected ", what,
          " below 2^63 but received ", a, " * ", b);
  return product;
}

inline int64_t CheckedAdd(int64_t a, int64_t b, const char* what) {
  int64_t sum;
  Require(!c10::add_overflows(a, b, &sum), ErrorKind::kShape, "Expected ", what, " below 2^63 but received ",
          a, " + ", b);
  return sum;
}

// The number of elements of a tensor of such sizes. Its strides must fit too: a size of 0 does not make other
// sizes valid.
inline int64_t CheckedNumel(c10::IntArrayRef sizes, const char* what = "a number of elements") {
  int64_t numel = 1, strides = 1;
  for (const int64_t size : sizes) {
    Require(size >= 0, ErrorKind::kShape, "Expected sizes of at least 0 but received ", sizes);
    int64_t next;
    Require(!c10::mul_overflows(strides, std::max<int64_t>(size, 1), &next), ErrorKind::kShape, "Expected ",
            what, " below 2^63 but received sizes ", sizes);
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
