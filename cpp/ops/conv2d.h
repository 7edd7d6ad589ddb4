// Ordinary 2-D convolution: by the fused kernels of the dynamic one, as its case of one expert, where they
// measure faster than libtorch's own. ATen level: no N-API, no JS.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>

namespace dyconv {

using Pair = std::array<int64_t, 2>;

// As at::conv2d: input [B, I, H, W] or [I, H, W], weight [O, I / groups, kh, kw], bias [O] or none. Same
// gradients of any order, same errors.
at::Tensor Conv2d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  const Pair& stride, const Pair& padding, const Pair& dilation, int64_t groups);

}  // namespace dyconv
