// Gradients: the graph, custom functions and hooks written in JavaScript, anomaly mode.
#include <algorithm>

#include <torch/csrc/autograd/autograd.h>
#include <torch/csrc/autograd/functions/utils.h>

#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "napi/anomaly.h"
#include "napi/js_function.h"

namespace dyconv {
namespace {

using at::Tensor;

std::shared_ptr<JsValue> Callback(const Call& call, Napi::Function function) {
  return std::make_shared<JsValue>(call.data.js_home, function);
}

// Makes the results of a custom function's forward the outputs of a new node. Results that are views or
// require gradients are detached first, so that only the new node is recorded as their history.
void CustomFunction(Call& call, const std::string& name, const std::vector<Tensor>& inputs,
                    const std::vector<TensorHandle*>& outputs, const std::vector<bool>& differentiable,
                    const std::vector<Tensor>& saved, bool materialize, Napi::Function backward) {
  auto* function = new JsFunction(name, Callback(call, backward), materialize,
                                  torch::autograd::collect_next_edges(inputs));
  const NodePtr node = Own<NodePtr>(function);
  std::vector<c10::TensorImpl*> replaced;
  for (size_t i = 0; i < outputs.size(); ++i) {
    Tensor& output = outputs[i]->tensor;
    if (!output.defined()) {
      throw TypedError(ErrorKind::kDisposed,
                       "Expected live Tensors from forward of " + name + " but received a disposed one");
    }
    replaced.push_back(output.unsafeGetTensorImpl());
    if (output.is_view() || output.requires_grad()) output = output.detach();
    if (differentiable.at(i) && torch::autograd::isDifferentiableType(output.scalar_type())) {
      torch::autograd::set_history(output, node);
    } else {
      // The engine numbers gradients by output, so an output without a gradient needs an entry too.
      node->add_input_metadata(torch::autograd::Node::undefined_input());
    }
  }
  for (const Tensor& tensor : saved) {
    const auto found = std::find(replaced.begin(), replaced.end(), tensor.unsafeGetTensorImpl());
    const bool is_output = found != replaced.end();
    const Tensor& kept = is_output ? outputs[found - replaced.begin()]->tensor : tensor;
    function->Save(kept, is_output && kept.requires_grad());
  }
}

void ReturnGradients(Call& call, const std::vector<OptionalTensor>& gradients) {
  if (call.data.backward_results == nullptr) {
    throw TypedError(ErrorKind::kArgument, "Expected returnGradients within a backward pass");
  }
  call.data.backward_results->clear();
  for (const auto& gradient : gradients) call.data.backward_results->push_back(gradient.value_or(Tensor()));
}

void SetRequiresGrad(const Tensor& tensor, bool value) {
  if (value && !at::isFloatingType(tensor.scalar_type())) {
    throw TypedError(ErrorKind::kDType,
                     std::string("Expected a floating-point Tensor for requiresGrad but received ") +
                         DTypeName(tensor.scalar_type()));
  }
  tensor.set_requires_grad(value);
}

void Backward(const Tensor& tensor, const std::optional<Tensor>& gradient, bool retain_graph,
              bool create_graph) {
  tensor.backward(gradient.value_or(Tensor()), retain_graph, create_graph);
}

std::vector<Tensor> Grad(const std::vector<Tensor>& outputs, const std::vector<Tensor>& inputs,
                         const std::vector<std::optional<Tensor>>& gradients, bool retain_graph,
                         bool create_graph, bool allow_unused) {
  std::vector<Tensor> seeds;
  for (const auto& gradient : gradients) seeds.push_back(gradient.value_or(Tensor()));
  return torch::autograd::grad(outputs, inputs, seeds, retain_graph, create_graph, allow_unused);
}

}  // namespace

const OpTable& AutogradOps() {
  static const OpTable table = {
      Bind("isLeaf(input)", [](const Tensor& x) { return x.is_leaf(); }),
      Bind("requiresGrad(input)", [](const Tensor& x) { return x.requires_grad(); }),
      Bind("setRequiresGrad(input, value)", SetRequiresGrad),
      Bind("grad(input)", [](const Tensor& x) { return x.grad(); }),
      Bind("setGrad(input, value)",
           [](const Tensor& x, const std::optional<Tensor>& value) {
             x.mutable_grad() = value.value_or(Tensor());
           }),
      Bind("backward(input, gradient, retainGraph, createGraph)", Backward),
      Bind("gradOf(outputs, inputs, gradOutputs, retainGraph, createGraph, allowUnused)", Grad),
      Bind("customFunction(name, inputs, outputs, differentiable, saved, materialize, backward)",
           CustomFunction),
      Bind("returnGradients(gradients)", ReturnGradients),
      Bind("registerHook(input, hook)",
           [](Call& call, const Tensor& x, Napi::Function hook) {
             return static_cast<int64_t>(RegisterHook(x, Callback(call, hook)));
           }),
      Bind("removeHook(input, hook)",
           [](const Tensor& x, int64_t hook) { x.remove_hook(static_cast<unsigned>(hook)); }),
      Bind("retainGrad(input)", [](const Tensor& x) { x.retain_grad(); }),
      Bind("retainsGrad(input)", [](const Tensor& x) { return x.retains_grad(); }),
      Bind("gradFunction(input)",
           [](const Tensor& x) { return x.grad_fn() ? x.grad_fn()->name() : std::string(); }),
      Bind("setAnomaly(enabled, checkNan, capture)",
           [](Call& call, bool enabled, bool check_nan, const std::optional<Napi::Function>& capture) {
             SetAnomaly(enabled, check_nan, capture ? Callback(call, *capture) : nullptr);
           }),
  };
  return table;
}

}  // namespace dyconv
