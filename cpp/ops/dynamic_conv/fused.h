// Runs the fused CPU kernels on ATen tensors. Autograd is in autograd.cc.
#pragma once

#include "ops/dynamic_conv/problem.h"

namespace dyconv {

struct DynamicConvGrads {
  at::Tensor input, weight, attention, bias;
};

// Whether the tiled kernels can compute it: float32 or bfloat16 (with float32 arithmetic) on the CPU.
bool FusedDynamicConvApplies(const DynamicConvProblem& problem);

at::Tensor FusedDynamicConvForward(const DynamicConvProblem& problem);

// needs[0] is for the input; needs[1 .. 3] (weight, attention, bias) are computed together. Others stay
// undefined.
DynamicConvGrads FusedDynamicConvBackward(const DynamicConvProblem& problem, const at::Tensor& grad_output,
                                          const std::array<bool, 4>& needs);

// The same for 3x3 and 5x5 kernels of stride 1 by Winograd's transforms. If a result is not finite, all
// results are computed directly, so that a NaN or infinite pixel only affects the outputs whose window
// contains it.
bool WinogradDynamicConvApplies(const DynamicConvProblem& problem);
at::Tensor WinogradDynamicConvForward(const DynamicConvProblem& problem);
DynamicConvGrads WinogradDynamicConvBackward(const DynamicConvProblem& problem, const at::Tensor& grad_output,
                                             const std::array<bool, 4>& needs);

// The same for one input channel per group.
bool DepthwiseDynamicConvApplies(const DynamicConvProblem& problem);
at::Tensor DepthwiseDynamicConvForward(const DynamicConvProblem& problem);
DynamicConvGrads DepthwiseDynamicConvBackward(const DynamicConvProblem& problem,
                                              const at::Tensor& grad_output,
                                              const std::array<bool, 4>& needs);

// The same for one sample in float32: the experts are mixed into one kernel for the ordinary convolution.
bool MixOnceKernelApplies(const DynamicConvProblem& problem);
at::Tensor MixOnceForward(const DynamicConvProblem& problem);
DynamicConvGrads MixOnceBackward(const DynamicConvProblem& problem, const at::Tensor& grad_output,
                                 const std::array<bool, 4>& needs);

}  // namespace dyconv
