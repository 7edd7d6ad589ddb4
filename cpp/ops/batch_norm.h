// Batch normalisation: by kernels of our own while training on images, which is where libtorch's take long.
// ATen level: no N-API, no JS.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace dyconv {

// As at::batch_norm: input [B, C, ...], all else [C] or none; running statistics are updated in place while
// training. Same gradients of any order, same errors.
at::Tensor BatchNorm(const at::Tensor& input, const std::optional<at::Tensor>& weight,
                     const std::optional<at::Tensor>& bias, const std::optional<at::Tensor>& running_mean,
                     const std::optional<at::Tensor>& running_var, bool training, double momentum,
                     double eps);

}  // namespace dyconv
