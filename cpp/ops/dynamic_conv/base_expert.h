// Which expert the others can be mixed relative to: a mixture is then that one plus attention times the
// differences of the others from it.
#pragma once

#include <optional>

#include "ops/dynamic_conv/problem.h"

namespace dyconv {

// The expert whose weights are smallest compared with those of the others, in every output and every input
// channel: where it were much larger than one of them, a mixture of that one alone would lose its digits.
// None where every expert is, or where weights are not finite. `weight` holds those of the problem,
// contiguous float32. Looks at the weights once a version of them.
std::optional<int64_t> BaseExpert(const DynamicConvProblem& problem, const at::Tensor& weight);

}  // namespace dyconv
