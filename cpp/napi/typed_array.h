// Typed arrays of JavaScript, and the tensors they are read into and made from.
#pragma once

#include "napi/convert.h"

namespace dyconv {

// The typed array that carries a dtype in JavaScript; float16 and bfloat16 travel as their raw 16 bits.
napi_typedarray_type ArrayTypeOf(at::ScalarType dtype);

// Checks that the array is the dtype's and has the elements of the shape.
void CheckTypedArray(const TypedArray& data, at::IntArrayRef shape, at::ScalarType dtype);

// An ArrayBuffer on memory of our own. `release` is called with `owner` when the buffer is gone, or here
// where it cannot be made: null where the runtime takes no memory of others, a NativeError for a length that
// V8 has no array of.
napi_value ExternalBuffer(napi_env env, AddonData& data, void* bytes, size_t length, const void* owner,
                          void (*release)(void*));

// An array on the memory of a contiguous CPU tensor; a copy where the runtime takes no memory of others.
napi_value TypedArrayOn(napi_env env, AddonData& data, const at::Tensor& tensor);

}  // namespace dyconv
