// Dynamic convolution and its routing.
#include "ops/dynamic_conv.h"

#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;
using Pair = std::array<int64_t, 2>;

Tensor Forward(const Tensor& input, const Tensor& weight, const Tensor& attention, const std::optional<Tensor>& bias,
               const Pair& stride, const Pair& padding, const Pair& dilation, int64_t groups,
               const std::string& algorithm) {
  return DynamicConv2d(input, weight, attention, bias,
                       {.stride = stride, .padding = padding, .dilation = dilation, .groups = groups, .algorithm = algorithm});
}

}  // namespace

const OpTable& DynamicConvOps() {
  static const OpTable table = {
      Bind("dynamicConv2d(input, weight, attention, bias, stride, padding, dilation, groups, algorithm)", Forward),
      Bind("dynamicConv2dAlgorithms()", [] { return DynamicConvAlgorithms(); }),
  };
  return table;
}

}  // namespace dyconv
