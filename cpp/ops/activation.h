// The activations that kernels fuse, by libtorch's operations. ATen level: no Node-API, no JavaScript.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <string>
#include <utility>

#include "kernels/kernel.h"

namespace dyconv {

// The only list of their names: those of the operations, of which gelu is fused where it is exact, and none.
inline constexpr auto kActivationNames = std::to_array<std::pair<const char*, kernels::Activation>>({
    {"none", kernels::Activation::kNone},
    {"relu", kernels::Activation::kRelu},
    {"relu6", kernels::Activation::kRelu6},
    {"hardswish", kernels::Activation::kHardswish},
    {"hardsigmoid", kernels::Activation::kHardsigmoid},
    {"sigmoid", kernels::Activation::kSigmoid},
    {"silu", kernels::Activation::kSilu},
    {"gelu", kernels::Activation::kGelu},
});

// The activation of that name. Throws a TypedError for another name.
kernels::Activation ActivationOf(const std::string& name);

at::Tensor Activated(const at::Tensor& x, kernels::Activation activation);

// The gradient of x for that of Activated(x), differentiable where libtorch's operation is.
at::Tensor ActivationBackward(const at::Tensor& gradient, const at::Tensor& x,
                              kernels::Activation activation);

}  // namespace dyconv
