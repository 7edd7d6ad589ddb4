#include "napi/js_callback.h"

#include "napi/errors.h"

namespace dyconv {

void JsHome::Drop(napi_ref ref) {
  if (ref == nullptr) return;
  std::lock_guard lock(mutex_);
  dropped_.push_back(ref);
  has_dropped_ = true;
}

void JsHome::DeleteDropped() {
  std::vector<napi_ref> refs;
  {
    std::lock_guard lock(mutex_);
    refs.swap(dropped_);
    has_dropped_ = false;
  }
  for (napi_ref ref : refs) napi_delete_reference(env_, ref);
}

JsValue::JsValue(std::shared_ptr<JsHome> home, napi_value value) : home_(std::move(home)) {
  // Node-API refers to objects and functions alone: what else was thrown is boxed.
  napi_valuetype type;
  Check(home_->env(), napi_typeof(home_->env(), value, &type), "napi_typeof");
  if (type != napi_object && type != napi_function) {
    Check(home_->env(), napi_coerce_to_string(home_->env(), value, &value), "napi_coerce_to_string");
    Check(home_->env(), napi_create_error(home_->env(), nullptr, value, &value), "napi_create_error");
  }
  Check(home_->env(), napi_create_reference(home_->env(), value, 1, &ref_), "napi_create_reference");
}

napi_value JsValue::Get() const {
  napi_value value = nullptr;
  if (home_->IsHere()) napi_get_reference_value(home_->env(), ref_, &value);
  return value;
}

napi_value JsValue::Call(std::initializer_list<napi_value> arguments) const {
  const napi_value function = Get();
  if (function == nullptr) {
    throw TypedError(ErrorKind::kNative,
                     "Expected the backward pass on the thread that a custom function or hook belongs to: "
                     "JavaScript cannot be called on another one (as for gradients of CUDA tensors)");
  }
  napi_env env = home_->env();
  napi_value undefined, result;
  Check(env, napi_get_undefined(env, &undefined), "napi_get_undefined");
  const napi_status status =
      napi_call_function(env, undefined, function, arguments.size(), arguments.begin(), &result);
  if (status == napi_ok) return result;
  napi_value error = nullptr;
  if (status == napi_pending_exception) napi_get_and_clear_last_exception(env, &error);
  if (error == nullptr) {
    throw TypedError(ErrorKind::kNative, "A JavaScript callback could not be called: its thread is ending");
  }
  throw JsError(std::make_shared<JsValue>(home_, error));
}

}  // namespace dyconv
