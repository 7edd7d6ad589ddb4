// How operations that libtorch does not know take part in its autocast.
#pragma once

#include <ATen/core/Tensor.h>

namespace dyconv {

// While it lives, libtorch's own casts are off on this thread: the operation says itself what runs in which
// dtype.
class AutocastScope {
 public:
  explicit AutocastScope(c10::Device device);
  ~AutocastScope();
  AutocastScope(const AutocastScope&) = delete;
  AutocastScope& operator=(const AutocastScope&) = delete;

  // The tensor in autocast's dtype where autocast is on for the device; itself otherwise, and where it is
  // float64 or no floating-point tensor.
  at::Tensor Cast(const at::Tensor& tensor) const;

 private:
  c10::DeviceType type_;
  bool enabled_;
};

}  // namespace dyconv
