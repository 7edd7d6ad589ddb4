// The scaling of losses for float16.
#include <map>

#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

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
      Bind("ampUnscale(parameters, found, inverseScale)", Unscale),
      Bind("ampUpdateScale(scale, tracker, found, growth, backoff, interval)", UpdateScale),
  };
  return table;
}

}  // namespace dyconv
