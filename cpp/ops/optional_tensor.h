// Tensors that may be absent: as an optional, or undefined, which is how autograd saves them.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace dyconv {

using OptionalTensor = std::optional<at::Tensor>;

inline OptionalTensor IfDefined(const at::Tensor& tensor) {
  return tensor.defined() ? OptionalTensor(tensor) : std::nullopt;
}

// The float32 numbers of a contiguous tensor; null if there is none.
inline const float* FloatDataOf(const at::Tensor& tensor) {
  return tensor.defined() ? tensor.const_data_ptr<float>() : nullptr;
}
inline const float* FloatDataOf(const OptionalTensor& tensor) {
  return tensor ? FloatDataOf(*tensor) : nullptr;
}

}  // namespace dyconv
