#include "ops/dynamic_conv/relative_experts.h"

#include "ops/dynamic_conv/base_expert.h"

#include <cmath>
#include <utility>

namespace dyconv {
namespace {

// Tolerance for the sum of attention, due to rounding.
constexpr double kSumTolerance = 1e-6;

void SwapColumns(at::Tensor& rows, int64_t first, int64_t second) {
  const int64_t count = rows.size(0), columns = rows.size(1);
  float* data = rows.data_ptr<float>();
  for (int64_t b = 0; b < count; ++b) std::swap(data[b * columns + first], data[b * columns + second]);
}

bool SumsToOne(const at::Tensor& attention) {
  const auto shares = attention.to(at::kFloat).contiguous();
  const float* a = shares.const_data_ptr<float>();
  const int64_t batch = shares.size(0), experts = shares.size(1);
  for (int64_t b = 0; b < batch; ++b, a += experts) {
    double sum = 0;
    for (int64_t k = 0; k < experts; ++k) {
      if (!(a[k] >= 0)) return false;
      sum += a[k];
    }
    if (!(std::abs(sum - 1) <= kSumTolerance)) return false;
  }
  return true;
}

}  // namespace

Mixing MixingOf(const DynamicConvProblem& p) {
  if (p.is_static()) return Mixing::kNone;
  return SumsToOne(p.attention) ? Mixing::kShares : Mixing::kAny;
}

std::optional<RelativeExperts> RelativeExperts::Of(const DynamicConvProblem& p,
                                                   const DynamicConvTensors& tensors) {
  if (MixingOf(p) != Mixing::kShares) return std::nullopt;
  const auto first = BaseExpert(p, tensors.weight);
  if (!first) return std::nullopt;
  RelativeExperts relative;
  relative.first_ = *first;
  relative.attention_ = tensors.attention.clone();
  SwapColumns(relative.attention_, 0, relative.first_);
  return relative;
}

void RelativeExperts::SetUp(kernels::DynamicConvArgs& args) const {
  args.relative = true;
  args.first_expert = first_;
  args.attention = attention_.const_data_ptr<float>();
}

void RelativeExperts::Finish(at::Tensor& grad_attention, const float* totals) const {
  const int64_t batch = attention_.size(0), experts = attention_.size(1);
  const float* a = attention_.const_data_ptr<float>();
  float* grads = grad_attention.data_ptr<float>();
  for (int64_t b = 0; b < batch; ++b, a += experts, grads += experts) {
    float first = totals == nullptr ? grads[0] : totals[b];
    for (int64_t k = 1; totals != nullptr && k < experts; ++k) first -= a[k] * grads[k];
    grads[0] = first;
    for (int64_t k = 1; k < experts; ++k) grads[k] += first;
  }
  SwapColumns(grad_attention, 0, first_);
}

}  // namespace dyconv
