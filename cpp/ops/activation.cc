#include "ops/activation.h"

#include <ATen/ops/gelu.h>
#include <ATen/ops/gelu_backward.h>
#include <ATen/ops/hardsigmoid.h>
#include <ATen/ops/hardsigmoid_backward.h>
#include <ATen/ops/hardswish.h>
#include <ATen/ops/hardswish_backward.h>
#include <ATen/ops/hardtanh_backward.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/relu6.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sigmoid_backward.h>
#include <ATen/ops/silu.h>
#include <ATen/ops/silu_backward.h>
#include <ATen/ops/threshold_backward.h>

#include "typed_error.h"

namespace dyconv {

kernels::Activation ActivationOf(const std::string& name) {
  for (const auto& [known, activation] : kActivationNames)
    if (name == known) return activation;
  std::string names;
  for (const auto& [known, activation] : kActivationNames)
    names += (names.empty() ? "'" : ", '") + std::string(known) + "'";
  Fail(ErrorKind::kArgument, "Expected one of ", names, " for activation but received '", name, "'");
}

at::Tensor Activated(const at::Tensor& x, kernels::Activation activation) {
  using enum kernels::Activation;
  switch (activation) {
    case kRelu:
      return at::relu(x);
    case kRelu6:
      return at::relu6(x);
    case kHardswish:
      return at::hardswish(x);
    case kHardsigmoid:
      return at::hardsigmoid(x);
    case kSigmoid:
      return at::sigmoid(x);
    case kSilu:
      return at::silu(x);
    case kGelu:
      return at::gelu(x);
    case kNone:
      break;
  }
  return x;
}

at::Tensor ActivationBackward(const at::Tensor& gradient, const at::Tensor& x,
                              kernels::Activation activation) {
  using enum kernels::Activation;
  switch (activation) {
    case kRelu:
      return at::threshold_backward(gradient, x, 0);
    case kRelu6:
      return at::hardtanh_backward(gradient, x, 0, 6);
    case kHardswish:
      return at::hardswish_backward(gradient, x);
    case kHardsigmoid:
      return at::hardsigmoid_backward(gradient, x);
    case kSigmoid:
      return at::sigmoid_backward(gradient, at::sigmoid(x));
    case kSilu:
      return at::silu_backward(gradient, x);
    case kGelu:
      return at::gelu_backward(gradient, x);
    case kNone:
      break;
  }
  return gradient;
}

}  // namespace dyconv
