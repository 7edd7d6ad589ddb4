#include "napi/typed_array.h"

#include <algorithm>
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

void CheckTypedArray(const TypedArray& data, at::IntArrayRef shape, at::ScalarType dtype) {
  const bool clamped = data.type == napi_uint8_clamped_array;
  if ((clamped ? napi_uint8_array : data.type) != ArrayTypeOf(dtype)) {
    throw TypedError(ErrorKind::kDType, std::string("Expected the typed array of ") + DTypeName(dtype) +
                                            " for data but received another kind");
  }
  int64_t count = 1;
  for (int64_t size : shape) {
    // Its strides have to fit too: a size of 0 does not excuse others that are too large.
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

namespace {

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

// Throws a NativeError in place of a RangeError that JavaScript threw.
[[noreturn]] void FailForMemory(napi_env env, const std::string& what) {
  napi_value error;
  napi_get_and_clear_last_exception(env, &error);
  Fail(ErrorKind::kNative, "Expected memory for ", what, " but JavaScript has none so large");
}

// A copy. V8 ends the process where Node-API asks it for memory that is not there, or for an array that is
// too long; its constructors throw.
napi_value NewTypedArray(napi_env env, const at::Tensor& tensor) {
  const char* name = ArrayNameOf(ArrayTypeOf(tensor.scalar_type()));
  napi_value global, constructor, length, array;
  Check(env, napi_get_global(env, &global), "napi_get_global");
  Check(env, napi_get_named_property(env, global, name, &constructor), name);
  Check(env, napi_create_int64(env, tensor.numel(), &length), "napi_create_int64");
  if (napi_new_instance(env, constructor, 1, &length, &array) != napi_ok)
    FailForMemory(env, "a " + std::string(name) + " of " + std::to_string(tensor.numel()) + " elements");
  void* bytes = nullptr;
  Check(env, napi_get_typedarray_info(env, array, nullptr, nullptr, &bytes, nullptr, nullptr),
        "napi_get_typedarray_info");
  if (tensor.numel() > 0) std::memcpy(bytes, tensor.const_data_ptr(), tensor.nbytes());
  return array;
}

}  // namespace

napi_value ExternalBuffer(napi_env env, AddonData& data, void* bytes, size_t length, const void* owner,
                          void (*release)(void*)) {
  struct Holder {
    void* owner;
    void (*release)(void*);
  };
  auto* holder = new Holder{const_cast<void*>(owner), release};
  const auto finalize = [](node_api_basic_env, void*, void* pointer) {
    auto* held = static_cast<Holder*>(pointer);
    held->release(held->owner);
    delete held;
  };
  // Node calls the finalizer where it refuses the length, hence only lengths that it takes get there.
  const bool too_long = length > data.max_buffer_bytes;
  napi_value buffer = nullptr;
  const napi_status status =
      too_long || data.external_buffers_refused
          ? napi_no_external_buffers_allowed
          : napi_create_external_arraybuffer(env, bytes, length, finalize, holder, &buffer);
  if (status == napi_ok) return buffer;
  finalize(env, nullptr, holder);
  if (too_long) {
    Fail(ErrorKind::kNative, "Expected at most ", data.max_buffer_bytes,
         " bytes for an ArrayBuffer but received ", length);
  }
  if (status != napi_no_external_buffers_allowed) Check(env, status, "napi_create_external_arraybuffer");
  data.external_buffers_refused = true;
  return nullptr;
}

napi_value TypedArrayOn(napi_env env, AddonData& data, const at::Tensor& tensor) {
  if (tensor.nbytes() == 0) return NewTypedArray(env, tensor);
  const auto release = [](void* held) { delete static_cast<at::Tensor*>(held); };
  napi_value array, buffer = ExternalBuffer(env, data, tensor.mutable_data_ptr(), tensor.nbytes(),
                                            new at::Tensor(tensor), release);
  if (buffer == nullptr) return NewTypedArray(env, tensor);
  Check(env,
        napi_create_typedarray(env, ArrayTypeOf(tensor.scalar_type()), tensor.numel(), buffer, 0, &array),
        "napi_create_typedarray");
  return array;
}

}  // namespace dyconv
