// The routing of a dynamic convolution: attention over K experts from the input itself. ATen level.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace dyconv {

enum class RoutingKind {
  kSoftmax,  // softmax(logits / temperature): Chen et al., CVPR 2020
  kSigmoid,  // sigmoid(logits / temperature): CondConv, Yang et al., NeurIPS 2019
};

// attention = kind((w2 relu(w1 mean_hw(input) + b1) + b2) / temperature)
//
//   input        [B, I, H, W]
//   w1 [H, I, 1, 1], b1 [H] or none; w2 [K, H, 1, 1], b2 [K] or none: of input's dtype, or float32 for a
//                16-bit input
//   temperature  one positive number. On the CPU it is read and checked; on a GPU it stays on the device, so
//                that there is no synchronization and a captured graph uses its current value
//   returns      [B, K]: float64 for a float64 input, else float32, since 16-bit attention loses the gradient
//
// Differentiable in the input and all four parameters.
at::Tensor Routing(const at::Tensor& input, const at::Tensor& w1, const std::optional<at::Tensor>& b1,
                   const at::Tensor& w2, const std::optional<at::Tensor>& b2, const at::Tensor& temperature,
                   RoutingKind kind);

}  // namespace dyconv
