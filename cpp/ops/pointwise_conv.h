// Static 1x1 convolutions of stride 1 on the CPU, whose kernels read images in place. Without autograd.
#pragma once

#include "ops/dynamic_conv/problem.h"

namespace dyconv {

// Of the output and of each gradient, undefined where it is not needed.
struct PointwiseGrads {
  at::Tensor input, weight, bias;
};

// Whether the kernels compute it, and are faster than the others: contiguous float32 images and enough
// pixels for all threads.
bool PointwiseConvApplies(const at::Tensor& input, const kernels::DynamicConvShape& shape);

// A static problem with one expert.
at::Tensor PointwiseConvForward(const DynamicConvProblem& problem);

// The weight's gradient is [1, O, I, 1, 1], that of the bias [1, O].
PointwiseGrads PointwiseConvBackward(const DynamicConvProblem& problem, const at::Tensor& grad_output,
                                     const std::array<bool, 3>& needs);

}  // namespace dyconv
