#include "napi/typed_array.h"

#include <cstring>

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

void CheckTypedArray(const TypedArray& data, const std::vector<int64_t>& shape, at::ScalarType dtype) {
  const bool clamped = data.type == napi_uint8_clamped_array;
  if ((clamped ? napi_uint8_array : data.type) != ArrayTypeOf(dtype)) {
    throw TypedError(ErrorKind::kDType, std::string("Expected the typed array of ") + DTypeName(dtype) +
                                            " for data but received another kind");
  }
  int64_t count = 1;
  for (int64_t size : shape) {
    const char* expected = size < 0                                      ? "sizes of at least 0"
                           : __builtin_mul_overflow(count, size, &count) ? "sizes whose product fits 64 bits"
                                                                         : nullptr;
    if (expected == nullptr) continue;
    throw TypedError(ErrorKind::kShape, std::string("Expected ") + expected + " for shape but received [" +
                                            c10::Join(", ", shape) + "]");
  }
  if (count != static_cast<int64_t>(data.length)) {
    throw TypedError(ErrorKind::kShape, "Expected data of " + std::to_string(count) +
                                            " elements for shape [" + c10::Join(", ", shape) +
                                            "] but received " + std::to_string(data.length));
  }
}

napi_value NewTypedArray(napi_env env, const at::Tensor& tensor) {
  void* bytes = nullptr;
  napi_value buffer, array;
  Check(env, napi_create_arraybuffer(env, tensor.nbytes(), &bytes, &buffer), "napi_create_arraybuffer");
  if (tensor.numel() > 0) std::memcpy(bytes, tensor.data_ptr(), tensor.nbytes());
  Check(env,
        napi_create_typedarray(env, ArrayTypeOf(tensor.scalar_type()), tensor.numel(), buffer, 0, &array),
        "napi_create_typedarray");
  return array;
}

napi_value TypedArrayOn(napi_env env, AddonData& data, const at::Tensor& tensor) {
  if (data.external_buffers_refused || tensor.nbytes() == 0) return NewTypedArray(env, tensor);
  auto* holder = new at::Tensor(tensor);
  const auto release = [](node_api_basic_env, void*, void* pointer) {
    delete static_cast<at::Tensor*>(pointer);
  };
  napi_value buffer, array;
  const napi_status status = napi_create_external_arraybuffer(env, tensor.mutable_data_ptr(), tensor.nbytes(),
                                                              release, holder, &buffer);
  if (status == napi_no_external_buffers_allowed) {
    delete holder;
    data.external_buffers_refused = true;
    return NewTypedArray(env, tensor);
  }
  Check(env, status, "napi_create_external_arraybuffer");
  Check(env,
        napi_create_typedarray(env, ArrayTypeOf(tensor.scalar_type()), tensor.numel(), buffer, 0, &array),
        "napi_create_typedarray");
  return array;
}

}  // namespace dyconv
