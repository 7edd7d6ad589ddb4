// What shows whether a tensor is still the same: its storage, and how often it was changed in place.
#pragma once

#include <ATen/core/Tensor.h>

#include <cstdint>
#include <utility>

namespace dyconv {

// Null for tensors without a storage.
inline const void* StorageOf(const at::Tensor& tensor) {
  return tensor.defined() && tensor.has_storage() ? tensor.storage().unsafeGetStorageImpl() : nullptr;
}

// Tensors of inference mode do not count changes: always 0.
inline int64_t VersionOf(const at::Tensor& tensor) { return tensor.is_inference() ? 0 : tensor._version(); }

inline std::pair<const void*, int64_t> StorageAndVersionOf(const at::Tensor& tensor) {
  return {StorageOf(tensor), VersionOf(tensor)};
}

}  // namespace dyconv
