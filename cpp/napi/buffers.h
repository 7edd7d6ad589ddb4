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

// The buffer of the storage; null for memory of libtorch.
const JsValue* BufferOf(const c10::StorageImpl* storage);

// Whether the buffer has been detached (transferred).
bool IsDetached(const JsValue& buffer);

// An ArrayBuffer on memory of libtorch. `release` is called with `owner` when the buffer is collected, or
// immediately if it cannot be created: the result is empty if the runtime does not accept external memory; a
// length beyond V8's limit is a NativeError.
Napi::Value ExternalBuffer(Napi::Env env, AddonData& data, void* bytes, size_t length, void* owner,
                           void (*release)(void*));

// An array on the memory of a contiguous CPU tensor; a copy if the runtime does not accept external memory.
Napi::Value TypedArrayOn(Napi::Env env, AddonData& data, const at::Tensor& tensor);

}  // namespace dyconv
