// Batch normalization, with dyconv's kernels for training on images, where libtorch's are slow. ATen level:
// no N-API, no JS.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

#include "kernels/kernel.h"

namespace dyconv {

// As at::batch_norm: input [B, C, ...], all other tensors [C] or none; training updates the running
// statistics in place. Same gradients of any order, same errors.
at::Tensor BatchNorm(const at::Tensor& input, const std::optional<at::Tensor>& weight,
                     const std::optional<at::Tensor>& bias, const std::optional<at::Tensor>& running_mean,
                     const std::optional<at::Tensor>& running_var, bool training, double momentum,
                     double eps);

// activation(BatchNorm(...) + residual) while training, `residual` of the sizes of the input or none. Keeps
// no intermediate result for the backward pass, but computes it again: the residual and the bias must not
// change in place before.
at::Tensor BatchNormActivation(const at::Tensor& input, const std::optional<at::Tensor>& residual,
                               const std::optional<at::Tensor>& weight, const std::optional<at::Tensor>& bias,
                               const std::optional<at::Tensor>& running_mean,
                               const std::optional<at::Tensor>& running_var, double momentum, double eps,
                               kernels::Activation activation);

}  // namespace dyconv
