#include "routing.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/_softmax_backward_data.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/sigmoid_backward.h>
#include <ATen/ops/softmax.h>
#include <ATen/ops/threshold_backward.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "../kernels/dispatch.h"
#include "routing_cuda.h"

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
    const bool beside_16_bits =
        tensor->scalar_type() == at::kFloat && c10::elementSize(input.scalar_type()) == 2;
    TORCH_CHECK_TYPE(tensor->scalar_type() == input.scalar_type() || beside_16_bits, "Expected dtype ",
                     input.scalar_type(), " of input for ", name, " but got ", tensor->scalar_type());
    TORCH_CHECK(tensor->device() == input.device(), "Expected device ", input.device(), " of input for ",
                name, " but got ", tensor->device());
  }
}

void CheckRouting(const at::Tensor& input, const at::Tensor& w1, const std::optional<at::Tensor>& b1,
                  const at::Tensor& w2, const std::optional<at::Tensor>& b2, const at::Tensor& temperature) {
  TORCH_CHECK_VALUE(input.dim() == 4 && input.size(1) > 0 && input.size(2) > 0 && input.size(3) > 0,
                    "Expected shape [B, I, H, W] without empty channels or planes for input but got ",
                    input.sizes());
  TORCH_CHECK_TYPE(at::isFloatingType(input.scalar_type()), "Expected a floating dtype for input but got ",
                   input.scalar_type());
  CheckLayer(w1, b1, input, input.size(1), "w1", "b1", "[H, I, 1, 1]");
  CheckLayer(w2, b2, input, w1.size(0), "w2", "b2", "[K, H, 1, 1]");
  TORCH_CHECK_VALUE(temperature.numel() == 1, "Expected one number for temperature but got shape ",
                    temperature.sizes());
  if (!temperature.device().is_cpu()) return;
  const double value = temperature.item<double>();
  TORCH_CHECK_VALUE(value > 0, "Expected a positive number for temperature but got ", value);
}

}  // namespace

at::Tensor RoutingComposed(const at::Tensor& input, const at::Tensor& w1, const std::optional<at::Tensor>& b1,
                           const at::Tensor& w2, const std::optional<at::Tensor>& b2,
                           const at::Tensor& temperature, RoutingKind kind) {
  const auto type = input.scalar_type() == at::kDouble ? at::kDouble : at::kFloat;
  const auto layer = [&](const at::Tensor& x, const at::Tensor& weight,
                         const std::optional<at::Tensor>& bias) {
    return at::linear(x, weight.flatten(1).to(type), bias ? std::optional<at::Tensor>(bias->to(type)) : bias);
  };
  const auto pooled = at::mean(input, {2, 3}, /*keepdim=*/false, type);
  const auto logits = layer(at::relu(layer(pooled, w1, b1)), w2, b2).div(temperature);
  return kind == RoutingKind::kSoftmax ? at::softmax(logits, 1) : at::sigmoid(logits);
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

std::optional<at::Tensor> Optional(const at::Tensor& tensor) {
  return tensor.defined() ? std::optional<at::Tensor>(tensor) : std::nullopt;
}

// Planes handed to one thread at least: below that a thread costs more than it brings.
constexpr int64_t kPlaneFloats = 1 << 15;

// [B, I] float32 means over the planes.
at::Tensor Pool(const at::Tensor& input) {
  const bool bf16 = input.scalar_type() == at::kBFloat16;
  if ((!bf16 && input.scalar_type() != at::kFloat) || !input.is_contiguous())
    return at::mean(input, {2, 3}, false, at::kFloat);
  const auto pooled = at::empty({input.size(0), input.size(1)}, input.options().dtype(at::kFloat));
  const int64_t size = input.size(2) * input.size(3);
  const void* from = input.const_data_ptr();
  float* to = pooled.data_ptr<float>();
  const auto& table = kernels::Kernels(kernels::BestIsa());
  at::parallel_for(0, pooled.numel(), std::max<int64_t>(1, kPlaneFloats / size),
                   [&](int64_t begin, int64_t end) {
                     if (bf16) {
                       table.MeanPlanesBf16(static_cast<const uint16_t*>(from), size, to, begin, end);
                     } else {
                       table.MeanPlanes(static_cast<const float*>(from), size, to, begin, end);
                     }
                   });
  return pooled;
}

// The whole routing as one node. Its input gradient is a broadcast view: no image is written for it.
class RoutingFunction : public torch::autograd::Function<RoutingFunction> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& input, const Variable& w1,
                          const std::optional<at::Tensor>& b1, const Variable& w2,
                          const std::optional<at::Tensor>& b2, double temperature, bool softmax) {
    const auto pooled = Pool(input);
    const auto hidden = Layer(pooled, w1, b1).relu_();
    const auto logits = Layer(hidden, w2, b2).div_(temperature);
    const auto attention = softmax ? at::softmax(logits, 1) : at::sigmoid(logits);
    ctx->save_for_backward({input, w1, b1.value_or(at::Tensor()), w2, b2.value_or(at::Tensor()), attention});
    ctx->saved_data["pooled"] = pooled;
    ctx->saved_data["hidden"] = hidden;
    ctx->saved_data["temperature"] = temperature;
    ctx->saved_data["softmax"] = softmax;
    return attention;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto saved = ctx->get_saved_variables();
    const auto &input = saved[0], &w1 = saved[1], &b1 = saved[2], &w2 = saved[3], &b2 = saved[4];
    const double temperature = ctx->saved_data["temperature"].toDouble();
    const bool softmax = ctx->saved_data["softmax"].toBool();
    if (at::GradMode::is_enabled()) {
      auto grads = DifferentiableRoutingGrads(
          {saved.begin(), saved.begin() + 5}, at::scalar_tensor(temperature, at::kDouble),
          softmax ? RoutingKind::kSoftmax : RoutingKind::kSigmoid, grad_outputs[0]);
      grads.resize(7);
      return grads;
    }
    const auto pooled = ctx->saved_data["pooled"].toTensor(), hidden = ctx->saved_data["hidden"].toTensor();
    const auto& attention = saved[5];
    const auto grad_logits = (softmax ? at::_softmax_backward_data(grad_outputs[0], attention, 1, at::kFloat)
                                      : at::sigmoid_backward(grad_outputs[0], attention))
                                 .div_(temperature);
    const auto grad_hidden = at::threshold_backward(at::mm(grad_logits, Matrix(w2)), hidden, 0);
    variable_list grads(7);
    grads[0] = at::mm(grad_hidden, Matrix(w1))
                   .div_(static_cast<double>(input.size(2) * input.size(3)))
                   .to(input.scalar_type())
                   .view({input.size(0), input.size(1), 1, 1})
                   .expand(input.sizes());
    grads[1] = at::mm(grad_hidden.t(), pooled).view(w1.sizes()).to(w1.scalar_type());
    grads[3] = at::mm(grad_logits.t(), hidden).view(w2.sizes()).to(w2.scalar_type());
    if (b1.defined()) grads[2] = grad_hidden.sum(0).to(b1.scalar_type());
    if (b2.defined()) grads[4] = grad_logits.sum(0).to(b2.scalar_type());
    return grads;
  }

 private:
  static at::Tensor Matrix(const at::Tensor& weight) { return weight.flatten(1).to(at::kFloat); }

  static at::Tensor Layer(const at::Tensor& x, const at::Tensor& weight,
                          const std::optional<at::Tensor>& bias) {
    return at::linear(x, Matrix(weight),
                      bias ? std::optional<at::Tensor>(bias->to(at::kFloat)) : std::nullopt);
  }
};

}  // namespace

