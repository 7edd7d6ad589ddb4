#include "ops/dynamic_conv/routing.h"

#include <ATen/autocast_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/linear.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/relu.h>
#include <ATen/ops/scalar_tensor.h>
#include <ATen/ops/sigmoid.h>
#include <ATen/ops/softmax.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/util/Exception.h>
#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>
#include <limits>

#include "dtype_name.h"
#include "kernels/dispatch.h"
#include "ops/dynamic_conv/routing_cuda.h"
#include "ops/optional_tensor.h"
#include "typed_error.h"

namespace dyconv {
namespace {

void CheckLayer(const at::Tensor& weight, const std::optional<at::Tensor>& bias, const at::Tensor& input,
                int64_t in_features, const char* weight_name, const char* bias_name,
                const char* weight_shape) {
  Require(weight.dim() == 4 && weight.size(0) > 0 && weight.size(1) == in_features && weight.size(2) == 1 &&
              weight.size(3) == 1,
          ErrorKind::kShape, "Expected shape ", weight_shape, " with ", in_features, " at dimension 1 for ",
          weight_name, " but received ", weight.sizes());
  Require(!bias || (bias->dim() == 1 && bias->size(0) == weight.size(0)), ErrorKind::kShape,
          "Expected shape [", weight.size(0), "] for ", bias_name, " but received ",
          bias ? bias->sizes() : at::IntArrayRef());
  for (const auto* tensor : {&weight, bias ? &*bias : nullptr}) {
    if (tensor == nullptr) continue;
    const auto* name = tensor == &weight ? weight_name : bias_name;
    const bool for_16_bits =
        tensor->scalar_type() == at::kFloat && c10::elementSize(input.scalar_type()) == 2;
    Require(tensor->scalar_type() == input.scalar_type() || for_16_bits, ErrorKind::kDType, "Expected dtype ",
            DTypeName(input.scalar_type()), " of input for ", name, " but received ",
            DTypeName(tensor->scalar_type()));
    Require(tensor->device() == input.device(), ErrorKind::kDevice, "Expected device ", input.device(),
            " of input for ", name, " but received ", tensor->device());
  }
}

void CheckRouting(const at::Tensor& input, const at::Tensor& w1, const std::optional<at::Tensor>& b1,
                  const at::Tensor& w2, const std::optional<at::Tensor>& b2, const at::Tensor& temperature) {
  Require(input.dim() == 4 && input.size(1) > 0 && input.size(2) > 0 && input.size(3) > 0, ErrorKind::kShape,
          "Expected shape [B, I, H, W] without empty channels or planes for input but received ",
          input.sizes());
  Require(at::isFloatingType(input.scalar_type()), ErrorKind::kDType,
          "Expected a floating-point dtype for input but received ", DTypeName(input.scalar_type()));
  CheckLayer(w1, b1, input, input.size(1), "w1", "b1", "[H, I, 1, 1]");
  CheckLayer(w2, b2, input, w1.size(0), "w2", "b2", "[K, H, 1, 1]");
  Require(temperature.numel() == 1, ErrorKind::kShape,
          "Expected one number for temperature but received shape ", temperature.sizes());
  if (!temperature.device().is_cpu()) return;
  const double value = temperature.item<double>();
  // In float32, smaller numbers lose precision or become 0.
  constexpr double kLeast = std::numeric_limits<float>::min();
  Require(value >= kLeast, ErrorKind::kArgument, "Expected a number of at least ", kLeast,
          " for temperature but received ", value);
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
  const auto logits = layer(at::relu(layer(pooled, w1, b1)), w2, b2);
  if (kind == RoutingKind::kSigmoid) return at::sigmoid(logits.div(temperature));
  // The largest is subtracted before the division, which could overflow.
  const auto most = logits.detach().amax(1, /*keepdim=*/true);
  return at::softmax(logits.sub(most).div(temperature), 1);
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// The least amount of numbers per thread, below which starting a thread costs more than it saves.
constexpr int64_t kWorthSharing = 1 << 15;

template <typename Kernel>
void Parallel(int64_t count, int64_t numbers_each, const kernels::RoutingArgs& args, const Kernel& kernel) {
  at::parallel_for(0, count, std::max<int64_t>(1, kWorthSharing / numbers_each),
                   [&](int64_t begin, int64_t end) { kernel(args, begin, end); });
}

// The parameters as float32 matrices and vectors, which must outlive the kernels' pointers.
struct RoutingLayers {
  at::Tensor w1, b1, w2, b2;

  RoutingLayers(const at::Tensor& w1, const at::Tensor& b1, const at::Tensor& w2, const at::Tensor& b2)
      : w1(AsFloat(w1)), b1(AsFloat(b1)), w2(AsFloat(w2)), b2(AsFloat(b2)) {}

  kernels::RoutingArgs Args(const at::Tensor& input, double temperature, bool softmax) const {
    return {.batch = input.size(0),
            .channels = input.size(1),
            .plane = input.size(2) * input.size(3),
            .hidden_size = w1.size(0),
            .experts = w2.size(0),
            .temperature = static_cast<float>(temperature),
            .softmax = softmax,
            .w1 = FloatDataOf(w1),
            .b1 = FloatDataOf(b1),
            .w2 = FloatDataOf(w2),
            .b2 = FloatDataOf(b2)};
  }

 private:
  static at::Tensor AsFloat(const at::Tensor& t) { return t.defined() ? t.to(at::kFloat).contiguous() : t; }
};

// The whole routing as one node. Its input gradient is a broadcast view: no image is written for it.
class RoutingFunction : public torch::autograd::Function<RoutingFunction> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& input, const Variable& w1,
                          const std::optional<at::Tensor>& b1, const Variable& w2,
                          const std::optional<at::Tensor>& b2, double temperature, bool softmax) {
    const RoutingLayers layers(w1, b1.value_or(at::Tensor()), w2, b2.value_or(at::Tensor()));
    auto args = layers.Args(input, temperature, softmax);
    const auto floats = [&](int64_t columns) {
      return at::empty({args.batch, columns}, input.options().dtype(at::kFloat).memory_format(std::nullopt));
    };
    at::Tensor means;
    if (input.is_contiguous() && input.scalar_type() == at::kFloat) {
      args.planes = input.const_data_ptr<float>();
    } else if (input.is_contiguous() && input.scalar_type() == at::kBFloat16) {
      args.planes16 = static_cast<const uint16_t*>(input.const_data_ptr());
    } else {
      means = at::mean(input, {2, 3}, false, at::kFloat).contiguous();
    }
    if (!means.defined()) means = floats(args.channels);
    const auto hidden = floats(args.hidden_size), attention = floats(args.experts);
    args.means = means.data_ptr<float>();
    args.hidden = hidden.data_ptr<float>();
    args.attention = attention.data_ptr<float>();
    Parallel(args.batch, args.channels * (args.plane + args.hidden_size), args,
             kernels::BestKernels().RoutingForward);
    ctx->save_for_backward({input, w1, b1.value_or(at::Tensor()), w2, b2.value_or(at::Tensor()), attention});
    ctx->saved_data["means"] = means;
    ctx->saved_data["hidden"] = hidden;
    ctx->saved_data["temperature"] = temperature;
    ctx->saved_data["softmax"] = softmax;
    return attention;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto saved = ctx->get_saved_variables();
    const double temperature = ctx->saved_data["temperature"].toDouble();
    const bool softmax = ctx->saved_data["softmax"].toBool();
    if (at::GradMode::is_enabled()) {
      auto grads = DifferentiableRoutingGrads(
          {saved.begin(), saved.begin() + 5}, at::scalar_tensor(temperature, at::kDouble),
          softmax ? RoutingKind::kSoftmax : RoutingKind::kSigmoid, grad_outputs[0]);
      grads.resize(7);
      return grads;
    }
    return Gradients(saved, ctx->saved_data["means"].toTensor(), ctx->saved_data["hidden"].toTensor(),
                     temperature, softmax, grad_outputs[0]);
  }

