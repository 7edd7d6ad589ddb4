// The typed array of JavaScript for a dtype.
#pragma once

#include "napi/convert.h"

namespace dyconv {

// The typed array for a dtype; float16 and bfloat16 are passed as their raw 16 bits.
napi_typedarray_type ArrayTypeOf(at::ScalarType dtype);
// The name of its constructor.
const char* ArrayNameOf(napi_typedarray_type type);

// Checks that the array has the type of the dtype and the number of elements of the shape.
void CheckTypedArray(const TypedArray& data, at::IntArrayRef shape, at::ScalarType dtype);

}  // namespace dyconv
