#include "napi/collect.h"

#include "napi/addon_data.h"

namespace dyconv {
namespace {

thread_local CallScope* current_call = nullptr;

void Collect(Napi::Env env, AddonData& data, bool young) {
  if (data.collector.IsEmpty()) return;
  try {
    const Napi::HandleScope scope(env);
    data.collector.Value().Call({Napi::Boolean::New(env, young)});
  } catch (const Napi::Error&) {
    // JavaScript cannot be called in an environment that is closing: nothing is collected.
  }
}

}  // namespace

CallScope::CallScope(Napi::Env env, AddonData& data) : outer_(current_call), env_(env), data_(data) {
  current_call = this;
}

CallScope::~CallScope() { current_call = outer_; }

void CollectAfterGrowth(Napi::Env env, AddonData& data) {
  TensorRegistry& tensors = data.tensors;
  const int64_t before = tensors.live_bytes();
  Collect(env, data, /*young=*/true);
  if (tensors.live_bytes() > before / 2) Collect(env, data, /*young=*/false);
  tensors.SetCollectionLimit();
}

void CollectAll(Napi::Env env, AddonData& data) {
  Collect(env, data, /*young=*/false);
  data.tensors.SetCollectionLimit();
}

bool CollectOnShortage() {
  CallScope* call = current_call;
  if (call == nullptr || call->collecting_ || call->data_.collector.IsEmpty()) return false;
  call->collecting_ = true;
  CollectAll(call->env_, call->data_);
  call->collecting_ = false;
  return true;
}

}  // namespace dyconv
