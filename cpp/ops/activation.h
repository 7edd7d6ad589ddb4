// The activations that kernels fuse, by libtorch's operations. ATen level: no Node-API, no JavaScript.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/kernel.h"

namespace dyconv {

at::Tensor Activated(const at::Tensor& x, kernels::Activation activation);

// The gradient of x for that of Activated(x), differentiable where libtorch's operation is.
at::Tensor ActivationBackward(const at::Tensor& gradient, const at::Tensor& x,
                              kernels::Activation activation);

}  // namespace dyconv
