#include "napi/buffers.h"

#include <cstring>

#include <ATen/ops/from_blob.h>

#include "napi/finalizer.h"
#include "napi/typed_array.h"

namespace dyconv {
namespace {

void DeleteBuffer(void* buffer) { delete static_cast<JsValue*>(buffer); }

// A copy. If memory is short or the array too long, V8 ends the process when Node-API requests it; the
// constructors of JavaScript throw.
Napi::Value NewTypedArray(Napi::Env env, const at::Tensor& tensor) {
  const char* name = ArrayNameOf(ArrayTypeOf(tensor.scalar_type()));
  const auto constructor = env.Global().Get(name).As<Napi::Function>();
  const Napi::Number length = Napi::Number::New(env, static_cast<double>(tensor.numel()));
  Napi::Value array;
  try {
    array = constructor.New({length});
  } catch (const Napi::Error&) {
    Fail(ErrorKind::kNative, "Expected memory for a ", name, " of ", tensor.numel(),
         " elements but JavaScript cannot allocate so much");
  }
  if (tensor.numel() > 0)
    std::memcpy(Napi::Uint8Array(env, array).Data(), tensor.const_data_ptr(), tensor.nbytes());
  return array;
}

// The memory of an external buffer.
struct Holder {
  void* owner;
  void (*release)(void*);
};

void ReleaseHolder(Holder* holder) {
  holder->release(holder->owner);
  delete holder;
}

void DeleteTensor(void* tensor) { delete static_cast<at::Tensor*>(tensor); }

}  // namespace

at::Tensor TensorOnBuffer(const AddonData& data, Napi::Value buffer, void* bytes,
                          const std::vector<int64_t>& shape, at::ScalarType dtype) {
  return at::for_blob(bytes, shape)
      .context(new JsValue(data.js_home, buffer), DeleteBuffer)
      .options(at::device(at::kCPU).dtype(dtype))
      .make_tensor();
}

const JsValue* BufferOf(const c10::StorageImpl* storage) {
  const c10::DataPtr& data = storage->data_ptr();
  if (data.get_deleter() != &DeleteBuffer) return nullptr;
  return static_cast<const JsValue*>(data.get_context());
}

bool IsDetached(const JsValue& buffer) { return buffer.Get().As<Napi::ArrayBuffer>().IsDetached(); }

// Napi::ArrayBuffer::Data() rejects a SharedArrayBuffer, and Napi::TypedArrayOf needs two calls instead of
// one.
TypedArray FromJs<TypedArray>::Get(const Argument& argument) {
  TypedArray array{};
  napi_value buffer;
  size_t offset;
  const napi_status status = napi_get_typedarray_info(argument.env(), argument.js, &array.type, &array.length,
                                                      &array.bytes, &buffer, &offset);
  if (status != napi_ok) argument.Reject("a typed array");
  array.buffer = Napi::Value(argument.env(), buffer);
  return array;
}

// Napi::ArrayBuffer::New() throws for every status; here a runtime that does not accept external memory must
// be distinguished from other errors.
Napi::Value ExternalBuffer(Napi::Env env, AddonData& data, void* bytes, size_t length, void* owner,
                           void (*release)(void*)) {
  auto* holder = new Holder{owner, release};
  // Node calls the finalizer if it rejects the length, so only valid lengths are passed.
  const bool too_long = length > data.max_buffer_bytes;
  napi_value buffer = nullptr;
  const napi_status status =
      too_long || data.external_buffers_refused
          ? napi_no_external_buffers_allowed
          : napi_create_external_arraybuffer(env, bytes, length, FinalizeHint<Holder, ReleaseHolder>, holder,
                                             &buffer);
  if (status == napi_ok) return {env, buffer};
  ReleaseHolder(holder);
  Require(!too_long, ErrorKind::kNative, "Expected at most ", data.max_buffer_bytes,
          " bytes for an ArrayBuffer but received ", length);
  if (status != napi_no_external_buffers_allowed) throw Napi::Error::New(env);
  data.external_buffers_refused = true;
  return {};
}

// The dtype is known at run time; Napi::TypedArrayOf needs it at compile time.
Napi::Value TypedArrayOn(Napi::Env env, AddonData& data, const at::Tensor& tensor) {
  if (tensor.nbytes() == 0) return NewTypedArray(env, tensor);
  const Napi::Value buffer = ExternalBuffer(env, data, tensor.mutable_data_ptr(), tensor.nbytes(),
                                            new at::Tensor(tensor), DeleteTensor);
  if (buffer.IsEmpty()) return NewTypedArray(env, tensor);
  napi_value array;
  const napi_status status =
      napi_create_typedarray(env, ArrayTypeOf(tensor.scalar_type()), tensor.numel(), buffer, 0, &array);
  NAPI_THROW_IF_FAILED(env, status, Napi::Value());
  return {env, array};
}

}  // namespace dyconv
