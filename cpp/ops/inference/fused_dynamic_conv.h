// Dynamic convolution for inference: experts packed once, and the activation in the last step of the kernel.
// float32 on the CPU. ATen level; nothing here is differentiable.
#pragma once

#include "ops/inference/fused_conv.h"

namespace dyconv {

// Experts [K, O, I, kh, kw] for Winograd's algorithm with this tile, as opaque tensors:
// panels, and the expert that the others are packed relative to (-1: none). `shares`: the attention of every
// sample will be positive and sum to 1.
std::vector<at::Tensor> PackWinogradExperts(const at::Tensor& weight, const Pair& tile, bool shares);

// Experts for the other algorithm: each as PackConv does, [K, ...].
at::Tensor PackExperts(const at::Tensor& weight);

// activation(dynamicConv2d(input, weight, attention, bias)), groups = 1
//
//   input           [B, I, H, W]; attention [B, K]; weight [K, O, I, kh, kw]; bias [K, O] or none
//   winograd, base  of PackWinogradExperts with the same tile, or none
//   packed          of PackExperts, or none where Winograd's algorithm is faster for one sample too
//   returns         [B, O, H', W'], channels last
at::Tensor FusedDynamicConv2d(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& attention,
                              const OptionalTensor& bias, const std::string& activation, const Pair& stride,
                              const Pair& padding, const Pair& dilation, const Pair& tile,
                              const OptionalTensor& winograd, const OptionalTensor& base,
                              const OptionalTensor& packed);

// Experts [K, C, 1, kh, kw] for FusedDynamicDepthwiseConv2d.
at::Tensor PackDepthwiseExperts(const at::Tensor& weight);

// activation(dynamicConv2d(input, weight, attention, bias) + residual), groups = C
//
//   input     [B, C, H, W]; attention [B, K]; bias [K, C] or none; residual like the output, or none
//   size      [C, 1, kh, kw], the size of one expert
//   packed    of PackDepthwiseExperts
//   returns   [B, C, H', W'], channels last
at::Tensor FusedDynamicDepthwiseConv2d(const at::Tensor& input, const std::vector<int64_t>& size,
                                       const at::Tensor& attention, const std::string& activation,
                                       const OptionalTensor& residual, const Pair& stride,
                                       const Pair& padding, const Pair& dilation, const at::Tensor& packed,
                                       const OptionalTensor& bias);

}  // namespace dyconv
