// Convolutions and linear maps for inference: weights packed once, and bias, residual and activation in the
// last step of the kernel. float32 on the CPU. ATen level; nothing here is differentiable.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>
#include <vector>

#include "kernels/kernel.h"
#include "ops/optional_tensor.h"
#include "ops/window.h"

namespace dyconv {

// A weight [O, I, kh, kw] or [O, I] as panels for FusedConv2d and FusedLinear: a vector that means nothing
// else.
at::Tensor PackConv(const at::Tensor& weight);
// The same for a dynamic convolution with this number of experts.
at::Tensor PackExpert(const at::Tensor& weight, int64_t experts);
// The same for Winograd's algorithm with tiles of that many outputs: 3x3 kernels with 2 to 4, 5x5 with 2
// or 3.
at::Tensor PackWinograd(const at::Tensor& weight, const Pair& tile);
// A weight [C, 1, kh, kw] for FusedDepthwiseConv2d.
at::Tensor PackDepthwise(const at::Tensor& weight);
// Floats of a packed bias: whole vectors, as many as the widest panels of any instruction set.
inline int64_t PackedBias(int64_t out_channels) { return (out_channels + 63) / 64 * 64; }
// A bias [O], or zeros, with room for whole vectors.
at::Tensor PackBias(const OptionalTensor& bias, int64_t out_channels);

// activation(conv2d(input, weight) + bias + residual)
//
//   input     [B, I, H, W], float32
//   packed    of PackConv; `winograd` of PackWinograd where the kernel has that form
//   size      of the weight: [O, I, kh, kw]
//   bias      of PackBias
//   residual  of the output's sizes
//   returns   [B, O, H', W'], channels last
at::Tensor FusedConv2d(const at::Tensor& input, const std::vector<int64_t>& size,
                       const std::string& activation, const OptionalTensor& residual, const Pair& stride,
                       const Pair& padding, const Pair& dilation, const Pair& tile, const at::Tensor& packed,
                       const OptionalTensor& winograd, const at::Tensor& bias);

// The same for a convolution with as many groups as channels, [C, 1, kh, kw], and `packed` of PackDepthwise.
// If each sample has its own kernel: [B, taps * C] of them, and a bias [B, PackedBias(C)].
at::Tensor FusedDepthwiseConv2d(const at::Tensor& input, const std::vector<int64_t>& size,
                                const std::string& activation, const OptionalTensor& residual,
                                const Pair& stride, const Pair& padding, const Pair& dilation,
                                const at::Tensor& packed, const at::Tensor& bias);

// activation(linear(input, weight) + bias + residual) for an input [..., I] and a weight of `size` [O, I].
at::Tensor FusedLinear(const at::Tensor& input, const std::vector<int64_t>& size,
                       const std::string& activation, const OptionalTensor& residual,
                       const at::Tensor& packed, const at::Tensor& bias);

// The tile of Winograd's algorithm for images of that size; zeros where the convolution has no such form or
// it never pays.
Pair WinogradTileFor(const std::vector<int64_t>& size, const Pair& image, const Pair& stride,
                     const Pair& padding, const Pair& dilation);

// Whether that tile also pays for one sample of a dynamic convolution, which reads the weights of all
// experts.
bool WinogradPaysForOne(const std::vector<int64_t>& size, int64_t experts, const Pair& image,
                        const Pair& stride, const Pair& padding, const Pair& dilation, const Pair& tile);

}  // namespace dyconv
