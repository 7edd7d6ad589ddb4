// Tensors that stand on the memory of a JavaScript ArrayBuffer, without a copy.
//
// The tensor's storage holds a strong reference to the buffer, so views, graphs and background jobs keep it
// alive. They may end on any thread, and inside a collection, where the reference cannot be given up: it is
// put on a list that the next call from JavaScript empties.
#pragma once

#include <node_api.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <vector>

#include <ATen/core/Tensor.h>

namespace dyconv {

struct AddonData;

// References that wait to be deleted on their own thread. Shared: a storage may outlive the environment.
class ReleasedBuffers {
 public:
  void Add(napi_ref buffer);
  // On the environment's thread.
  void Delete(napi_env env) {
    if (any_.load(std::memory_order_acquire)) DeleteAll(env);
  }

 private:
  void DeleteAll(napi_env env);

  std::atomic<bool> any_{false};
  std::mutex mutex_;
  std::vector<napi_ref> buffers_;
};

// The buffer under a storage.
struct PinnedBuffer {
  napi_ref buffer;
  std::shared_ptr<ReleasedBuffers> released;
};

// A tensor on `bytes`, which belong to the ArrayBuffer or SharedArrayBuffer `buffer`.
at::Tensor TensorOnBuffer(napi_env env, AddonData& data, napi_value buffer, void* bytes,
                          const std::vector<int64_t>& shape, at::ScalarType dtype);

// The buffer that the storage stands on; null for memory of our own.
const PinnedBuffer* PinnedBufferOf(const c10::StorageImpl* storage);

// Whether the buffer was detached (transferred away) since.
bool IsDetached(napi_env env, const PinnedBuffer& pinned);

}  // namespace dyconv
