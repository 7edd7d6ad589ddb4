#include "napi/hot_path.h"

#include <memory>

#include "napi/bind.h"
#include "napi/collect.h"
#include "napi/finalizer.h"

namespace dyconv {
namespace {

// Napi::CallbackInfo has room for six arguments and allocates memory for more, as for conv2d. This needs one
// call of Node-API and has room for kMaxArity arguments on the stack.
napi_value Dispatch(napi_env env, napi_callback_info info) {
  napi_value arguments[kMaxArity];
  size_t count = kMaxArity;  // Node-API sets missing arguments to undefined
  void* pointer;
  napi_get_cb_info(env, info, &count, arguments, nullptr, &pointer);
  const Op& op = *static_cast<const Op*>(pointer);
  Call call{env, AddonData::Of(env), op.signature, arguments};
  try {
    const CallScope scope(env, call.data);
    napi_value result = op.invoke(call);
    if (call.data.tensors.WantsCollection()) CollectAfterGrowth(env, call.data);
    call.data.js_home->DeleteDropped();
    return result;
  } catch (...) {
    const Napi::Value error =
        CurrentExceptionToJs(env, call.data, call.Name(), [&call] { return DescribeArguments(call); });
    // Not Error::ThrowAsJavaScriptException(), which creates a reference to the error. The status is ignored:
    // on a thread that is being terminated nothing can be thrown or caught.
    napi_throw(env, error);
    return nullptr;
  }
}

void DeleteHandle(TensorHandle* handle) {
  AddonData* owner = handle->owner;
  owner->tensors.Remove(handle);
  delete handle;
  owner->DeleteIfUnused();
}

// Debug mode: requests from JavaScript the number of the place that creates a tensor. If JavaScript cannot be
// called, as on a thread that is being terminated, the tensor is created without it.
void TraceCreation(const AddonData& data, TensorHandle* handle) {
  try {
    handle->creation = data.tracer.Value().Call({}).As<Napi::Number>().Int32Value();
  } catch (const Napi::Error&) {
    handle->creation = 0;
  }
}

constexpr uint32_t kMaxArrayLength = 1 << 20;

}  // namespace

Napi::Function NewFunction(Napi::Env env, const std::string& name, const Op& op) {
  napi_value function;
  const napi_status status =
      napi_create_function(env, name.c_str(), name.size(), Dispatch, const_cast<Op*>(&op), &function);
  NAPI_THROW_IF_FAILED(env, status, Napi::Function());
  return {env, function};
}

// Napi::ObjectWrap needs a class with a constructor that JavaScript calls, with an array of arguments, and
// adds a second reference to the object. This is an empty object and a pointer.
Napi::Value WrapTensor(Napi::Env env, AddonData& data, const at::Tensor& tensor, TensorHandle** made) {
  if (!tensor.defined()) return env.Null();
  const Napi::Object object = data.tensor_class.Value().New({});
  auto owner = std::make_unique<TensorHandle>();
  owner->tensor = tensor;
  owner->owner = &data;
  const napi_status status =
      napi_wrap(env, object, owner.get(), FinalizeData<TensorHandle, DeleteHandle>, nullptr, nullptr);
  NAPI_THROW_IF_FAILED(env, status, Napi::Value());
  TensorHandle* handle = owner.release();
  data.tensors.Add(handle);
  if (!data.tracer.IsEmpty()) TraceCreation(data, handle);
  if (made != nullptr) *made = handle;
  return object;
}

TensorHandle* FindHandle(const AddonData& data, Napi::Value value) {
  void* pointer = nullptr;
  // The object may be wrapped by another add-on: only pointers of this environment's tensors are
  // dereferenced.
  if (napi_unwrap(value.Env(), value, &pointer) != napi_ok || !data.tensors.Contains(pointer)) return nullptr;
  return static_cast<TensorHandle*>(pointer);
}

// Scalars and arrays: the call that reads the value also checks its type. Napi::Value::IsNumber() and similar
// functions are a second call for each argument; Napi::Number::DoubleValue() of another type creates an error
// object, although it is no error for `other` of add(), for example.

bool FromJs<bool>::Get(const Argument& argument) {
  bool result;
  if (napi_get_value_bool(argument.env(), argument.js, &result) != napi_ok) argument.Reject("a boolean");
  return result;
}

double FromJs<double>::Get(const Argument& argument) {
  double result;
  if (napi_get_value_double(argument.env(), argument.js, &result) != napi_ok) argument.Reject("a number");
  return result;
}

int64_t FromJs<int64_t>::Get(const Argument& argument) {
  double number;
  if (napi_get_value_double(argument.env(), argument.js, &number) == napi_ok) {
    if (!IsSafeInteger(number)) argument.Reject("an integer");
    return static_cast<int64_t>(number);
  }
  int64_t result;
  bool lossless = false;
  if (napi_get_value_bigint_int64(argument.env(), argument.js, &result, &lossless) != napi_ok)
    argument.Reject("an integer");
  if (!lossless) argument.Reject("an integer of at most 64 bits");
  return result;
}

uint32_t ArrayLength(const Argument& argument) {
  uint32_t length = 0;
  if (napi_get_array_length(argument.env(), argument.js, &length) != napi_ok) argument.Reject("an array");
  // Longer arrays are sparse or should be typed arrays; each element needs a handle here.
  if (length > kMaxArrayLength)
    argument.Reject("an array of at most " + std::to_string(kMaxArrayLength) + " elements");
  return length;
}

}  // namespace dyconv
