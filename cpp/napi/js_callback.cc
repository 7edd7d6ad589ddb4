#include "napi/js_callback.h"

#include "typed_error.h"

namespace dyconv {

void JsHome::Drop(napi_ref ref) {
  if (ref == nullptr) return;
  std::lock_guard lock(mutex_);
  dropped_.push_back(ref);
  has_dropped_ = true;
}

void JsHome::DeleteReferences() {
  std::vector<napi_ref> refs;
  {
    std::lock_guard lock(mutex_);
    refs.swap(dropped_);
    has_dropped_ = false;
  }
  for (napi_ref ref : refs) napi_delete_reference(env_, ref);
}

JsValue::JsValue(std::shared_ptr<JsHome> home, Napi::Value value) : home_(std::move(home)) {
  const napi_status status = napi_create_reference(home_->env(), value, 1, &ref_);
  NAPI_THROW_IF_FAILED_VOID(home_->env(), status);
}

Napi::Value JsValue::Get() const {
  napi_value value = nullptr;
  if (home_->IsHere()) napi_get_reference_value(home_->env(), ref_, &value);
  return {home_->env(), value};
}

Napi::Function JsValue::Function() const {
  const Napi::Value value = Get();
  Require(!value.IsEmpty(), ErrorKind::kNative,
          "Expected the backward pass on the thread that a custom function or hook belongs to: "
          "JavaScript cannot be called on another one (as for gradients of CUDA tensors)");
  return value.As<Napi::Function>();
}

Napi::Value JsValue::Call(std::initializer_list<napi_value> arguments) const {
  const Napi::Function function = Function();
  const Napi::Env env = home_->env();
  napi_value result;
  const napi_status status =
      napi_call_function(env, env.Undefined(), function, arguments.size(), arguments.begin(), &result);
  if (status == napi_ok) return {env, result};
  napi_value error = nullptr;
  if (status == napi_pending_exception) napi_get_and_clear_last_exception(env, &error);
  Require(error != nullptr, ErrorKind::kNative,
          "A JavaScript callback could not be called: its thread is ending");
  throw JsError(std::make_shared<JsValue>(home_, Napi::Value(env, error)));
}

}  // namespace dyconv
