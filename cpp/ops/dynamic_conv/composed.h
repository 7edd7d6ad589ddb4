// Dynamic convolution composed of ATen operations: slower than the fused kernels, on any device and dtype,
// differentiable to any order.
#pragma once

#include "ops/dynamic_conv/problem.h"

namespace dyconv {

at::Tensor DynamicConvMixOnceComposed(const DynamicConvProblem& problem);
at::Tensor DynamicConvMixAfter(const DynamicConvProblem& problem);
at::Tensor DynamicConvGrouped(const DynamicConvProblem& problem);

// Differentiable gradients for {input, weight, attention, bias}, from the composed form. Undefined if
// needs[i] is false.
std::vector<at::Tensor> DifferentiableGrads(const DynamicConvProblem& problem, const at::Tensor& grad_output,
                                            const std::array<bool, 4>& needs);

}  // namespace dyconv
