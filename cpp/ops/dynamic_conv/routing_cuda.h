// The routing with the kernels of kernels/cuda. Internal to cpp/ops.
#pragma once

#include <vector>

#include "ops/dynamic_conv/routing.h"

namespace dyconv {

// With ATen's operations: any device, differentiable to any order.
at::Tensor RoutingComposed(const at::Tensor& input, const at::Tensor& w1, const std::optional<at::Tensor>& b1,
                           const at::Tensor& w2, const std::optional<at::Tensor>& b2,
                           const at::Tensor& temperature, RoutingKind kind);

// Differentiable gradients for {input, w1, b1, w2, b2}. `saved` holds these five; the gradients of undefined
// ones, and those not needed, are undefined.
std::vector<at::Tensor> DifferentiableRoutingGrads(const std::vector<at::Tensor>& saved,
                                                   const at::Tensor& temperature, RoutingKind kind,
                                                   const at::Tensor& grad_attention);

// `temperature` is float32 on the input's device.
bool CudaRoutingApplies(const at::Tensor& input, const at::Tensor& w1, const at::Tensor& w2);
at::Tensor CudaRouting(const at::Tensor& input, const at::Tensor& w1, const std::optional<at::Tensor>& b1,
                       const at::Tensor& w2, const std::optional<at::Tensor>& b2,
                       const at::Tensor& temperature, RoutingKind kind);

}  // namespace dyconv
