// Convolution, pooling, normalisation, activations, losses: the functional half of torch.nn.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "ops/batch_norm.h"
#include "ops/conv2d.h"
#include "ops/dropout.h"
#include "ops/linear.h"
#include "ops/max_pool.h"
#include "ops/norm_values.h"
#include "ops/pool.h"

namespace dyconv {
namespace {

using at::Tensor;
using Optional = OptionalTensor;

Tensor CrossEntropy(const Tensor& logits, const Tensor& target, const Optional& weight, Reduction reduction,
                    int64_t ignore_index, double label_smoothing) {
  return at::cross_entropy_loss(logits, target, weight, reduction, ignore_index, label_smoothing);
}

}  // namespace

const OpTable& NnOps() {
  static const OpTable table = {
      Bind("conv2d(input, weight, bias, stride, padding, dilation, groups, algorithm)",
           [](const Tensor& x, const Tensor& w, const Optional& b, const Pair& stride, const Pair& padding,
              const Pair& dilation, int64_t groups, const std::string& algorithm) {
             return Conv2d(x, w, b, stride, padding, dilation, groups, algorithm);
           }),
      Bind("linear(input, weight, bias)",
           [](const Tensor& x, const Tensor& w, const Optional& b) { return Linear(x, w, b); }),
      Bind("maxPool2d(input, kernelSize, stride, padding, dilation, ceilMode)",
           [](const Tensor& x, const Pair& kernel, const Pair& stride, const Pair& padding,
              const Pair& dilation, bool ceil_mode) {
             return MaxPool2d(x, {kernel, stride, padding, dilation, ceil_mode});
           }),
      Bind("avgPool2d(input, kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride)",
           [](const Tensor& x, const IntList& kernel, const IntList& stride, const IntList& padding,
              bool ceil_mode, bool include_pad, std::optional<int64_t> divisor) {
             CheckPool(x, kernel, stride, padding);
             return at::avg_pool2d(x, kernel, stride, padding, ceil_mode, include_pad, divisor);
           }),
      Bind("adaptiveAvgPool2d(input, outputSize)",
           [](const Tensor& x, const IntList& size) { return at::adaptive_avg_pool2d(x, size); }),
      Bind("batchNorm(input, weight, bias, runningMean, runningVar, training, momentum, eps)",
           [](const Tensor& x, const Optional& w, const Optional& b, const Optional& mean,
              const Optional& var, bool training, double momentum,
              double eps) { return BatchNorm(x, w, b, mean, var, training, momentum, eps); }),
      Bind("layerNorm(input, normalizedShape, weight, bias, eps)",
           [](const Tensor& x, const IntList& shape, const Optional& w, const Optional& b, double eps) {
             return at::layer_norm(x, shape, w, b, eps);
           }),
      Bind("groupNorm(input, numGroups, weight, bias, eps)",
           [](const Tensor& x, int64_t groups, const Optional& w, const Optional& b, double eps) {
             if (x.dim() >= 2 && groups > 0)
               CheckSeveralValues(x, x.size(0) * (x.size(1) / groups) * SpatialSize(x), "group");
             return at::group_norm(x, groups, w, b, eps);
           }),
      Bind("dropout(input, p, training)",
           [](const Tensor& x, double p, bool training) { return Dropout(x, p, training); }),
      Bind("embedding(weight, indices, paddingIdx)",
           [](const Tensor& w, const Tensor& i, int64_t padding) { return at::embedding(w, i, padding); }),
      Bind("oneHot(input, numClasses)",
           [](const Tensor& x, int64_t classes) { return at::one_hot(x, classes); }),

      Bind("reluInPlace(input)", [](const Tensor& x) { return Tensor(x).relu_(); }),
      Bind("leakyRelu(input, negativeSlope)",
           [](const Tensor& x, double slope) { return at::leaky_relu(x, slope); }),
      Bind("gelu(input, approximate)",
           [](const Tensor& x, const OneOf<"none", "tanh">& kind) { return at::gelu(x, kind); }),
      Bind("silu(input)", [](const Tensor& x) { return at::silu(x); }),
      Bind("hardswish(input)", [](const Tensor& x) { return at::hardswish(x); }),
      Bind("softplus(input, beta, threshold)",
           [](const Tensor& x, double beta, double threshold) { return at::softplus(x, beta, threshold); }),
      Bind("softmax(input, dim, dtype)",
           [](const Tensor& x, int64_t dim, OptionalDType dtype) { return at::softmax(x, dim, dtype); }),
      Bind("logSoftmax(input, dim, dtype)",
           [](const Tensor& x, int64_t dim, OptionalDType dtype) { return at::log_softmax(x, dim, dtype); }),

      Bind("crossEntropy(input, target, weight, reduction, ignoreIndex, labelSmoothing)", CrossEntropy),
      Bind("nllLoss(input, target, weight, reduction, ignoreIndex)",
           [](const Tensor& x, const Tensor& target, const Optional& weight, Reduction reduction,
              int64_t ignore_index) { return at::nll_loss_nd(x, target, weight, reduction, ignore_index); }),
      Bind("mseLoss(input, target, reduction)",
           [](const Tensor& x, const Tensor& target, Reduction reduction) {
             return at::mse_loss(x, target, reduction);
           }),
      Bind("l1Loss(input, target, reduction)",
           [](const Tensor& x, const Tensor& target, Reduction reduction) {
             return at::l1_loss(x, target, reduction);
           }),
      Bind("binaryCrossEntropyWithLogits(input, target, weight, posWeight, reduction)",
           [](const Tensor& x, const Tensor& target, const Optional& weight, const Optional& pos_weight,
              Reduction reduction) {
             return at::binary_cross_entropy_with_logits(x, target, weight, pos_weight, reduction);
           }),
  };
  return table;
}

}  // namespace dyconv
