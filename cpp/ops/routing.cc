#include "routing.h"

#include <ATen/ops/linear.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <c10/util/Exception.h>

namespace dyconv {
namespace {

void CheckLayer(const at::Tensor& weight, const std::optional<at::Tensor>& bias, const at::Tensor& input,
                int64_t in_features, const char* weight_name, const char* bias_name,
                const char* weight_shape) {
  TORCH_CHECK_VALUE(weight.dim() == 4 && weight.size(0) > 0 && weight.size(1) == in_features &&
                        weight.size(2) == 1 && weight.size(3) == 1,
                    "Expected shape ", weight_shape, " with ", in_features, " at dimension 1 for ",
                    weight_name, " but got ", weight.sizes());
  TORCH_CHECK_VALUE(!bias || (bias->dim() == 1 && bias->size(0) == weight.size(0)), "Expected shape [",
                    weight.size(0), "] for ", bias_name, " but got ",
                    bias ? bias->sizes() : at::IntArrayRef());
  for (const auto* tensor : {&weight, bias ? &*bias : nullptr}) {
    if (tensor == nullptr) continue;
    const auto* name = tensor == &weight ? weight_name : bias_name;
    TORCH_CHECK_TYPE(tensor->scalar_type() == input.scalar_type(), "Expected dtype ", input.scalar_type(),
                     " of input for ", name, " but got ", tensor->scalar_type());
    TORCH_CHECK(tensor->device() == input.device(), "Expected device ", input.device(), " of input for ",
                name, " but got ", tensor->device());
  }
}

void CheckRouting(const at::Tensor& input, const at::Tensor& w1, const std::optional<at::Tensor>& b1,
                  const at::Tensor& w2, const std::optional<at::Tensor>& b2, double temperature) {
  TORCH_CHECK_VALUE(input.dim() == 4 && input.size(1) > 0 && input.size(2) > 0 && input.size(3) > 0,
                    "Expected shape [B, I, H, W] without empty channels or planes for input but got ",
                    input.sizes());
  TORCH_CHECK_TYPE(at::isFloatingType(input.scalar_type()), "Expected a floating dtype for input but got ",
                   input.scalar_type());
  CheckLayer(w1, b1, input, input.size(1), "w1", "b1", "[H, I, 1, 1]");
  CheckLayer(w2, b2, input, w1.size(0), "w2", "b2", "[K, H, 1, 1]");
  TORCH_CHECK_VALUE(temperature > 0, "Expected a positive number for temperature but got ", temperature);
}

at::Tensor RoutingComposed(const at::Tensor& input, const at::Tensor& w1, const std::optional<at::Tensor>& b1,
                           const at::Tensor& w2, const std::optional<at::Tensor>& b2, double temperature,
                           RoutingKind kind) {
  const auto type = input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto layer = [&](const at::Tensor& x, const at::Tensor& weight,
                         const std::optional<at::Tensor>& bias) {
    return at::linear(x, weight.flatten(1).to(type), bias ? std::optional<at::Tensor>(bias->to(type)) : bias);
  };
  const auto pooled = at::mean(input, {2, 3}, /*keepdim=*/false, type);
  const auto logits = layer(at::relu(layer(pooled, w1, b1)), w2, b2).div(temperature);
  return kind == RoutingKind::kSoftmax ? at::softmax(logits, 1) : at::sigmoid(logits);
}

}  // namespace

at::Tensor Routing(const at::Tensor& input, const at::Tensor& w1, const std::optional<at::Tensor>& b1,
                   const at::Tensor& w2, const std::optional<at::Tensor>& b2, double temperature,
                   RoutingKind kind) {
  CheckRouting(input, w1, b1, w2, b2, temperature);
  return RoutingComposed(input, w1, b1, w2, b2, temperature, kind);
}

}  // namespace dyconv
