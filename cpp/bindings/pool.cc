// Pooling and unpooling.
#include "ops/pool.h"
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "ops/conv2d.h"
#include "ops/max_pool.h"
#include "ops/max_unpool.h"

namespace dyconv {
namespace {

using at::Tensor;

Op BindMaxPool(const char* signature) {
  return Bind(signature, [](const Tensor& x, const IntList& kernel, const IntList& stride,
                            const IntList& padding, const IntList& dilation, bool ceil_mode) {
    return MaxPoolNd(x, kernel, stride, padding, dilation, ceil_mode);
  });
}

Op BindWithIndices(const char* signature) {
  return Bind(signature, [](const Tensor& x, const IntList& kernel, const IntList& stride,
                            const IntList& padding, const IntList& dilation, bool ceil_mode) {
    return MaxPoolWithIndices(x, {kernel, stride, padding, dilation, ceil_mode});
  });
}

}  // namespace

const OpTable& PoolOps() {
  static const OpTable table = {
      BindMaxPool("maxPool1d(input, kernelSize, stride, padding, dilation, ceilMode)"),
      Bind("maxPool2d(input, kernelSize, stride, padding, dilation, ceilMode)",
           [](const Tensor& x, const Pair& kernel, const Pair& stride, const Pair& padding,
              const Pair& dilation, bool ceil_mode) {
             return MaxPool2d(x, {kernel, stride, padding, dilation, ceil_mode});
           }),
      BindMaxPool("maxPool3d(input, kernelSize, stride, padding, dilation, ceilMode)"),
      BindWithIndices("maxPoolWithIndices(input, kernelSize, stride, padding, dilation, ceilMode)"),
      Bind("maxUnpool(input, indices, outputSize, stride, padding)",
           [](const Tensor& x, const Tensor& indices, const IntList& size, const IntList& stride,
              const IntList& padding) { return MaxUnpool(x, indices, size, stride, padding); }),
      Bind("avgPool1d(input, kernelSize, stride, padding, ceilMode, countIncludePad)",
           [](const Tensor& x, const IntList& kernel, const IntList& stride, const IntList& padding,
              bool ceil_mode, bool include_pad) {
             CheckPool(x, kernel, stride, padding);
             return at::avg_pool1d(x, kernel, stride, padding, ceil_mode, include_pad);
           }),
      Bind("avgPool2d(input, kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride)",
           [](const Tensor& x, const IntList& kernel, const IntList& stride, const IntList& padding,
              bool ceil_mode, bool include_pad, std::optional<int64_t> divisor) {
             CheckPool(x, kernel, stride, padding);
             return at::avg_pool2d(x, kernel, stride, padding, ceil_mode, include_pad, divisor);
           }),
      Bind("avgPool3d(input, kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride)",
           [](const Tensor& x, const IntList& kernel, const IntList& stride, const IntList& padding,
              bool ceil_mode, bool include_pad, std::optional<int64_t> divisor) {
             CheckPool(x, kernel, stride, padding);
             return at::avg_pool3d(x, kernel, stride, padding, ceil_mode, include_pad, divisor);
           }),
      Bind("adaptiveAvgPool1d(input, outputSize)",
           [](const Tensor& x, const IntList& size) { return at::adaptive_avg_pool1d(x, size); }),
      Bind("adaptiveAvgPool2d(input, outputSize)",
           [](const Tensor& x, const IntList& size) { return at::adaptive_avg_pool2d(x, size); }),
      Bind("adaptiveAvgPool3d(input, outputSize)",
           [](const Tensor& x, const IntList& size) { return at::adaptive_avg_pool3d(x, size); }),
      Bind("adaptiveMaxPool1d(input, outputSize)",
           [](const Tensor& x, const IntList& size) { return at::adaptive_max_pool1d(x, size); }),
      Bind("adaptiveMaxPool2d(input, outputSize)",
           [](const Tensor& x, const IntList& size) { return at::adaptive_max_pool2d(x, size); }),
      Bind("adaptiveMaxPool3d(input, outputSize)",
           [](const Tensor& x, const IntList& size) { return at::adaptive_max_pool3d(x, size); }),
  };
  return table;
}

}  // namespace dyconv
