// libtorch's convolutions of one to three dimensions, protected from arguments that crash them. ATen level.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <optional>
#include <tuple>

#include "ops/window.h"

namespace dyconv {

// Whether the libraries that libtorch uses can compute such a convolution: some store strides, paddings and
// dilations in 16 or 32 bits, or allocate memory in proportion to them. Other convolutions use float64, for
// which libtorch has its own code. Axes are reduced.
bool FitsLibrary(const WindowAxis& axis);

// As at::conv1d, conv2d and conv3d, by the dimensions of the weight [O, I / groups, ...]. Same gradients,
// same errors, and c10::ValueError for sizes that do not fit into 64 bits.
at::Tensor ConvNd(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias,
                  at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups);

// The gradients of its input, weight and bias that are needed; differentiable.
std::tuple<at::Tensor, at::Tensor, at::Tensor> ConvBackwardNd(
    const at::Tensor& grad_output, const at::Tensor& input, const at::Tensor& weight, at::IntArrayRef stride,
    at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups, std::array<bool, 3> needs);

// As at::conv_transpose1d, conv_transpose2d and conv_transpose3d, weight [I, O / groups, ...].
at::Tensor ConvTransposeNd(const at::Tensor& input, const at::Tensor& weight,
                           const std::optional<at::Tensor>& bias, at::IntArrayRef stride,
                           at::IntArrayRef padding, at::IntArrayRef output_padding, int64_t groups,
                           at::IntArrayRef dilation);

}  // namespace dyconv
