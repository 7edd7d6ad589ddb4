#include "napi/tensor_registry.h"

#include <algorithm>
#include <map>
#include <set>

#include "napi/background.h"
#include "napi/buffers.h"

namespace dyconv {
namespace {

int64_t StorageBytes(const at::Tensor& tensor) {
  return tensor.has_storage() ? static_cast<int64_t>(tensor.storage().nbytes()) : 0;
}

}  // namespace

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
  if (handle->pending == nullptr) return;
  handle->pending->handle = nullptr;
  handle->pending.reset();
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

void TensorRegistry::EnterScope(int64_t id) {
  current_scope_ = FindScope(id);
  current_scope_id_ = current_scope_ == nullptr ? 0 : id;
}

void TensorRegistry::CloseScope(int64_t id, int64_t parent, const std::vector<TensorHandle*>& keep) {
  TensorScope* scope = FindScope(id);
  if (scope == nullptr) return;
  for (TensorHandle* handle : keep) {
    if (handle->scope == scope) AttachToScope(handle, FindScope(parent));
  }
  while (scope->first != nullptr) Dispose(scope->first);
  if (current_scope_ == scope) EnterScope(parent);
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

}  // namespace dyconv
