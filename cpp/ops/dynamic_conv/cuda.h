// Dynamic convolution with the kernels of kernels/cuda. Internal to cpp/ops.
#pragma once

#include "ops/dynamic_conv/fused.h"
#include "ops/dynamic_conv/problem.h"

namespace dyconv {

// One convolution with K x O outputs by cuDNN, then one pass that mixes them, and one pass for the backward.
// Keeps the K x O outputs for the backward pass.
bool CudaMixApplies(const DynamicConvProblem& problem);
at::Tensor DynamicConvCudaMix(const DynamicConvProblem& problem);

// The experts are mixed in shared memory, tile by tile: no K x O outputs, no kernel per sample in memory, and
// float32 arithmetic outside the tensor cores.
bool CudaFusedApplies(const DynamicConvProblem& problem);
// Whether it should be preferred to the former: if K x O outputs would be expensive.
bool CudaFusedWins(const DynamicConvProblem& problem);
at::Tensor CudaFusedForward(const DynamicConvProblem& problem);
DynamicConvGrads CudaFusedBackward(const DynamicConvProblem& problem, const at::Tensor& grad_output,
                                   const std::array<bool, 4>& needs);

}  // namespace dyconv
