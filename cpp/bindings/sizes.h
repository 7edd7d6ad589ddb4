// Checks of counts and sizes that libtorch computes with before it checks them.
#pragma once

#include <string>

#include <ATen/core/Tensor.h>

#include "ops/checked_size.h"
#include "typed_error.h"

namespace dyconv {

// Limit of the tensors that one call may return: each becomes a JavaScript object, and libtorch creates all
// of them before the first is wrapped.
inline constexpr int64_t kMaxTensors = 1 << 20;

inline void CheckCount(int64_t count, const char* operation) {
  Require(count <= kMaxTensors, ErrorKind::kShape, "Expected at most ", kMaxTensors, " tensors from ",
          operation, " but received a dimension that gives ", count);
}

// repeat and tile: every size is multiplied by its repeats. Missing leading dimensions of either count as 1.
inline void CheckRepeatedSizes(at::IntArrayRef sizes, at::IntArrayRef repeats) {
  for (size_t i = 1; i <= std::min(sizes.size(), repeats.size()); ++i)
    CheckedMultiply(sizes[sizes.size() - i], std::max<int64_t>(repeats[repeats.size() - i], 0),
                    "sizes times repeats");
}

// pad: the padding of both sides is added to a size.
inline void CheckPadding(at::IntArrayRef padding) {
  constexpr int64_t kLimit = int64_t{1} << 53;
  for (const int64_t size : padding)
    Require(size > -kLimit && size < kLimit, ErrorKind::kArgument,
            "Expected integers between -2^53 and 2^53 for padding of pad but received ", size);
}

}  // namespace dyconv
