// Batch norm in parts, between which processes exchange sums. Inputs are [B, C, ...]; values of the channels
// are [C], float64. Kernels compute contiguous float32 inputs on the CPU, libtorch the others.
#pragma once

#include <ATen/core/Tensor.h>

namespace dyconv {

// Mean and sum of squared deviations from it, [2, C].
at::Tensor BatchNormMoments(const at::Tensor& input);

// (input - mean) scale + shift
at::Tensor BatchNormScale(const at::Tensor& input, const at::Tensor& mean, const at::Tensor& scale,
                          const at::Tensor& shift);

// Sums of the gradient of the output, and of the gradient times input - mean, [2, C].
at::Tensor BatchNormGradientSums(const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& mean);

// (gradient - shift - (input - mean) along) scale
at::Tensor BatchNormInputGradient(const at::Tensor& gradient, const at::Tensor& input, const at::Tensor& mean,
                                  const at::Tensor& scale, const at::Tensor& shift, const at::Tensor& along);

}  // namespace dyconv
