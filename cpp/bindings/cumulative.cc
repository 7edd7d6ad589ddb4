// Running sums and products, differences, integrals.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

}  // namespace

const OpTable& CumulativeOps() {
  static const OpTable table = {
      Bind("cumsum(input, dim, dtype)",
           [](const Tensor& x, int64_t dim, OptionalDType dtype) { return at::cumsum(x, dim, dtype); }),
      Bind("cumprod(input, dim, dtype)",
           [](const Tensor& x, int64_t dim, OptionalDType dtype) { return at::cumprod(x, dim, dtype); }),
      Bind("cummax(input, dim)", [](const Tensor& x, int64_t dim) { return at::cummax(x, dim); }),
      Bind("cummin(input, dim)", [](const Tensor& x, int64_t dim) { return at::cummin(x, dim); }),
      Bind("logcumsumexp(input, dim)", [](const Tensor& x, int64_t dim) { return at::logcumsumexp(x, dim); }),
      Bind("diff(input, n, dim)",
           [](const Tensor& x, int64_t n, int64_t dim) { return at::diff(x, n, dim); }),
      Bind("diffBetween(input, n, dim, prepend, append)",
           [](const Tensor& x, int64_t n, int64_t dim, const OptionalTensor& before,
              const OptionalTensor& after) { return at::diff(x, n, dim, before, after); }),
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
  };
  return table;
}

}  // namespace dyconv
