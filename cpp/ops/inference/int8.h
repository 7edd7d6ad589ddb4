// Convolutions and linear maps of uint8 activations with int8 weights, for inference on the CPU: sums are
// int32, what follows them (scales, bias, residual, activation) is float32. ATen level; nothing here is
// differentiable.
#pragma once

#include <array>

#include "ops/inference/fused_conv.h"
#include "ops/max_pool.h"

namespace dyconv {

// Quantization parameters of activations: value = (number - zero point) * scale, with [scale, zero point].
using QuantParams = std::array<double, 2>;

// Most pixels of a plane whose sum of bytes fits into int32.
constexpr int64_t kMostInt8Pixels = 1 << 23;

// Whether the sums of a layer with a weight [O, I, kh, kw] or [O, I] fit into int32.
bool FitsInt8(const std::vector<int64_t>& size);

// float32 -> uint8, rounded to the nearest and clamped; NaN becomes the smallest value. Images become
// channels last.
at::Tensor Quantize(const at::Tensor& input, const QuantParams& params);

// A weight [O, I, kh, kw] or [O, I] as int8, symmetric, with a scale for each output channel, as tensors that
// are opaque: packed weights, scales, sums. Throws a TypedError for weights that are not finite.
std::vector<at::Tensor> PackInt8(const at::Tensor& weight, const Pair& dilation);
// Experts [K, O, I, kh, kw] as int16, with a scale for each output channel of all of them: packed experts,
// scales.
std::vector<at::Tensor> PackInt8Experts(const at::Tensor& weight, const Pair& dilation);

// activation(conv2d(input, weight) + bias + residual), as float32, or as uint8 with `output`
//
//   input            [B, I, H, W], uint8 with the parameters `input_params`
//   size             of the weight: [O, I, kh, kw]
//   residual         of the output's sizes: float32, or uint8 with `residual_params`
//   packed ... sums  of PackInt8 with the same dilation
//   bias             of PackBias
//   returns          [B, O, H', W'], channels last
at::Tensor Int8Conv2d(const at::Tensor& input, const QuantParams& input_params,
                      const std::optional<QuantParams>& output, const std::vector<int64_t>& size,
                      const std::string& activation, const OptionalTensor& residual,
                      const std::optional<QuantParams>& residual_params, const Pair& stride,
                      const Pair& padding, const Pair& dilation, const at::Tensor& packed,
                      const at::Tensor& scales, const at::Tensor& sums, const at::Tensor& bias);

// activation(linear(input, weight) + bias + residual) for an input [..., I] and a weight of `size` [O, I].
at::Tensor Int8Linear(const at::Tensor& input, const QuantParams& input_params,
                      const std::optional<QuantParams>& output, const std::vector<int64_t>& size,
                      const std::string& activation, const OptionalTensor& residual,
                      const std::optional<QuantParams>& residual_params, const at::Tensor& packed,
                      const at::Tensor& scales, const at::Tensor& sums, const at::Tensor& bias);

// activation(dynamicConv2d(input, weight, attention, bias)) without groups: the kernel of each sample is
// mixed from experts in 16 bits and then quantized with its own scales.
//
//   size             [O, I, kh, kw], the size of one expert
//   experts, scales  of PackInt8Experts with the same dilation
//   bias             [K, O] or none
at::Tensor Int8DynamicConv2d(const at::Tensor& input, const QuantParams& input_params,
                             const std::optional<QuantParams>& output, const std::vector<int64_t>& size,
                             const at::Tensor& attention, const OptionalTensor& bias,
                             const std::string& activation, const Pair& stride, const Pair& padding,
                             const Pair& dilation, const at::Tensor& experts, const at::Tensor& scales);

// Means of planes: uint8 [B, C, H, W] with parameters -> float32 [B, C, 1, 1].
at::Tensor Int8ChannelMeans(const at::Tensor& input, const QuantParams& params);

// max_pool2d of uint8 [B, C, H, W]; the output is channels last.
at::Tensor Int8MaxPool2d(const at::Tensor& input, const MaxPoolOptions& options);

}  // namespace dyconv
