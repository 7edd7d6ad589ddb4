// Which typed array of JavaScript carries a dtype.
#pragma once

#include "napi/convert.h"

namespace dyconv {

// The typed array that carries a dtype in JavaScript; float16 and bfloat16 travel as their raw 16 bits.
napi_typedarray_type ArrayTypeOf(at::ScalarType dtype);
// The name of its constructor.
const char* ArrayNameOf(napi_typedarray_type type);

// Checks that the array is the dtype's and has the elements of the shape.
void CheckTypedArray(const TypedArray& data, at::IntArrayRef shape, at::ScalarType dtype);

}  // namespace dyconv
