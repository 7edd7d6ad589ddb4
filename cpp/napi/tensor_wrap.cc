#include "napi/tensor_wrap.h"

#include <algorithm>
#include <map>
#include <memory>
#include <set>

#include "napi/addon_data.h"
#include "napi/pinned_buffer.h"

namespace dyconv {
namespace {

int64_t StorageBytes(const at::Tensor& tensor) {
  return tensor.has_storage() ? static_cast<int64_t>(tensor.storage().nbytes()) : 0;
}

// Runs inside the collection: it must not touch JavaScript, and does not.
void FinalizeHandle(node_api_basic_env, void* data, void*) {
  auto* handle = static_cast<TensorHandle*>(data);
  AddonData* owner = handle->owner;
  owner->tensors.Remove(handle);
  delete handle;
  owner->DeleteIfUnused();
}

// Debug mode: asks JavaScript for the number of the place that is making a tensor. Not where it cannot be
// asked, as on a thread that is being terminated: the tensor matters more.
void TraceCreation(napi_env env, const AddonData& data, TensorHandle* handle) {
  napi_value tracer, undefined, number;
  if (napi_get_reference_value(env, data.tracer, &tracer) != napi_ok) return;
  if (napi_get_undefined(env, &undefined) != napi_ok) return;
  if (napi_call_function(env, undefined, tracer, 0, nullptr, &number) != napi_ok) return;
  napi_get_value_int32(env, number, &handle->creation);
}

}  // namespace

AddonData& AddonData::Of(napi_env env) {
  void* data = nullptr;
  napi_get_instance_data(env, &data);
  return *static_cast<AddonData*>(data);
}

void AddonData::DeleteIfUnused() {
  if (environment_closed && tensors.empty()) delete this;
}

void TensorRegistry::SetCollectionLimit() {
  collect_at_ = live_bytes_ + std::max(kCollectionStep, live_bytes_ / 2);
}

void TensorRegistry::Add(TensorHandle* handle) {
  handles_.insert(handle);
  ++live_tensors_;
  AttachToScope(handle, current_scope_);
  CountStorage(handle);
}

void TensorRegistry::CountStorage(TensorHandle* handle) {
  if (!handle->tensor.has_storage()) return;
  handle->storage = handle->tensor.storage().unsafeGetStorageImpl();
  StorageUse& use = storages_[handle->storage];
  if (use.handles++ == 0) {
    use.bytes = StorageBytes(handle->tensor);
    live_bytes_ += use.bytes;
  }
  handle->pinned = BufferOf(handle->storage) != nullptr;
}

void TensorRegistry::ReleaseStorage(TensorHandle* handle) {
  if (handle->storage == nullptr) return;
  const auto found = storages_.find(handle->storage);
  if (--found->second.handles == 0) {
    live_bytes_ -= found->second.bytes;
    storages_.erase(found);
  }
  handle->storage = nullptr;
  handle->pinned = false;
}

std::vector<TensorRegistry::CreationUse> TensorRegistry::UseByCreation() const {
  std::map<int32_t, CreationUse> uses;
  std::set<std::pair<int32_t, const void*>> counted;
  for (const void* pointer : handles_) {
    const auto* handle = static_cast<const TensorHandle*>(pointer);
    if (!handle->tensor.defined()) continue;
    CreationUse& use = uses.try_emplace(handle->creation, CreationUse{handle->creation, 0, 0}).first->second;
    ++use.tensors;
    if (handle->storage != nullptr && counted.emplace(handle->creation, handle->storage).second) {
      use.bytes += storages_.find(handle->storage)->second.bytes;
    }
  }
  std::vector<CreationUse> result;
  for (const auto& [creation, use] : uses) result.push_back(use);
  return result;
}

void TensorRegistry::Recount(TensorHandle* handle) {
  ReleaseStorage(handle);
  CountStorage(handle);
}

void TensorRegistry::Dispose(TensorHandle* handle) {
  if (!handle->tensor.defined()) return;
  DetachFromScope(handle);
  --live_tensors_;
  ReleaseStorage(handle);
  handle->tensor.reset();
}

void TensorRegistry::Remove(TensorHandle* handle) {
  Dispose(handle);
  handles_.erase(handle);
}

TensorScope* TensorRegistry::FindScope(int64_t id) {
  const auto found = scopes_.find(id);
  return found == scopes_.end() ? nullptr : &found->second;
}

int64_t TensorRegistry::OpenScope() {
  scopes_.emplace(next_scope_, TensorScope{});
  return next_scope_++;
}

void TensorRegistry::EnterScope(int64_t id) { current_scope_ = FindScope(id); }

void TensorRegistry::CloseScope(int64_t id, int64_t parent, const std::vector<TensorHandle*>& keep) {
  TensorScope* scope = FindScope(id);
  if (scope == nullptr) return;
  for (TensorHandle* handle : keep) {
    if (handle->scope == scope) AttachToScope(handle, FindScope(parent));
  }
  while (scope->first != nullptr) Dispose(scope->first);
  if (current_scope_ == scope) current_scope_ = FindScope(parent);
  scopes_.erase(id);
}

void TensorRegistry::AttachToScope(TensorHandle* handle, TensorScope* scope) {
  DetachFromScope(handle);
  if (scope == nullptr) return;
  handle->scope = scope;
  handle->next_in_scope = scope->first;
  if (scope->first != nullptr) scope->first->previous_in_scope = handle;
  scope->first = handle;
}

void TensorRegistry::DetachFromScope(TensorHandle* handle) {
  if (handle->scope == nullptr) return;
  if (handle->previous_in_scope != nullptr) {
    handle->previous_in_scope->next_in_scope = handle->next_in_scope;
  } else {
    handle->scope->first = handle->next_in_scope;
  }
  if (handle->next_in_scope != nullptr) handle->next_in_scope->previous_in_scope = handle->previous_in_scope;
  handle->scope = nullptr;
  handle->next_in_scope = handle->previous_in_scope = nullptr;
}

napi_value WrapTensor(napi_env env, AddonData& data, const at::Tensor& tensor, TensorHandle** made) {
  napi_value result;
  if (!tensor.defined()) {
    Check(env, napi_get_null(env, &result), "napi_get_null");
    return result;
  }
  napi_value constructor;
  Check(env, napi_get_reference_value(env, data.tensor_class, &constructor), "napi_get_reference_value");
  Check(env, napi_new_instance(env, constructor, 0, nullptr, &result), "napi_new_instance");
  auto owner = std::make_unique<TensorHandle>(TensorHandle{tensor, &data});
  Check(env, napi_wrap(env, result, owner.get(), FinalizeHandle, nullptr, nullptr), "napi_wrap");
  TensorHandle* handle = owner.release();
  data.tensors.Add(handle);
  if (data.tracer != nullptr) TraceCreation(env, data, handle);
  if (made != nullptr) *made = handle;
  return result;
}

TensorHandle* FindHandle(napi_env env, const AddonData& data, napi_value value) {
  void* pointer = nullptr;
  // Another add-on's object may be wrapped too: only pointers this environment made itself are ours to
  // follow.
  if (napi_unwrap(env, value, &pointer) != napi_ok || !data.tensors.Contains(pointer)) return nullptr;
  return static_cast<TensorHandle*>(pointer);
}

}  // namespace dyconv
