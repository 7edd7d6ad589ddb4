// One axis of the windows of a convolution or a pool, in checked arithmetic.
#pragma once

#include <algorithm>
#include <array>

#include "ops/checked_size.h"

namespace dyconv {

// One number for the height, one for the width.
using Pair = std::array<int64_t, 2>;

// Throws a TypedError for a list with a smaller number.
inline void CheckAtLeast(at::IntArrayRef values, int64_t least, const char* name) {
  for (const int64_t value : values) {
    Require(value >= least, ErrorKind::kArgument, "Expected integers of at least ", least, " for ", name,
            " but received ", value);
  }
}

// Sizes are at least 0, strides and dilations at least 1.
struct WindowAxis {
  int64_t in;
  int64_t kernel;
  int64_t stride;
  int64_t padding;
  int64_t dilation;

  // Throws a TypedError for numbers that windows cannot have: JavaScript checks its arguments, but program
  // files hold any. Comes before all that computes with them.
  const WindowAxis& Checked() const {
    CheckAtLeast(stride, 1, "stride");
    CheckAtLeast(padding, 0, "padding");
    CheckAtLeast(dilation, 1, "dilation");
    return *this;
  }

  int64_t padded() const {
    return CheckedAdd(in, CheckedMultiply(padding, 2, "2 * padding"), "a size with its padding");
  }
  // The distance from the first to the last tap of a window.
  int64_t reach() const {
    return kernel < 2 ? 0 : CheckedMultiply(dilation, kernel - 1, "dilation * (kernel size - 1)");
  }
  // The number of windows that fit; 0 if none does.
  int64_t count() const {
    const int64_t room = padded() - reach() - 1;
    return room < 0 ? 0 : room / stride + 1;
  }
  // The same windows with the smallest numbers: the stride of a single window and the dilation of a single
  // tap are arbitrary, and libraries store them in 32 bits.
  WindowAxis Reduced() const {
    WindowAxis axis = *this;
    if (kernel == 1) axis.dilation = 1;
    const int64_t room = padded() - reach() - 1;
    if (room >= 0) axis.stride = std::min(stride, std::max<int64_t>(room + 1, 16));
    return axis;
  }
};

}  // namespace dyconv
