// Random numbers from libtorch's generator, which manualSeed() seeds.
#include "bindings/binders.h"
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;

}  // namespace

const OpTable& RandomOps() {
  static const OpTable table = {
      Bind("uniform(input, from, to)",
           [](const Tensor& x, double low, double high) { return x.uniform_(low, high); }),
      Bind("normal(input, mean, std)",
           [](const Tensor& x, double mean, double std) { return x.normal_(mean, std); }),
      Bind("bernoulli(input)", [](const Tensor& p) { return at::bernoulli(p); }),
      Bind("multinomial(input, numSamples, replacement)",
           [](const Tensor& weights, int64_t count, bool replacement) {
             return at::multinomial(weights, count, replacement);
           }),
      Bind("poisson(input)", [](const Tensor& rate) { return at::poisson(rate); }),
      Bind("bernoulliInPlace(input, p)", [](const Tensor& x, double p) { return Tensor(x).bernoulli_(p); }),
      Bind("exponentialInPlace(input, lambda)",
           [](const Tensor& x, double lambda) { return Tensor(x).exponential_(lambda); }),
      Bind("logNormalInPlace(input, mean, std)",
           [](const Tensor& x, double mean, double std) { return Tensor(x).log_normal_(mean, std); }),
      Bind("cauchyInPlace(input, median, sigma)",
           [](const Tensor& x, double median, double sigma) { return Tensor(x).cauchy_(median, sigma); }),
      Bind("geometricInPlace(input, p)", [](const Tensor& x, double p) { return Tensor(x).geometric_(p); }),
      Bind("randomInPlace(input, from, to)",
           [](const Tensor& x, int64_t from, int64_t to) { return Tensor(x).random_(from, to); }),
  };
  return table;
}

}  // namespace dyconv
