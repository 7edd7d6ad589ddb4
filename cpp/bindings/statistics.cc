// Statistics of samples: spread, covariance, histograms, quantiles, integrals and differences.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

OpTable Histograms() {
  return {
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
      Bind("bincountWeighted(input, weights, minlength)",
           [](const Tensor& x, const Tensor& weights, int64_t minlength) {
             return at::bincount(x, weights, minlength);
           }),
  };
}

OpTable Integrals() {
  return {
      Bind("trapezoid(input, dx, dim)",
           [](const Tensor& y, const at::Scalar& dx, int64_t dim) { return at::trapezoid(y, dx, dim); }),
      Bind("trapezoidAt(input, x, dim)",
           [](const Tensor& y, const Tensor& x, int64_t dim) { return at::trapezoid(y, x, dim); }),
      Bind("cumulativeTrapezoid(input, dx, dim)",
           [](const Tensor& y, const at::Scalar& dx, int64_t dim) {
             return at::cumulative_trapezoid(y, dx, dim);
           }),
      Bind("cumulativeTrapezoidAt(input, x, dim)",
           [](const Tensor& y, const Tensor& x, int64_t dim) { return at::cumulative_trapezoid(y, x, dim); }),
      Bind("diffBetween(input, n, dim, prepend, append)",
           [](const Tensor& x, int64_t n, int64_t dim, const OptionalTensor& before,
              const OptionalTensor& after) { return at::diff(x, n, dim, before, after); }),
  };
}

}  // namespace

const OpTable& StatisticsOps() {
  static const OpTable table = [] {
    OpTable ops = {
        Bind("stdMean(input, dim, correction, keepdim)",
             [](const Tensor& x, const Dims& dims, const at::Scalar& correction, bool keep) {
               return at::std_mean(x, Over(dims), correction, keep);
             }),
        Bind("cov(input, correction, fweights, aweights)",
             [](const Tensor& x, int64_t correction, const OptionalTensor& frequencies,
                const OptionalTensor& weights) { return at::cov(x, correction, frequencies, weights); }),
        BindUnary("corrcoef(input)", at::corrcoef),
        Bind("nanquantile(input, q, dim, keepdim, interpolation)",
             [](const Tensor& x, const Tensor& q, Dim dim, bool keep,
                const OneOf<"linear", "lower", "higher", "midpoint", "nearest">& interpolation) {
               return at::nanquantile(x, q, dim, keep, interpolation);
             }),
        Bind("renorm(input, p, dim, maxnorm)",
             [](const Tensor& x, const at::Scalar& p, int64_t dim, const at::Scalar& limit) {
               return at::renorm(x, p, dim, limit);
             }),
        BindUnary("argwhere(input)", at::argwhere),
        Bind("vander(input, n)",
             [](const Tensor& x, const std::optional<int64_t>& n) { return at::linalg_vander(x, n); }),
    };
    for (Op& op : Histograms()) ops.push_back(std::move(op));
    for (Op& op : Integrals()) ops.push_back(std::move(op));
    return ops;
  }();
  return table;
}

}  // namespace dyconv
