// The tensors that JavaScript objects hold (hot_path.h makes those objects): lifetimes, scopes and accounts.
//
// Lifetime. The object owns one reference to the tensor. It is given up by dispose(), by the end of the
// tidy() scope in which the object was made, or when V8 collects the object: as a *basic* finalizer, hence
// also in a synchronous loop. Accounts. Each storage is counted once, however many views share it. When the
// count has grown by a good deal since the last collection, the operation that did it asks for one
// (hot_path.cc): V8 counts only the small objects, not their memory. (napi_adjust_external_memory is the
// usual way to tell it, and ends the process on Node 20: under external memory pressure V8 11.3 may finish an
// incremental mark too early, "Check failed: marking_done_".)
#pragma once

#include <cstdint>
#include <memory>
#include <unordered_map>
#include <vector>

#include <ATen/core/Tensor.h>
#include <c10/util/flat_hash_map.h>

namespace dyconv {

struct AddonData;
struct PendingTensor;
struct TensorScope;

struct TensorHandle {
  at::Tensor tensor;  // undefined once disposed
  AddonData* owner = nullptr;
  c10::StorageImpl* storage = nullptr;  // as counted in TensorRegistry; not owned
  TensorScope* scope = nullptr;
  TensorHandle* next_in_scope = nullptr;
  TensorHandle* previous_in_scope = nullptr;
  int32_t creation = 0;  // where it was made, as a number of lib/runtime/memory.ts; 0 when nobody asked
  bool pinned = false;   // uses a JavaScript buffer, which may be detached (buffers.h)
  std::shared_ptr<PendingTensor> pending;  // while the tensor is a placeholder (background.h)
};

// A tidy() block: the handles made in it that are still alive, as an intrusive list.
struct TensorScope {
  TensorHandle* first = nullptr;
};

class TensorRegistry {
 public:
  void Add(TensorHandle* handle);
  void Remove(TensorHandle* handle);   // the object is gone
  void Dispose(TensorHandle* handle);  // the object stays, the tensor goes
  void Recount(TensorHandle* handle);  // after the tensor took over another storage
  bool Contains(const void* handle) const { return handles_.find(handle) != handles_.end(); }
  bool empty() const { return handles_.empty(); }

  bool WantsCollection() const { return live_bytes_ > collect_at_; }
  // After a collection: how much more may be allocated before the next one.
  void SetCollectionLimit();

  // What is alive, by the number of the place where it was made.
  struct CreationUse {
    int32_t creation;
    int64_t tensors;
    int64_t bytes;  // of storages, each counted once a place
  };
  std::vector<CreationUse> UseByCreation() const;

  int64_t live_tensors() const { return live_tensors_; }
  int64_t live_bytes() const { return live_bytes_; }

  // Scopes are named by number so that JavaScript can hold them across an await. 0 is "no scope".
  int64_t OpenScope();
  void EnterScope(int64_t id);  // new handles belong to this scope from now on
  int64_t current_scope() const { return current_scope_id_; }
  // Disposes what the scope still holds except `keep`, which moves to the scope `parent`.
  void CloseScope(int64_t id, int64_t parent, const std::vector<TensorHandle*>& keep);
  void ReleaseFromScope(TensorHandle* handle) { DetachFromScope(handle); }

 private:
  struct StorageUse {
    int64_t handles = 0;
    int64_t bytes = 0;
  };
  TensorScope* FindScope(int64_t id);
  void AttachToScope(TensorHandle* handle, TensorScope* scope);
  static void DetachFromScope(TensorHandle* handle);
  void CountStorage(TensorHandle* handle);
  void ReleaseStorage(TensorHandle* handle);

  // Collections cost milliseconds: below this much growth they are left to V8.
  static constexpr int64_t kCollectionStep = 256 << 20;

  ska::flat_hash_set<const void*> handles_;
  ska::flat_hash_map<c10::StorageImpl*, StorageUse> storages_;
  std::unordered_map<int64_t, TensorScope> scopes_;
  TensorScope* current_scope_ = nullptr;
  int64_t current_scope_id_ = 0;
  int64_t next_scope_ = 1;
  int64_t live_tensors_ = 0;
  int64_t live_bytes_ = 0;
  int64_t collect_at_ = kCollectionStep;
};

}  // namespace dyconv
