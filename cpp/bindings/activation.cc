// Activation functions and dropout.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "ops/dropout.h"

namespace dyconv {
namespace {

using at::Tensor;

// A sample of the categorical distribution of `logits`, relaxed to a softmax; with `hard` it is one-hot, with
// a straight-through gradient.
Tensor GumbelSoftmax(const Tensor& logits, double tau, bool hard, int64_t dim) {
  const Tensor gumbels = -at::empty_like(logits, at::MemoryFormat::Contiguous).exponential_().log();
  const Tensor soft = at::softmax((logits + gumbels) / tau, dim);
  if (!hard) return soft;
  const Tensor best = soft.argmax(dim, /*keepdim=*/true);
  const Tensor one_hot = at::zeros_like(logits, at::MemoryFormat::Contiguous).scatter_(dim, best, 1);
  return one_hot - soft.detach() + soft;
}

}  // namespace

const OpTable& ActivationOps() {
  static const OpTable table = {
      BindUnary("relu(input)", at::relu),
      Bind("reluInPlace(input)", [](const Tensor& x) { return Tensor(x).relu_(); }),
      BindUnary("relu6(input)", at::relu6),
      Bind("leakyRelu(input, negativeSlope)",
           [](const Tensor& x, double slope) { return at::leaky_relu(x, slope); }),
      Bind("prelu(input, weight)", [](const Tensor& x, const Tensor& w) { return at::prelu(x, w); }),
      Bind("rrelu(input, lower, upper, training)",
           [](const Tensor& x, double lower, double upper, bool training) {
             return at::rrelu(x, lower, upper, training);
           }),
      Bind("elu(input, alpha)", [](const Tensor& x, double alpha) { return at::elu(x, alpha); }),
      Bind("celu(input, alpha)", [](const Tensor& x, double alpha) { return at::celu(x, alpha); }),
      BindUnary("selu(input)", at::selu),
      Bind("gelu(input, approximate)",
           [](const Tensor& x, const OneOf<"none", "tanh">& kind) { return at::gelu(x, kind); }),
      Bind("silu(input)", [](const Tensor& x) { return at::silu(x); }),
      BindUnary("mish(input)", at::mish),
      Bind("softplus(input, beta, threshold)",
           [](const Tensor& x, double beta, double threshold) { return at::softplus(x, beta, threshold); }),
      BindUnary("softsign(input)", [](const Tensor& x) { return x / (x.abs() + 1); }),
      Bind("softmax(input, dim, dtype)",
           [](const Tensor& x, int64_t dim, OptionalDType dtype) { return at::softmax(x, dim, dtype); }),
      Bind("logSoftmax(input, dim, dtype)",
           [](const Tensor& x, int64_t dim, OptionalDType dtype) { return at::log_softmax(x, dim, dtype); }),
      Bind("gumbelSoftmax(input, tau, hard, dim)", GumbelSoftmax),
      BindUnary("logSigmoid(input)", at::log_sigmoid),
      BindUnary("hardsigmoid(input)", at::hardsigmoid),
      Bind("hardswish(input)", [](const Tensor& x) { return at::hardswish(x); }),
      Bind("hardtanh(input, minVal, maxVal)",
           [](const Tensor& x, double low, double high) { return at::hardtanh(x, low, high); }),
      Bind("hardshrink(input, lambda)",
           [](const Tensor& x, double lambda) { return at::hardshrink(x, lambda); }),
      Bind("softshrink(input, lambda)",
           [](const Tensor& x, double lambda) { return at::softshrink(x, lambda); }),
      BindUnary("tanhshrink(input)", [](const Tensor& x) { return x - x.tanh(); }),
      Bind(
          "threshold(input, threshold, value)",
          [](const Tensor& x, double threshold, double value) { return at::threshold(x, threshold, value); }),
      Bind("glu(input, dim)", [](const Tensor& x, int64_t dim) { return at::glu(x, dim); }),
      Bind("dropout(input, p, training)",
           [](const Tensor& x, double p, bool training) { return Dropout(x, p, training); }),
      Bind("featureDropout(input, p, training)",
           [](const Tensor& x, double p, bool training) { return at::feature_dropout(x, p, training); }),
      Bind("alphaDropout(input, p, training)",
           [](const Tensor& x, double p, bool training) { return at::alpha_dropout(x, p, training); }),
      Bind(
          "featureAlphaDropout(input, p, training)",
          [](const Tensor& x, double p, bool training) { return at::feature_alpha_dropout(x, p, training); }),
  };
  return table;
}

}  // namespace dyconv
