// Gradients of many parameters at once: zeroing, clipping, and loss scaling for float16.
#include <cmath>
#include <map>

#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "bindings/optim_rows.h"

namespace dyconv {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;

// Divides the gradients by the scale, and sets `found` (float32, one number) to 1 if one is not finite.
void Unscale(const std::vector<Tensor>& parameters, const Tensor& found, const Tensor& inverse_scale) {
  at::NoGradGuard no_grad;
  std::map<std::pair<int8_t, int8_t>, std::vector<Tensor>> groups;  // by dtype and device
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

void ZeroGrad(const Tensors& parameters) {
  for (const Tensor& parameter : parameters) parameter.mutable_grad().reset();
}

// The indices of the parameters that have a gradient.
std::vector<int64_t> WithGradient(const Tensors& parameters) {
  std::vector<int64_t> indices;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (parameters[i].grad().defined()) indices.push_back(static_cast<int64_t>(i));
  }
  return indices;
}

void CheckTrainable(const Tensors& parameters) {
  for (const Tensor& parameter : parameters) RefuseOverlap(parameter, "params");
}

Tensors GradientsOf(const Tensors& parameters) {
  Tensors gradients;
  for (const Tensor& parameter : parameters) {
    const Tensor& gradient = parameter.grad();
    if (!gradient.defined()) continue;
    RefuseOverlap(gradient, "the gradient");
    gradients.push_back(gradient);
  }
  return gradients;
}

// torch.nn.utils.clip_grad_norm_: scales all gradients so that their joint p-norm is at most `max_norm`. A
// norm of NaN makes all gradients NaN. With `error_if_nonfinite`, a norm that is NaN or infinite changes
// nothing; the caller reports it.
double ClipGradNorm(const Tensors& parameters, double max_norm, double norm_type, bool error_if_nonfinite) {
  at::NoGradGuard no_grad;
  const Tensors gradients = GradientsOf(parameters);
  if (gradients.empty()) return 0;
  Tensors norms = at::_foreach_norm(gradients, norm_type);
  for (Tensor& norm : norms) norm = norm.to(gradients[0].device());
  const double norm = at::linalg_vector_norm(at::stack(norms), norm_type).item<double>();
  if (error_if_nonfinite && !std::isfinite(norm)) return norm;
  const double scale = max_norm / (norm + 1e-6);
  if (!(scale >= 1)) at::_foreach_mul_(gradients, scale);
  return norm;
}

// torch.nn.utils.clip_grad_value_.
void ClipGradValue(const Tensors& parameters, double clip_value) {
  at::NoGradGuard no_grad;
  const Tensors gradients = GradientsOf(parameters);
  if (gradients.empty()) return;
  at::_foreach_clamp_min_(gradients, -clip_value);
  at::_foreach_clamp_max_(gradients, clip_value);
}

}  // namespace

const OpTable& GradientsOps() {
  static const OpTable table = {
      Bind("zeroGrad(parameters)", ZeroGrad),
      Bind("withGradient(parameters)", WithGradient),
      Bind("checkTrainable(parameters)", CheckTrainable),
      Bind("clipGradNorm(parameters, maxNorm, normType, errorIfNonfinite)", ClipGradNorm),
      Bind("clipGradValue(parameters, clipValue)", ClipGradValue),
      Bind("ampUnscale(parameters, found, inverseScale)", Unscale),
      Bind("ampUpdateScale(scale, tracker, found, growth, backoff, interval)", UpdateScale),
  };
  return table;
}

}  // namespace dyconv
