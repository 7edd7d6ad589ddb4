#include "napi/collect.h"

#include "napi/addon_data.h"

namespace dyconv {
namespace {

thread_local CallScope* current_call = nullptr;

void Collect(napi_env env, AddonData& data, bool young) {
  if (data.collector == nullptr) return;
  napi_handle_scope scope;
  if (napi_open_handle_scope(env, &scope) != napi_ok) return;
  napi_value collector, undefined, argument;
  // With an exception pending, or in an environment that ends, no JavaScript can be called: nothing is
  // collected then.
  if (napi_get_reference_value(env, data.collector, &collector) == napi_ok &&
      napi_get_undefined(env, &undefined) == napi_ok && napi_get_boolean(env, young, &argument) == napi_ok) {
    napi_call_function(env, undefined, collector, 1, &argument, nullptr);
  }
  napi_close_handle_scope(env, scope);
}

}  // namespace

CallScope::CallScope(napi_env env, AddonData& data) : outer_(current_call), env_(env), data_(data) {
  current_call = this;
}

CallScope::~CallScope() { current_call = outer_; }

void CollectAfterGrowth(napi_env env, AddonData& data) {
  TensorRegistry& tensors = data.tensors;
  const int64_t before = tensors.live_bytes();
  Collect(env, data, /*young=*/true);
  if (tensors.live_bytes() > before / 2) Collect(env, data, /*young=*/false);
  tensors.SetCollectionLimit();
}

void CollectAll(napi_env env, AddonData& data) {
  Collect(env, data, /*young=*/false);
  data.tensors.SetCollectionLimit();
}

bool CollectOnShortage() {
  CallScope* call = current_call;
  if (call == nullptr || call->collecting_ || call->data_.collector == nullptr) return false;
  call->collecting_ = true;
  CollectAll(call->env_, call->data_);
  call->collecting_ = false;
  return true;
}

}  // namespace dyconv
