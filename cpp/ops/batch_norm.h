// Batch normalisation, with dyconv's kernels for training on images, where libtorch's are slow. ATen level:
// no N-API, no JS.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace dyconv {

// As at::batch_norm: input [B, C, ...], all other tensors [C] or none; training updates the running
// statistics in place. Same gradients of any order, same errors.
at::Tensor BatchNorm(const at::Tensor& input, const std::optional<at::Tensor>& weight,
                     const std::optional<at::Tensor>& bias, const std::optional<at::Tensor>& running_mean,
                     const std::optional<at::Tensor>& running_var, bool training, double momentum,
                     double eps);

}  // namespace dyconv
