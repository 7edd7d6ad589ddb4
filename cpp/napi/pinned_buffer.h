// Tensors that stand on the memory of a JavaScript ArrayBuffer, without a copy. The tensor's storage holds a
// reference to the buffer, so views, graphs and background jobs keep it alive.
#pragma once

#include <node_api.h>

#include <vector>

#include <ATen/core/Tensor.h>

#include "napi/js_callback.h"

namespace dyconv {

struct AddonData;

// A tensor on `bytes`, which belong to the ArrayBuffer or SharedArrayBuffer `buffer`.
at::Tensor TensorOnBuffer(const AddonData& data, napi_value buffer, void* bytes,
                          const std::vector<int64_t>& shape, at::ScalarType dtype);

// The buffer that the storage stands on; null for memory of our own.
const JsValue* BufferOf(const c10::StorageImpl* storage);

// Whether the buffer was detached (transferred away) since.
bool IsDetached(napi_env env, const JsValue& buffer);

}  // namespace dyconv
