// Checks of torch.nn.functional in Python, above ATen: statistics of a single value, whose unbiased variance
// is NaN. ATen level: no Node-API, no JavaScript.
#pragma once

#include <ATen/core/Tensor.h>

#include "typed_error.h"

namespace dyconv {

// `values`: the number of values of each mean and variance. 0 is allowed, as in PyTorch.
inline void CheckSeveralValues(const at::Tensor& input, int64_t values, const char* each) {
  Require(values != 1, ErrorKind::kShape, "Expected more than 1 value per ", each,
          " for input when training but received shape ", input.sizes());
}

// The values of one channel of one sample, [B, C, ...].
inline int64_t SpatialSize(const at::Tensor& input) {
  int64_t size = 1;
  for (int64_t i = 2; i < input.dim(); ++i) size *= input.size(i);
  return size;
}

}  // namespace dyconv
