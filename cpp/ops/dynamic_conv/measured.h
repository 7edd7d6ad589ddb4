// What the tables of tuning.h have for the GPU of a problem. Internal to cpp/ops.
#pragma once

#include <vector>

#include "kernels/cuda/kernels.h"
#include "ops/dynamic_conv/problem.h"

namespace dyconv {

// The measured algorithms for such a problem, fastest first; not all of them may apply to it. Empty if the
// tensors are not on a GPU, or if no table has a problem near it. A problem that autograd records is ranked
// by the time of a training step.
std::vector<DynamicConvAlgorithm> MeasuredRanking(const DynamicConvProblem& problem);

// The measured splits for the GPU of a tensor that the kernels take; without a table the defaults.
kernels::cuda::MixSplits MeasuredSplits(const at::Tensor& tensor);

}  // namespace dyconv
