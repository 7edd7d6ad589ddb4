#include "program/fused_operations.h"

#include <functional>
#include <set>
#include <string>
#include <utility>

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

std::set<std::string, std::less<>>& Names() {
  // Never destroyed: threads may outlive static objects.
  static auto* names = new std::set<std::string, std::less<>>();
  return *names;
}

void AddOperation(Operation operation) {
  Names().insert(operation.Name());
  RegisterOperation(std::move(operation));
}

void AddInt8Operations() {
  AddOperation(MakeOperation("quantize(input, params)", Quantize));
  AddOperation(MakeOperation("packInt8(weight, dilation)", PackInt8));
  AddOperation(MakeOperation("packInt8Experts(weight, dilation)", PackInt8Experts));
  AddOperation(MakeOperation(
      "int8Conv2d(input, inputParams, outputParams, size, activation, residual, residualParams, "
      "stride, padding, dilation, packed, scales, sums, bias)",
      Int8Conv2d));
  AddOperation(MakeOperation(
      "int8Linear(input, inputParams, outputParams, size, activation, residual, residualParams, "
      "packed, scales, sums, bias)",
      Int8Linear));
  AddOperation(
      MakeOperation("int8DynamicConv2d(input, inputParams, outputParams, size, attention, bias, activation, "
                    "stride, padding, dilation, experts, scales)",
                    Int8DynamicConv2d));
  AddOperation(MakeOperation("int8ChannelMeans(input, params)", Int8ChannelMeans));
  AddOperation(MakeOperation("int8MaxPool2d(input, kernelSize, stride, padding, dilation, ceilMode)",
                             [](const Tensor& x, const Pair& kernel, const Pair& stride, const Pair& padding,
                                const Pair& dilation, bool ceil_mode) {
                               return Int8MaxPool2d(x, {kernel, stride, padding, dilation, ceil_mode});
                             }));
}

}  // namespace

bool IsFusedOperation(std::string_view name) { return Names().contains(name); }

void RegisterFusedOperations() {
  AddInt8Operations();
  AddOperation(MakeOperation("foldWeight(weight, normWeight, runningVar, eps, dim)", FoldWeight));
  AddOperation(
      MakeOperation("foldBias(bias, normWeight, normBias, runningMean, runningVar, eps, experts)", FoldBias));
  AddOperation(MakeOperation("packConv(weight)", PackConv));
  AddOperation(MakeOperation("packWinograd(weight, tile)", PackWinograd));
  AddOperation(MakeOperation("packDepthwise(weight)", PackDepthwise));
  AddOperation(MakeOperation("packBias(bias, outChannels)", PackBias));
  AddOperation(MakeOperation("packWinogradExperts(weight, tile, shares)", PackWinogradExperts));
  AddOperation(MakeOperation("packExperts(weight)", PackExperts));
  AddOperation(
      MakeOperation("fusedConv2d(input, size, activation, residual, stride, padding, dilation, "
                    "tile, packed, winograd, bias)",
                    FusedConv2d));
  AddOperation(MakeOperation(
      "fusedDepthwiseConv2d(input, size, activation, residual, stride, padding, dilation, packed, bias)",
      FusedDepthwiseConv2d));
  AddOperation(MakeOperation("fusedLinear(input, size, activation, residual, packed, bias)", FusedLinear));
  AddOperation(
      MakeOperation("fusedDynamicConv2d(input, weight, attention, bias, activation, stride, padding, "
                    "dilation, tile, winograd, base, packed)",
                    FusedDynamicConv2d));
  AddOperation(MakeOperation("packDepthwiseExperts(weight)", PackDepthwiseExperts));
  AddOperation(
      MakeOperation("fusedDynamicDepthwiseConv2d(input, size, attention, activation, residual, stride, "
                    "padding, dilation, packed, bias)",
                    FusedDynamicDepthwiseConv2d));
  AddOperation(MakeOperation("fusedMaxPool2d(input, kernelSize, stride, padding, dilation, ceilMode)",
                             [](const Tensor& x, const Pair& kernel, const Pair& stride, const Pair& padding,
                                const Pair& dilation, bool ceil_mode) {
                               return FusedMaxPool2d(x, {kernel, stride, padding, dilation, ceil_mode});
                             }));
  AddOperation(MakeOperation("channelMeans(input)", ChannelMeans));
  AddOperation(MakeOperation("scaleChannels(input, scale)", ScaleChannels));
}

}  // namespace dyconv
