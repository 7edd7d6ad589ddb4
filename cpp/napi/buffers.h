// Memory that JavaScript and C++ share without a copy. One of three files that call Node-API directly:
// docs/architecture.md has the reasons.
#pragma once

#include <vector>

#include <ATen/core/Tensor.h>

#include "napi/convert.h"
#include "napi/js_callback.h"

namespace dyconv {

// A tensor on `bytes`, which belong to the ArrayBuffer or SharedArrayBuffer `buffer`. The tensor's storage
// holds a reference to the buffer, so views, graphs and background jobs keep it alive.
at::Tensor TensorOnBuffer(const AddonData& data, Napi::Value buffer, void* bytes,
                          const std::vector<int64_t>& shape, at::ScalarType dtype);

// The buffer that the storage stands on; null for memory of our own.
const JsValue* BufferOf(const c10::StorageImpl* storage);

// Whether the buffer was detached (transferred away) since.
bool IsDetached(const JsValue& buffer);

// An ArrayBuffer on memory of our own. `release` is called with `owner` when the buffer is gone, or here
// where it cannot be made: empty where the runtime takes no memory of others, a NativeError for a length that
// V8 has no array of.
Napi::Value ExternalBuffer(Napi::Env env, AddonData& data, void* bytes, size_t length, void* owner,
                           void (*release)(void*));

// An array on the memory of a contiguous CPU tensor; a copy where the runtime takes no memory of others.
Napi::Value TypedArrayOn(Napi::Env env, AddonData& data, const at::Tensor& tensor);

}  // namespace dyconv
