// Autograd written in JavaScript: the node of a custom function, and hooks on gradients.
#pragma once

#include <memory>
#include <string>
#include <type_traits>
#include <vector>

#include <torch/csrc/autograd/function.h>

#include "napi/js_callback.h"

namespace dyconv {

// Reference counting of nodes in this libtorch: c10::intrusive_ptr from 2.13 on, std::shared_ptr before.
using NodePtr = decltype(torch::autograd::Edge::function);

// The node of a custom function in the graph. Its backward is a JavaScript function of two lists, gradients
// of the outputs and saved tensors, that passes its results to `returnGradients`.
class JsFunction : public torch::autograd::Node {
 public:
  JsFunction(std::string name, std::shared_ptr<JsValue> backward, bool materialize,
             torch::autograd::edge_list&& edges);

  void Save(const at::Tensor& tensor, bool is_output) { saved_.emplace_back(tensor, is_output); }

  torch::autograd::variable_list apply(torch::autograd::variable_list&& gradients) override;
  void release_variables() override;
  std::string name() const override { return name_; }

 private:
  std::string name_;
  std::shared_ptr<JsValue> backward_;
  bool materialize_;  // zeros instead of missing gradients
  std::vector<torch::autograd::SavedVariable> saved_;
};

// Ownership of a node created with new.
template <class Pointer>
Pointer Own(JsFunction* node) {
  if constexpr (std::is_same_v<Pointer, std::shared_ptr<torch::autograd::Node>>) {
    // deleteNode frees long graphs without recursion; nodes of newer versions do that themselves.
    return Pointer(node, [](auto* target) { deleteNode(target); });
  } else {
    return Pointer::unsafe_steal_from_new(node);
  }
}

// Calls `hook` with every gradient of `tensor`; a tensor that it returns replaces the gradient.
unsigned RegisterHook(const at::Tensor& tensor, std::shared_ptr<JsValue> hook);

}  // namespace dyconv
