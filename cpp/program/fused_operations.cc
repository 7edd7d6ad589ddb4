#include "program/fused_operations.h"

#include "ops/inference/fused_conv.h"
#include "ops/inference/fused_dynamic_conv.h"
#include "ops/inference/int8.h"
#include "ops/inference/pool.h"
#include "program/operation.h"

namespace dyconv {
namespace {

using at::Tensor;

// What a batch norm multiplies every channel by, in float64.
Tensor NormScale(const OptionalTensor& weight, const Tensor& variance, double eps) {
  const Tensor scale = variance.to(at::kDouble).add(eps).rsqrt();
  return weight ? scale.mul(weight->to(at::kDouble)) : scale;
}

// The weight of a convolution with the scale of the batch norm after it. Output channels are dimension `dim`.
Tensor FoldWeight(const Tensor& weight, const OptionalTensor& norm_weight, const Tensor& variance, double eps,
                  int64_t dim) {
  std::vector<int64_t> along(weight.dim(), 1);
  along.at(dim) = -1;
  const Tensor scale = NormScale(norm_weight, variance, eps).reshape(along);
  return weight.to(at::kDouble).mul(scale).to(weight.scalar_type());
}

// The bias that goes with it, [O]; or [K, O] for K experts, as attention sums to 1.
Tensor FoldBias(const OptionalTensor& bias, const OptionalTensor& norm_weight,
                const OptionalTensor& norm_bias, const Tensor& mean, const Tensor& variance, double eps,
                int64_t experts) {
  const Tensor scale = NormScale(norm_weight, variance, eps);
  Tensor shift = mean.to(at::kDouble).neg().mul(scale);
  if (norm_bias) shift = shift.add(norm_bias->to(at::kDouble));
  if (bias) shift = bias->to(at::kDouble).mul(scale).add(shift);
  if (experts > 0 && !bias) shift = shift.expand({experts, -1});
  return shift.to(mean.scalar_type()).contiguous();
}

void RegisterInt8Operations() {
  RegisterOperation(MakeOperation("quantize(input, params)", Quantize));
  RegisterOperation(MakeOperation("packInt8(weight, dilation)", PackInt8));
  RegisterOperation(MakeOperation("packInt8Experts(weight, dilation)", PackInt8Experts));
  RegisterOperation(MakeOperation(
      "int8Conv2d(input, inputParams, outputParams, size, activation, residual, residualParams, "
      "stride, padding, dilation, packed, scales, sums, bias)",
      Int8Conv2d));
  RegisterOperation(MakeOperation(
      "int8Linear(input, inputParams, outputParams, size, activation, residual, residualParams, "
      "packed, scales, sums, bias)",
      Int8Linear));
  RegisterOperation(
      MakeOperation("int8DynamicConv2d(input, inputParams, outputParams, size, attention, bias, activation, "
                    "stride, padding, dilation, experts, scales)",
                    Int8DynamicConv2d));
  RegisterOperation(MakeOperation("int8ChannelMeans(input, params)", Int8ChannelMeans));
  RegisterOperation(MakeOperation("int8MaxPool2d(input, kernelSize, stride, padding, dilation, ceilMode)",
                                  [](const Tensor& x, const Pair& kernel, const Pair& stride,
                                     const Pair& padding, const Pair& dilation, bool ceil_mode) {
                                    return Int8MaxPool2d(x, {kernel, stride, padding, dilation, ceil_mode});
                                  }));
}

}  // namespace

void RegisterFusedOperations() {
  RegisterInt8Operations();
  RegisterOperation(MakeOperation("foldWeight(weight, normWeight, runningVar, eps, dim)", FoldWeight));
  RegisterOperation(
      MakeOperation("foldBias(bias, normWeight, normBias, runningMean, runningVar, eps, experts)", FoldBias));
  RegisterOperation(MakeOperation("packConv(weight)", PackConv));
  RegisterOperation(MakeOperation("packWinograd(weight, tile)", PackWinograd));
  RegisterOperation(MakeOperation("packDepthwise(weight)", PackDepthwise));
  RegisterOperation(MakeOperation("packBias(bias, outChannels)", PackBias));
  RegisterOperation(MakeOperation("packWinogradExperts(weight, tile, shares)", PackWinogradExperts));
  RegisterOperation(MakeOperation("packExperts(weight)", PackExperts));
  RegisterOperation(
      MakeOperation("fusedConv2d(input, size, activation, residual, stride, padding, dilation, "
                    "tile, packed, winograd, bias)",
                    FusedConv2d));
  RegisterOperation(MakeOperation(
      "fusedDepthwiseConv2d(input, size, activation, residual, stride, padding, dilation, packed, bias)",
      FusedDepthwiseConv2d));
  RegisterOperation(
      MakeOperation("fusedLinear(input, size, activation, residual, packed, bias)", FusedLinear));
  RegisterOperation(
      MakeOperation("fusedDynamicConv2d(input, weight, attention, bias, activation, stride, padding, "
                    "dilation, tile, winograd, base, packed)",
                    FusedDynamicConv2d));
  RegisterOperation(MakeOperation("packDepthwiseExperts(weight)", PackDepthwiseExperts));
  RegisterOperation(
      MakeOperation("fusedDynamicDepthwiseConv2d(input, size, attention, activation, residual, stride, "
                    "padding, dilation, packed, bias)",
                    FusedDynamicDepthwiseConv2d));
  RegisterOperation(MakeOperation("fusedMaxPool2d(input, kernelSize, stride, padding, dilation, ceilMode)",
                                  [](const Tensor& x, const Pair& kernel, const Pair& stride,
                                     const Pair& padding, const Pair& dilation, bool ceil_mode) {
                                    return FusedMaxPool2d(x, {kernel, stride, padding, dilation, ceil_mode});
                                  }));
  RegisterOperation(MakeOperation("channelMeans(input)", ChannelMeans));
  RegisterOperation(MakeOperation("scaleChannels(input, scale)", ScaleChannels));
}

}  // namespace dyconv