 private:
  static variable_list Gradients(const variable_list& saved, const at::Tensor& means,
                                 const at::Tensor& hidden, double temperature, bool softmax,
                                 const at::Tensor& grad_output) {
    const auto &input = saved[0], &w1 = saved[1], &b1 = saved[2], &w2 = saved[3], &b2 = saved[4];
    const auto attention = saved[5].contiguous(), grad_attention = grad_output.to(at::kFloat).contiguous();
    const RoutingLayers layers(w1, b1, w2, b2);
    auto args = layers.Args(input, temperature, softmax);
    const auto like = [](const at::Tensor& tensor) { return at::empty(tensor.sizes(), tensor.options()); };
    const auto grad_logits = like(attention), grad_hidden = like(hidden), grad_means = like(means);
    const auto grad_w1 = like(layers.w1), grad_w2 = like(layers.w2);
    const auto grad_b1 = at::empty({args.hidden_size}, means.options());
    args.means = means.data_ptr<float>();
    args.hidden = hidden.data_ptr<float>();
    args.attention = attention.data_ptr<float>();
    args.grad_attention = grad_attention.const_data_ptr<float>();
    args.grad_logits = grad_logits.data_ptr<float>();
    args.grad_hidden = grad_hidden.data_ptr<float>();
    args.grad_means = grad_means.data_ptr<float>();
    args.grad_w1 = grad_w1.data_ptr<float>();
    args.grad_b1 = grad_b1.data_ptr<float>();
    args.grad_w2 = grad_w2.data_ptr<float>();
    const auto& table = kernels::BestKernels();
    Parallel(args.batch, args.channels * args.hidden_size, args, table.RoutingGradMeans);
    Parallel(args.hidden_size, args.channels * std::max<int64_t>(1, args.batch), args,
             table.RoutingGradWeights);

    variable_list grads(7);
    grads[0] =
        grad_means.to(input.scalar_type()).view({args.batch, args.channels, 1, 1}).expand(input.sizes());
    grads[1] = grad_w1.to(w1.scalar_type());
    grads[3] = grad_w2.to(w2.scalar_type());
    if (b1.defined()) grads[2] = grad_b1.to(b1.scalar_type());
    if (b2.defined()) grads[4] = grad_logits.sum(0).to(b2.scalar_type());
    return grads;
  }
};

}  // namespace

std::vector<at::Tensor> DifferentiableRoutingGrads(const std::vector<at::Tensor>& saved,
                                                   const at::Tensor& temperature, RoutingKind kind,
                                                   const at::Tensor& grad_attention) {
  at::AutoGradMode grad_mode(true);
  const auto attention = RoutingComposed(saved[0], saved[1], IfDefined(saved[2]), saved[3],
                                         IfDefined(saved[4]), temperature, kind);
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
  // Routing is not in any list of autocast: it computes in float32, from the means of its input in any dtype.
  const auto device = input.device().type();
  const bool narrow = at::autocast::is_autocast_enabled(device) &&
                      input.scalar_type() == at::autocast::get_autocast_dtype(device);
  c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  if (narrow && input.dim() == 4 && w1.scalar_type() == at::kFloat) {
    return Routing(at::mean(input, {2, 3}, /*keepdim=*/true, at::kFloat), w1, b1, w2, b2, temperature, kind);
  }
  CheckRouting(input, w1, b1, w2, b2, temperature);
  if (CudaRoutingApplies(input, w1, w2)) {
    // A number on the CPU is written to the device by a kernel, without a copy or synchronization.
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
