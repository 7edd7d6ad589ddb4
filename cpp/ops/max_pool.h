// 2-D max pooling with vector kernels on the CPU; libtorch's loops process one value at a time.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>

#include "kernels/dispatch.h"

namespace dyconv {

struct MaxPoolOptions {
  std::array<int64_t, 2> kernel{1, 1};
  std::array<int64_t, 2> stride{1, 1};
  std::array<int64_t, 2> padding{0, 0};
  std::array<int64_t, 2> dilation{1, 1};
  bool ceil_mode = false;
};

// As at::max_pool2d: [B, C, H, W] or [C, H, W], the same maxima, gradients of any order and errors. Stores
// one byte per output for the backward pass, where at::max_pool2d stores eight.
at::Tensor MaxPool2d(const at::Tensor& input, const MaxPoolOptions& options);

// Whether the windows of an axis (0: height, 1: width) of [B, C, H, W] are valid and fit.
bool MaxPoolAxisFits(at::IntArrayRef sizes, const MaxPoolOptions& options, size_t axis);

// Sizes of the planes of [B, C, H, W] and of their maxima. The windows must fit.
kernels::MaxPoolShape MaxPoolShapeOf(at::IntArrayRef sizes, const MaxPoolOptions& options);

}  // namespace dyconv
