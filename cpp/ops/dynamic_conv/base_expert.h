// The expert relative to which the others can be mixed: a mixture is then that expert plus attention times
// the differences of the others from it.
#pragma once

#include <optional>

#include "ops/dynamic_conv/problem.h"

namespace dyconv {

// The expert whose weights are smallest compared with the others, in every output and input channel: if it
// were much larger than another, a mixture of that other expert alone would lose precision. None if there is
// no such expert, or if weights are not finite. `weight` is that of the problem, contiguous float32. Reads
// the weights once per version.
std::optional<int64_t> BaseExpert(const DynamicConvProblem& problem, const at::Tensor& weight);

}  // namespace dyconv
