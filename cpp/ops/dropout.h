// Dropout, with the random numbers of libtorch's generator drawn many at a time. ATen level: no N-API, no JS.
#pragma once

#include <ATen/core/Tensor.h>

namespace dyconv {

// As at::dropout: the same numbers for the same state of the generator as if libtorch drew them one by one.
at::Tensor Dropout(const at::Tensor& input, double p, bool training);

}  // namespace dyconv
