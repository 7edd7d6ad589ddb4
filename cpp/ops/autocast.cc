#include "autocast.h"

#include <ATen/autocast_mode.h>

namespace dyconv {
namespace {

bool IsEnabled(c10::DeviceType type) {
  const bool known = type == at::kCPU || type == at::kCUDA;
  return known && at::autocast::is_autocast_enabled(type);
}

}  // namespace

AutocastScope::AutocastScope(c10::Device device) : type_(device.type()), enabled_(IsEnabled(device.type())) {
  if (enabled_) at::autocast::set_autocast_enabled(type_, false);
}

AutocastScope::~AutocastScope() {
  if (enabled_) at::autocast::set_autocast_enabled(type_, true);
}

at::Tensor AutocastScope::Cast(const at::Tensor& tensor) const {
  if (!enabled_ || !tensor.defined()) return tensor;
  return at::autocast::cached_cast(at::autocast::get_autocast_dtype(type_), tensor, type_);
}

}  // namespace dyconv
