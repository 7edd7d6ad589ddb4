// Activations, attention and normalisations beyond those of nn.cc.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "ops/norm_values.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using at::Tensor;

// Divides by (k + alpha / size * sum of squares over `size` neighbouring channels) ^ beta.
Tensor LocalResponseNorm(const Tensor& x, int64_t size, double alpha, double beta, double k) {
  Require(x.dim() >= 3, ErrorKind::kShape, "Expected at least 3 dimensions for input but received ",
          x.sizes());
  if (x.numel() == 0) return x;
  // Channels as a dimension of an average pool, padded by hand because an even window is lopsided.
  const int64_t channels = x.size(1);
  Tensor squares = (x * x).reshape({x.size(0), 1, channels, -1});
  squares = at::constant_pad_nd(squares, {0, 0, size / 2, (size - 1) / 2});
  const Tensor mean = at::avg_pool2d(squares, {size, 1}, /*stride=*/1).reshape(x.sizes());
  return x / (mean * alpha + k).pow(beta);
}

// A draw from the categorical distribution of `logits`, relaxed to a softmax or, `hard`, with a
// straight-through gradient.
Tensor GumbelSoftmax(const Tensor& logits, double tau, bool hard, int64_t dim) {
  const Tensor gumbels = -at::empty_like(logits, at::MemoryFormat::Contiguous).exponential_().log();
  const Tensor soft = at::softmax((logits + gumbels) / tau, dim);
  if (!hard) return soft;
  const Tensor best = soft.argmax(dim, /*keepdim=*/true);
  const Tensor one_hot = at::zeros_like(logits, at::MemoryFormat::Contiguous).scatter_(dim, best, 1);
  return one_hot - soft.detach() + soft;
}

OpTable Activations() {
  return {
      BindUnary("relu6(input)", at::relu6),
      BindUnary("selu(input)", at::selu),
      BindUnary("mish(input)", at::mish),
      BindUnary("hardsigmoid(input)", at::hardsigmoid),
      BindUnary("logSigmoid(input)", at::log_sigmoid),
      BindUnary("softsign(input)", [](const Tensor& x) { return x / (x.abs() + 1); }),
      BindUnary("tanhshrink(input)", [](const Tensor& x) { return x - x.tanh(); }),
      Bind("elu(input, alpha)", [](const Tensor& x, double alpha) { return at::elu(x, alpha); }),
      Bind("celu(input, alpha)", [](const Tensor& x, double alpha) { return at::celu(x, alpha); }),
      Bind("hardtanh(input, minVal, maxVal)",
           [](const Tensor& x, double low, double high) { return at::hardtanh(x, low, high); }),
      Bind("hardshrink(input, lambda)",
           [](const Tensor& x, double lambda) { return at::hardshrink(x, lambda); }),
      Bind("softshrink(input, lambda)",
           [](const Tensor& x, double lambda) { return at::softshrink(x, lambda); }),
      Bind(
          "threshold(input, threshold, value)",
          [](const Tensor& x, double threshold, double value) { return at::threshold(x, threshold, value); }),
      Bind("prelu(input, weight)", [](const Tensor& x, const Tensor& w) { return at::prelu(x, w); }),
      Bind("rrelu(input, lower, upper, training)",
           [](const Tensor& x, double lower, double upper, bool training) {
             return at::rrelu(x, lower, upper, training);
           }),
      Bind("gumbelSoftmax(input, tau, hard, dim)", GumbelSoftmax),
      Bind("glu(input, dim)", [](const Tensor& x, int64_t dim) { return at::glu(x, dim); }),
      Bind("featureDropout(input, p, training)",
           [](const Tensor& x, double p, bool training) { return at::feature_dropout(x, p, training); }),
      Bind("alphaDropout(input, p, training)",
           [](const Tensor& x, double p, bool training) { return at::alpha_dropout(x, p, training); }),
  };
}

}  // namespace

const OpTable& ActivationOps() {
  static const OpTable table = [] {
    OpTable ops = {
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
        Bind("scaledDotProductAttention(query, key, value, attnMask, dropoutP, isCausal, scale)",
             [](const Tensor& q, const Tensor& k, const Tensor& v, const OptionalTensor& mask, double p,
                bool causal, std::optional<double> scale) {
               return at::scaled_dot_product_attention(q, k, v, mask, p, causal, scale);
             }),
        Bind("bilinear(input1, input2, weight, bias)",
             [](const Tensor& a, const Tensor& b, const Tensor& w, const OptionalTensor& bias) {
               return at::bilinear(a, b, w, bias);
             }),
    };
    for (Op& op : Activations()) ops.push_back(std::move(op));
    return ops;
  }();
  return table;
}

}  // namespace dyconv
