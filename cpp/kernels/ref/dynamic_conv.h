// The definition of dynamic convolution as loops, in float64. Slow on purpose: every other form is checked
// against it.
#pragma once

#include "kernels/kernel.h"

namespace dyconv::kernels::ref {

// y[b] = conv2d(x[b], sum_k attention[b,k] * weight[k]) + sum_k attention[b,k] * bias[k]; `bias` may be null.
void DynamicConvForward(const DynamicConvShape& shape, const double* input, const double* weight,
                        const double* attention, const double* bias, double* output);

// Gradients of the same. Every gradient buffer must come zeroed; `bias` and `grad_bias` are null together.
struct DynamicConvGrads {
  double* input;
  double* weight;
  double* attention;
  double* bias;
};
void DynamicConvBackward(const DynamicConvShape& shape, const double* input, const double* weight,
                         const double* attention, const double* bias, const double* grad_output,
                         const DynamicConvGrads& grads);

}  // namespace dyconv::kernels::ref
