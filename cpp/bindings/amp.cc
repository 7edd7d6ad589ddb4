// Automatic mixed precision: autocast, and the scaling of losses for float16.
#include <ATen/autocast_mode.h>

#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

c10::DeviceType TypeOf(const std::string& name) {
  if (name == "cpu") return at::kCPU;
  if (name == "cuda") return at::kCUDA;
  throw TypedError(ErrorKind::kDevice,
                   "Expected 'cpu' or 'cuda' for device of autocast but received '" + name + "'");
}

// Returns what was set before. Weights that were cast are kept until autocast is off on both devices.
std::tuple<bool, at::ScalarType> SetAutocast(const std::string& device, bool enabled, at::ScalarType dtype) {
  const auto type = TypeOf(device);
  const std::tuple before{at::autocast::is_autocast_enabled(type), at::autocast::get_autocast_dtype(type)};
  at::autocast::set_autocast_dtype(type, dtype);
  at::autocast::set_autocast_enabled(type, enabled);
  if (!at::autocast::is_autocast_enabled(at::kCPU) && !at::autocast::is_autocast_enabled(at::kCUDA)) {
    at::autocast::clear_cache();
  }
  return before;
}

// Divides the gradients by the scale, and notes in `found` (float32, one number) whether one is not finite.
void Unscale(const std::vector<Tensor>& parameters, const Tensor& found, const Tensor& inverse_scale) {
  at::NoGradGuard no_grad;
  std::map<std::pair<int8_t, int8_t>, std::vector<Tensor>> groups;  // of one device and dtype
  for (const Tensor& parameter : parameters) {
    const Tensor& grad = parameter.grad();
    if (!grad.defined()) continue;
    groups[{static_cast<int8_t>(grad.scalar_type()), grad.device().index()}].push_back(grad);
  }
  for (auto& [key, grads] : groups) {
    at::_amp_foreach_non_finite_check_and_unscale_(grads, const_cast<Tensor&>(found), inverse_scale);
  }
}

void UpdateScale(const Tensor& scale, const Tensor& tracker, const Tensor& found, double growth,
                 double backoff, int64_t interval) {
  at::NoGradGuard no_grad;
  at::_amp_update_scale_(const_cast<Tensor&>(scale), const_cast<Tensor&>(tracker), found, growth, backoff,
                         interval);
}

}  // namespace

const OpTable& AmpOps() {
  static const OpTable table = {
      Bind("setAutocast(device, enabled, dtype)", SetAutocast),
      Bind("ampUnscale(parameters, found, inverseScale)", Unscale),
      Bind("ampUpdateScale(scale, tracker, found, growth, backoff, interval)", UpdateScale),
  };
  return table;
}

}  // namespace dyconv
