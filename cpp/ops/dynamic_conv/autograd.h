// The algorithms with kernels, as operations that autograd records.
#pragma once

#include "ops/dynamic_conv/problem.h"

namespace dyconv {

// The kernels of kernels/cpu: experts are mixed tile by tile inside the product (fused.h).
at::Tensor DynamicConvFused(const DynamicConvProblem& problem);
at::Tensor DynamicConvWinograd(const DynamicConvProblem& problem);
at::Tensor DynamicConvWinogradForward(const DynamicConvProblem& problem);
at::Tensor DynamicConvDepthwise(const DynamicConvProblem& problem);

// The same in kernels/cuda (cuda.h).
at::Tensor DynamicConvCudaFused(const DynamicConvProblem& problem);

// One sample: mixed by kernels/cpu where possible, otherwise by the composed form.
at::Tensor DynamicConvMixOnce(const DynamicConvProblem& problem);

}  // namespace dyconv
