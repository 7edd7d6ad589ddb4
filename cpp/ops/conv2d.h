// Ordinary 2-D convolution: uses the kernels of the dynamic one, with one expert, where they measure faster
// than libtorch's. ATen level: no N-API, no JS.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "ops/window.h"

namespace dyconv {

// kAuto may choose different algorithms for the output and for the gradients.
enum class Conv2dAlgorithm { kAuto, kWinograd, kFused, kLibtorch };

// As at::conv2d: input [B, I, H, W] or [I, H, W], weight [O, I / groups, kh, kw], bias [O] or none. Same
// gradients of any order, same errors.
at::Tensor Conv2d(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  const Pair& stride, const Pair& padding, const Pair& dilation, int64_t groups,
                  Conv2dAlgorithm algorithm);

struct Conv2dGrads {
  at::Tensor input, weight, bias;
};

// The same without autograd, for callers that are autograd nodes themselves; the algorithm is that of kAuto.
at::Tensor Conv2dForward(const at::Tensor& input, const at::Tensor& weight,
                         const std::optional<at::Tensor>& bias, const Pair& stride, const Pair& padding,
                         const Pair& dilation, int64_t groups);
Conv2dGrads Conv2dBackward(const at::Tensor& grad_output, const at::Tensor& input, const at::Tensor& weight,
                           const Pair& stride, const Pair& padding, const Pair& dilation, int64_t groups,
                           const std::array<bool, 3>& needs);

}  // namespace dyconv
