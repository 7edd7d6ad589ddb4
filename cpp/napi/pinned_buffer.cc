#include "napi/pinned_buffer.h"

#include <ATen/ops/from_blob.h>

#include "napi/addon_data.h"

namespace dyconv {
namespace {

void DeletePinnedBuffer(void* pointer) {
  auto* pinned = static_cast<PinnedBuffer*>(pointer);
  pinned->released->Add(pinned->buffer);
  delete pinned;
}

}  // namespace

void ReleasedBuffers::Add(napi_ref buffer) {
  std::lock_guard lock(mutex_);
  buffers_.push_back(buffer);
  any_.store(true, std::memory_order_release);
}

void ReleasedBuffers::DeleteAll(napi_env env) {
  std::vector<napi_ref> buffers;
  {
    std::lock_guard lock(mutex_);
    buffers.swap(buffers_);
    any_.store(false, std::memory_order_release);
  }
  for (napi_ref buffer : buffers) napi_delete_reference(env, buffer);
}

at::Tensor TensorOnBuffer(napi_env env, AddonData& data, napi_value buffer, void* bytes,
                          const std::vector<int64_t>& shape, at::ScalarType dtype) {
  napi_ref reference;
  Check(env, napi_create_reference(env, buffer, 1, &reference), "napi_create_reference");
  return at::for_blob(bytes, shape)
      .context(new PinnedBuffer{reference, data.released_buffers}, DeletePinnedBuffer)
      .options(at::device(at::kCPU).dtype(dtype))
      .make_tensor();
}

const PinnedBuffer* PinnedBufferOf(const c10::StorageImpl* storage) {
  const c10::DataPtr& data = storage->data_ptr();
  if (data.get_deleter() != &DeletePinnedBuffer) return nullptr;
  return static_cast<const PinnedBuffer*>(data.get_context());
}

bool IsDetached(napi_env env, const PinnedBuffer& pinned) {
  napi_value buffer;
  bool detached = false;
  Check(env, napi_get_reference_value(env, pinned.buffer, &buffer), "napi_get_reference_value");
  Check(env, napi_is_detached_arraybuffer(env, buffer, &detached), "napi_is_detached_arraybuffer");
  return detached;
}

}  // namespace dyconv
