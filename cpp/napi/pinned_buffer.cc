#include "napi/pinned_buffer.h"

#include <ATen/ops/from_blob.h>

#include "napi/addon_data.h"

namespace dyconv {
namespace {

void DeleteBuffer(void* buffer) { delete static_cast<JsValue*>(buffer); }

}  // namespace

at::Tensor TensorOnBuffer(const AddonData& data, napi_value buffer, void* bytes,
                          const std::vector<int64_t>& shape, at::ScalarType dtype) {
  return at::for_blob(bytes, shape)
      .context(new JsValue(data.js_home, buffer), DeleteBuffer)
      .options(at::device(at::kCPU).dtype(dtype))
      .make_tensor();
}

const JsValue* BufferOf(const c10::StorageImpl* storage) {
  const c10::DataPtr& data = storage->data_ptr();
  if (data.get_deleter() != &DeleteBuffer) return nullptr;
  return static_cast<const JsValue*>(data.get_context());
}

bool IsDetached(napi_env env, const JsValue& buffer) {
  bool detached = false;
  Check(env, napi_is_detached_arraybuffer(env, buffer.Get(), &detached), "napi_is_detached_arraybuffer");
  return detached;
}

}  // namespace dyconv