std::vector<at::Tensor> DifferentiableRoutingGrads(const std::vector<at::Tensor>& saved,
                                                   const at::Tensor& temperature, RoutingKind kind,
                                                   const at::Tensor& grad_attention) {
  at::AutoGradMode grad_mode(true);
  const auto attention = RoutingComposed(saved[0], saved[1], Optional(saved[2]), saved[3], Optional(saved[4]),
                                         temperature, kind);
  std::vector<at::Tensor> wanted, grads(5);
  for (const auto& tensor : saved) {
    if (tensor.defined() && tensor.requires_grad()) wanted.push_back(tensor);
  }
  const auto found = torch::autograd::grad({attention}, wanted, {grad_attention}, /*retain_graph=*/true,
                                           /*create_graph=*/true);
  for (size_t i = 0, next = 0; i < 5; ++i) {
    if (saved[i].defined() && saved[i].requires_grad()) grads[i] = found[next++];
  }
  return grads;
}

at::Tensor Routing(const at::Tensor& input, const at::Tensor& w1, const std::optional<at::Tensor>& b1,
                   const at::Tensor& w2, const std::optional<at::Tensor>& b2, const at::Tensor& temperature,
                   RoutingKind kind) {
  // Routing is on no list of autocast: it computes in float32, from the means of whatever the layer before
  // gave.
  const auto device = input.device().type();
  const bool narrow = at::autocast::is_autocast_enabled(device) &&
                      input.scalar_type() == at::autocast::get_autocast_dtype(device);
  c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  if (narrow && input.dim() == 4 && w1.scalar_type() == at::kFloat) {
    return Routing(at::mean(input, {2, 3}, /*keepdim=*/true, at::kFloat), w1, b1, w2, b2, temperature, kind);
  }
  CheckRouting(input, w1, b1, w2, b2, temperature);
  if (CudaRoutingApplies(input, w1, w2)) {
    // A number given on the CPU is written on the device by a kernel: nothing is copied, nothing waits.
    const auto there = temperature.device() == input.device()
                           ? temperature.to(at::kFloat)
                           : at::scalar_tensor(temperature.item(), input.options().dtype(at::kFloat));
    return CudaRouting(input, w1, b1, w2, b2, there, kind);
  }
  if (input.device().is_cpu() && input.scalar_type() != at::kDouble) {
    return RoutingFunction::apply(input, w1, b1, w2, b2, temperature.item<double>(),
                                  kind == RoutingKind::kSoftmax);
  }
  return RoutingComposed(input, w1, b1, w2, b2, temperature, kind);
}

}  // namespace dyconv
