// Dynamic convolution and its routing.
#include "ops/dynamic_conv/dynamic_conv.h"

#include <c10/util/StringUtil.h>

#include "bindings/bindings.h"
#include "napi/choice.h"
#include "ops/dynamic_conv/routing.h"
#include "ops/window.h"

namespace dyconv {

template <>
inline constexpr auto kNames<DynamicConvAlgorithm> = kDynamicConvAlgorithmNames;
template <>
inline constexpr auto kNames<RoutingKind> = std::to_array<Named<RoutingKind>>(
    {{"softmax", RoutingKind::kSoftmax}, {"sigmoid", RoutingKind::kSigmoid}});

namespace {

using at::Tensor;

DynamicConvOptions Options(const Pair& stride, const Pair& padding, const Pair& dilation, int64_t groups,
                           DynamicConvAlgorithm algorithm) {
  return {
      .stride = stride, .padding = padding, .dilation = dilation, .groups = groups, .algorithm = algorithm};
}

// A check of the layer, here so that background() can defer it with the operations that follow.
void CheckImages(const Tensor& x, int64_t channels) {
  if (x.dim() == 4 && x.size(1) == channels) return;
  Fail(ErrorKind::kShape, "Expected [B, ", channels, ", H, W] for input but received [",
       c10::Join(", ", x.sizes()), "]");
}

}  // namespace

const OpTable& DynamicConvOps() {
  static const OpTable table = {
      Bind("checkImages(input, channels)", CheckImages),
      Bind("dynamicConv2d(input, weight, attention, bias, stride, padding, dilation, groups, algorithm)",
           [](const Tensor& x, const Tensor& w, const Tensor& a, const std::optional<Tensor>& b,
              const Pair& stride, const Pair& padding, const Pair& dilation, int64_t groups,
              DynamicConvAlgorithm algorithm) {
             return DynamicConv2d(x, w, a, b, Options(stride, padding, dilation, groups, algorithm));
           }),
      Bind("dynamicConv2dChoice(input, weight, attention, bias, stride, padding, dilation, groups)",
           [](const Tensor& x, const Tensor& w, const Tensor& a, const std::optional<Tensor>& b,
              const Pair& stride, const Pair& padding, const Pair& dilation, int64_t groups) {
             return DynamicConvChoice(
                 x, w, a, b, Options(stride, padding, dilation, groups, DynamicConvAlgorithm::kAuto));
           }),
      Bind("dynamicConv2dAlgorithms()", [] { return DynamicConvAlgorithms(); }),
      Bind("routing(input, weight1, bias1, weight2, bias2, temperature, kind)",
           [](const Tensor& x, const Tensor& w1, const std::optional<Tensor>& b1, const Tensor& w2,
              const std::optional<Tensor>& b2, const Operand& temperature,
              RoutingKind kind) { return Routing(x, w1, b1, w2, b2, temperature.tensor, kind); }),
  };
  return table;
}

}  // namespace dyconv
