#include "napi/typed_array.h"

#include <algorithm>

namespace dyconv {

napi_typedarray_type ArrayTypeOf(at::ScalarType dtype) {
  switch (dtype) {
    case at::kFloat:
      return napi_float32_array;
    case at::kDouble:
      return napi_float64_array;
    case at::kHalf:
    case at::kBFloat16:
      return napi_uint16_array;
    case at::kLong:
      return napi_bigint64_array;
    case at::kInt:
      return napi_int32_array;
    case at::kShort:
      return napi_int16_array;
    case at::kChar:
      return napi_int8_array;
    case at::kByte:
    case at::kBool:
      return napi_uint8_array;
    default:
      throw TypedError(ErrorKind::kDType, std::string("Expected a dtype with a typed array but received ") +
                                              c10::toString(dtype));
  }
}

void CheckTypedArray(const TypedArray& data, at::IntArrayRef shape, at::ScalarType dtype) {
  const bool clamped = data.type == napi_uint8_clamped_array;
  if ((clamped ? napi_uint8_array : data.type) != ArrayTypeOf(dtype)) {
    throw TypedError(ErrorKind::kDType, std::string("Expected the typed array of ") + DTypeName(dtype) +
                                            " for data but received another kind");
  }
  int64_t count = 1;
  for (int64_t size : shape) {
    // The strides must fit too: a size of 0 does not make other sizes valid.
    const char* expected = size < 0 ? "sizes of at least 0"
                           : __builtin_mul_overflow(count, std::max<int64_t>(size, 1), &count)
                               ? "sizes whose product fits 64 bits"
                               : nullptr;
    if (expected == nullptr) continue;
    throw TypedError(ErrorKind::kShape, std::string("Expected ") + expected + " for shape but received [" +
                                            c10::Join(", ", shape) + "]");
  }
  if (std::find(shape.begin(), shape.end(), 0) != shape.end()) count = 0;
  if (count != static_cast<int64_t>(data.length)) {
    throw TypedError(ErrorKind::kShape, "Expected data of " + std::to_string(count) +
                                            " elements for shape [" + c10::Join(", ", shape) +
                                            "] but received " + std::to_string(data.length));
  }
}

const char* ArrayNameOf(napi_typedarray_type type) {
  switch (type) {
    case napi_float32_array:
      return "Float32Array";
    case napi_float64_array:
      return "Float64Array";
    case napi_uint16_array:
      return "Uint16Array";
    case napi_bigint64_array:
      return "BigInt64Array";
    case napi_int32_array:
      return "Int32Array";
    case napi_int16_array:
      return "Int16Array";
    case napi_int8_array:
      return "Int8Array";
    default:
      return "Uint8Array";
  }
}

}  // namespace dyconv
