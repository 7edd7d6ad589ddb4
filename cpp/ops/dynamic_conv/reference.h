// The reference for the tests.
#pragma once

#include "ops/dynamic_conv/problem.h"

namespace dyconv {

// The naive loops of kernels/ref in float64, for any dtype and device of the arguments.
at::Tensor DynamicConvReference(const DynamicConvProblem& problem);

}  // namespace dyconv
