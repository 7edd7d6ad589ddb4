// Medians, quantiles, covariance, histograms.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

}  // namespace

const OpTable& StatisticsOps() {
  static const OpTable table = {
      BindUnary("median(input)", at::median),
      BindUnary("nanmedian(input)", at::nanmedian),
      Bind("medianDim(input, dim, keepdim)",
           [](const Tensor& x, int64_t dim, bool keep) { return at::median(x, dim, keep); }),
      Bind("nanmedianDim(input, dim, keepdim)",
           [](const Tensor& x, int64_t dim, bool keep) { return at::nanmedian(x, dim, keep); }),
      Bind("mode(input, dim, keepdim)",
           [](const Tensor& x, int64_t dim, bool keep) { return at::mode(x, dim, keep); }),
      Bind("quantile(input, q, dim, keepdim, interpolation)",
           [](const Tensor& x, const Tensor& q, Dim dim, bool keep,
              const OneOf<"linear", "lower", "higher", "midpoint", "nearest">& interpolation) {
             return at::quantile(x, q, dim, keep, interpolation);
           }),
      Bind("nanquantile(input, q, dim, keepdim, interpolation)",
           [](const Tensor& x, const Tensor& q, Dim dim, bool keep,
              const OneOf<"linear", "lower", "higher", "midpoint", "nearest">& interpolation) {
             return at::nanquantile(x, q, dim, keep, interpolation);
           }),
      Bind("cov(input, correction, fweights, aweights)",
           [](const Tensor& x, int64_t correction, const OptionalTensor& frequencies,
              const OptionalTensor& weights) { return at::cov(x, correction, frequencies, weights); }),
      BindUnary("corrcoef(input)", at::corrcoef),
      Bind("histc(input, bins, min, max)",
           [](const Tensor& x, int64_t bins, const at::Scalar& low, const at::Scalar& high) {
             return at::histc(x, bins, low, high);
           }),
      Bind("histogram(input, bins, range, weight, density)",
           [](const Tensor& x, int64_t bins, const std::optional<std::vector<double>>& range,
              const OptionalTensor& weight, bool density) {
             std::optional<at::ArrayRef<double>> limits;
             if (range) limits = at::ArrayRef<double>(*range);
             return at::histogram(x, bins, limits, weight, density);
           }),
      Bind("histogramEdges(input, bins, weight, density)",
           [](const Tensor& x, const Tensor& edges, const OptionalTensor& weight, bool density) {
             return at::histogram(x, edges, weight, density);
           }),
      Bind("bincount(input, minlength)",
           [](const Tensor& x, int64_t minlength) {
             Require(x.dim() == 1, ErrorKind::kShape,
                     "Expected shape [N] for input of bincount but received ", x.sizes());
             return at::bincount(x, {}, minlength);
           }),
      Bind("bincountWeighted(input, weights, minlength)",
           [](const Tensor& x, const Tensor& weights, int64_t minlength) {
             return at::bincount(x, weights, minlength);
           }),
  };
  return table;
}

}  // namespace dyconv
