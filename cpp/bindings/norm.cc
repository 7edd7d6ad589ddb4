// Normalization, similarity and distance.
#include <algorithm>

#include <c10/util/StringUtil.h>

#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "napi/choice.h"
#include "ops/activation.h"
#include "ops/batch_norm.h"
#include "ops/norm_values.h"

namespace dyconv {

template <>
inline constexpr auto kNames<kernels::Activation> = kActivationNames;

namespace {

using at::Tensor;

// Divides by (k + alpha / size * sum of squares over `size` neighboring channels) ^ beta.
Tensor LocalResponseNorm(const Tensor& x, int64_t size, double alpha, double beta, double k) {
  Require(x.dim() >= 3, ErrorKind::kShape, "Expected at least 3 dimensions for input but received ",
          x.sizes());
  if (x.numel() == 0) return x;
  // An average pool over the channels, padded separately because an even window needs unequal padding.
  const int64_t channels = x.size(1);
  Tensor squares = (x * x).reshape({x.size(0), 1, channels, -1});
  squares = at::constant_pad_nd(squares, {0, 0, size / 2, (size - 1) / 2});
  const Tensor mean = at::avg_pool2d(squares, {size, 1}, /*stride=*/1).reshape(x.sizes());
  return x / (mean * alpha + k).pow(beta);
}

// A check of a layer, here so that background() can defer it with the operation that it belongs to.
void CheckDims(const Tensor& x, const IntList& allowed, const std::string& layer) {
  if (std::find(allowed.begin(), allowed.end(), x.dim()) != allowed.end()) return;
  Fail(ErrorKind::kShape, "Expected ", c10::Join(" or ", allowed), " dimensions for input of ", layer,
       " but received [", c10::Join(", ", x.sizes()), "]");
}

}  // namespace

const OpTable& NormOps() {
  static const OpTable table = {
      Bind("checkDims(input, allowed, layer)", CheckDims),
      Bind("batchNorm(input, weight, bias, runningMean, runningVar, training, momentum, eps)",
           [](const Tensor& x, const OptionalTensor& w, const OptionalTensor& b, const OptionalTensor& mean,
              const OptionalTensor& var, bool training, double momentum,
              double eps) { return BatchNorm(x, w, b, mean, var, training, momentum, eps); }),
      Bind("batchNormActivation(input, residual, weight, bias, runningMean, runningVar, momentum, eps, "
           "activation)",
           BatchNormActivation),
      Bind("layerNorm(input, normalizedShape, weight, bias, eps)",
           [](const Tensor& x, const IntList& shape, const OptionalTensor& w, const OptionalTensor& b,
              double eps) { return at::layer_norm(x, shape, w, b, eps); }),
      Bind("groupNorm(input, numGroups, weight, bias, eps)",
           [](const Tensor& x, int64_t groups, const OptionalTensor& w, const OptionalTensor& b, double eps) {
             if (x.dim() >= 2 && groups > 0)
               CheckSeveralValues(x, x.size(0) * (x.size(1) / groups) * SpatialSize(x), "group");
             return at::group_norm(x, groups, w, b, eps);
           }),
      Bind("instanceNorm(input, weight, bias, runningMean, runningVar, useInputStats, momentum, eps)",
           [](const Tensor& x, const OptionalTensor& w, const OptionalTensor& b, const OptionalTensor& mean,
              const OptionalTensor& var, bool use_input_stats, double momentum, double eps) {
             if (use_input_stats && x.dim() >= 2)
               CheckSeveralValues(x, SpatialSize(x), "channel of a sample");
             return at::instance_norm(x, w, b, mean, var, use_input_stats, momentum, eps,
                                      /*cudnn_enabled=*/true);
           }),
      Bind("rmsNorm(input, normalizedShape, weight, eps)",
           [](const Tensor& x, const IntList& shape, const OptionalTensor& w, std::optional<double> eps) {
             return at::rms_norm(x, shape, w, eps);
           }),
      Bind("localResponseNorm(input, size, alpha, beta, k)", LocalResponseNorm),
      Bind("normalize(input, p, dim, eps)",
           [](const Tensor& x, const at::Scalar& p, int64_t dim, double eps) {
             return x / x.norm(p, {dim}, /*keepdim=*/true).clamp_min(eps);
           }),
      Bind("cosineSimilarity(input, other, dim, eps)",
           [](const Tensor& a, const Tensor& b, int64_t dim, double eps) {
             return at::cosine_similarity(a, b, dim, eps);
           }),
      Bind("pairwiseDistance(input, other, p, eps, keepdim)",
           [](const Tensor& a, const Tensor& b, double p, double eps, bool keep) {
             return at::pairwise_distance(a, b, p, eps, keep);
           }),
      Bind("pdist(input, p)", [](const Tensor& x, double p) { return at::pdist(x, p); }),
  };
  return table;
}

}  // namespace dyconv
