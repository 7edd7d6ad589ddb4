// Typed arrays of JavaScript, and the tensors they are read into and made from.
#pragma once

#include <vector>

#include "napi/convert.h"

namespace dyconv {

// The typed array that carries a dtype in JavaScript; float16 and bfloat16 travel as their raw 16 bits.
napi_typedarray_type ArrayTypeOf(at::ScalarType dtype);

// Checks that the array is the dtype's and has the elements of the shape.
void CheckTypedArray(const TypedArray& data, const std::vector<int64_t>& shape, at::ScalarType dtype);

// A copy of a contiguous CPU tensor.
napi_value NewTypedArray(napi_env env, const at::Tensor& tensor);

// An array on the tensor's own memory; a copy where the runtime takes no memory of others.
napi_value TypedArrayOn(napi_env env, AddonData& data, const at::Tensor& tensor);

}  // namespace dyconv
