// Dynamic convolution for inference: experts packed once, and the activation in the last step of the kernel.
// float32 on the CPU. ATen level; nothing here is differentiable.
#pragma once

#include "ops/inference/fused_conv.h"

namespace dyconv {

// Experts [K, O, I / groups, kh, kw] for FusedDynamicConv2d, as tensors that mean nothing else: panels, and
// the expert that the others are packed relative to (-1: none). `tile`: of Winograd's algorithm, or zeros.
// `shares`: the attention of every sample will be positive and sum to 1.
std::vector<at::Tensor> PackExperts(const at::Tensor& weight, const Pair& tile, bool shares);

// Experts for batches of one: every expert as PackConv does, [K, ...].
at::Tensor PackExpertsForOne(const at::Tensor& weight);

// activation(dynamicConv2d(input, weight, attention, bias)), groups = 1
//
//   input          [B, I, H, W]; attention [B, K]; weight [K, O, I, kh, kw]; bias [K, O] or none
//   packed, base   of PackExperts with the same tile; `for_one` of PackExpertsForOne, or none where the tile
//                  pays for one sample too
//   returns        [B, O, H', W'], channels last
at::Tensor FusedDynamicConv2d(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& attention,
                              const OptionalTensor& bias, const std::string& activation, const Pair& stride,
                              const Pair& padding, const Pair& dilation, const Pair& tile,
                              const at::Tensor& packed, const at::Tensor& base,
                              const OptionalTensor& for_one);

}  // namespace dyconv
