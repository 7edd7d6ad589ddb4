// Attention that sums to 1, as softmax gives it, needs one product less: a mixture is one expert plus
// attention times the differences of the others from it. docs/dynamic-convolution.md.
#pragma once

#include "ops/dynamic_conv/tensors.h"
#include "ops/dynamic_conv/winograd_cost.h"

namespace dyconv {

// No attention is negative, and that of each sample sums to 1 up to rounding.
Mixing MixingOf(const DynamicConvProblem& problem);

class RelativeExperts {
 public:
  // None if the attention is not of this kind, or if there is no expert relative to which the others can be
  // mixed (base_expert.h).
  static std::optional<RelativeExperts> Of(const DynamicConvProblem& problem,
                                           const DynamicConvTensors& tensors);

  // Makes the kernels pack and mix relative to the first expert.
  void SetUp(kernels::DynamicConvArgs& args) const;

  // Converts the attention's gradient [B, K] from the kernels' order and relative values to the gradient
  // itself. `totals`, [B], is the sum over the experts of attention times gradient if the kernels omitted the
  // first expert, otherwise null.
  void Finish(at::Tensor& grad_attention, const float* totals) const;

 private:
  int64_t first_;
  at::Tensor attention_;  // in the kernels' order
};

}  // namespace dyconv
