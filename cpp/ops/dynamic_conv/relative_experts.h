// Attention that sums to 1, as softmax gives it, needs one product less: a mixture is one expert plus
// attention times the differences of the others from it. docs/dynamic-convolution.md.
#pragma once

#include "ops/dynamic_conv/tensors.h"
#include "ops/dynamic_conv/winograd_cost.h"

namespace dyconv {

// Shares of a whole: no attention is negative, and that of a sample sums to 1 but for rounding.
Mixing MixingOf(const DynamicConvProblem& problem);

class RelativeExperts {
 public:
  // None where the attention is of another kind, or no expert can be the one that all are relative to
  // (base_expert.h).
  static std::optional<RelativeExperts> Of(const DynamicConvProblem& problem,
                                           const DynamicConvTensors& tensors);

  // Has the kernels pack and mix relative to the first expert.
  void SetUp(kernels::DynamicConvArgs& args) const;

  // Turns the attention's gradient [B, K] from the kernels' order and relative values into the gradient
  // itself. `totals`, [B], is the sum over the experts of attention times gradient, where the kernels left
  // out the first expert; else it is null.
  void Finish(at::Tensor& grad_attention, const float* totals) const;

 private:
  int64_t first_;
  at::Tensor attention_;  // in the kernels' order
};

}  // namespace dyconv
