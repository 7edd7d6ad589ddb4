#include "napi/js_function.h"

#include <ATen/core/grad_mode.h>

#include "napi/addon_data.h"
#include "napi/hot_path.h"

namespace dyconv {
namespace {

using torch::autograd::variable_list;

// The handles of a list that is passed to a callback. They are disposed after it, so that a backward pass
// leaves nothing to collect. They have their own scope, which keep() takes them out of, as from a tidy()
// block.
class TensorList {
 public:
  TensorList(Napi::Env env, AddonData& data, const variable_list& tensors)
      : data_(data), array_(Napi::Array::New(env, tensors.size())) {
    for (uint32_t i = 0; i < tensors.size(); ++i) {
      TensorHandle* handle = nullptr;
      const Napi::Value element = WrapTensor(env, data, tensors[i], &handle);
      if (handle != nullptr) Take(handle);
      array_.Set(i, element);
    }
  }
  TensorList(const TensorList&) = delete;
  TensorList& operator=(const TensorList&) = delete;
  ~TensorList() {
    while (scope_.first != nullptr) data_.tensors.Dispose(scope_.first);
  }
  Napi::Array array() const { return array_; }

 private:
  void Take(TensorHandle* handle) {
    data_.tensors.ReleaseFromScope(handle);
    handle->scope = &scope_;
    handle->next_in_scope = scope_.first;
    if (scope_.first != nullptr) scope_.first->previous_in_scope = handle;
    scope_.first = handle;
  }

  AddonData& data_;
  Napi::Array array_;
  TensorScope scope_;
};

// Where `returnGradients` stores its list during a callback. Callbacks nest if one runs a backward pass.
class Results {
 public:
  explicit Results(AddonData& data) : data_(data), outer_(data.backward_results) {
    data_.backward_results = &list_;
  }
  Results(const Results&) = delete;
  Results& operator=(const Results&) = delete;
  ~Results() { data_.backward_results = outer_; }
  variable_list& list() { return list_; }

 private:
  AddonData& data_;
  variable_list list_;
  variable_list* outer_;
};

}  // namespace

JsFunction::JsFunction(std::string name, std::shared_ptr<JsValue> backward, bool materialize,
                       torch::autograd::edge_list&& edges)
    : Node(std::move(edges)),
      name_(std::move(name)),
      backward_(std::move(backward)),
      materialize_(materialize) {}

variable_list JsFunction::apply(variable_list&& gradients) {
  backward_->Function();  // throws on the wrong thread, where nothing below may run
  // JavaScript may change the grad mode; the backward pass continues with its own.
  at::AutoGradMode mode(at::GradMode::is_enabled());
  for (size_t i = 0; i < gradients.size(); ++i) {
    if (!gradients[i].defined() && materialize_) gradients[i] = input_metadata(i).zeros_like();
  }
  variable_list saved;
  for (const auto& variable : saved_) saved.push_back(variable.unpack(getptr()));
  return Carried(backward_->home(), [&] {
    const Napi::Env env = backward_->home()->env();
    const Napi::HandleScope scope(env);
    AddonData& data = AddonData::Of(env);
    Results results(data);
    const TensorList given(env, data, gradients), kept(env, data, saved);
    backward_->Call({given.array(), kept.array()});
    results.list().resize(num_outputs());
    return std::move(results.list());
  });
}

void JsFunction::release_variables() {
  for (auto& variable : saved_) variable.reset_data();
}

unsigned RegisterHook(const at::Tensor& tensor, std::shared_ptr<JsValue> hook) {
  return tensor.register_hook([hook = std::move(hook)](const at::Tensor& gradient) -> at::Tensor {
    hook->Function();
    at::AutoGradMode mode(at::GradMode::is_enabled());
    return Carried(hook->home(), [&] {
      const Napi::Env env = hook->home()->env();
      const Napi::HandleScope scope(env);
      AddonData& data = AddonData::Of(env);
      Results results(data);
      hook->Call({WrapTensor(env, data, gradient)});
      return results.list().empty() ? at::Tensor() : results.list().front();
    });
  });
}

}  // namespace dyconv
