#include "napi/convert.h"

#include <cmath>
#include <cstring>

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/zeros.h>
#include <ATen/ScalarOps.h>

#include "napi/buffers.h"
#include "napi/hot_path.h"
#include "napi/wording.h"

namespace dyconv {
std::string Call::Name() const { return PublicName(std::string(signature, std::strchr(signature, '('))); }

std::string Call::ArgumentName(size_t index) const {
  const char* start = std::strchr(signature, '(') + 1;
  for (; index > 0; --index) start = std::strchr(start, ',') + 2;
  return std::string(start, std::strcspn(start, ",)"));
}

bool Argument::IsNullish() const {
  const napi_valuetype type = js.Type();
  return type == napi_undefined || type == napi_null;
}

void Argument::Reject(const std::string& expected, ErrorKind kind) const {
  throw TypedError(kind, "Expected " + expected + " for " + call.ArgumentName(index) + " of " + call.Name() +
                             " but received " + Describe(*this));
}

std::string FromJs<std::string>::Get(const Argument& argument) {
  if (!argument.js.IsString()) argument.Reject("a string");
  return argument.js.As<Napi::String>().Utf8Value();
}

TensorHandle* FromJs<TensorHandle*>::Get(const Argument& argument) {
  TensorHandle* handle = FindHandle(argument.call.data, argument.js);
  if (handle == nullptr) argument.Reject("a Tensor");
  return handle;
}

namespace {

// The tensor of a handle, unless it was disposed.
const at::Tensor& Live(const Argument& argument, const TensorHandle& handle) {
  const bool detached = handle.pinned && IsDetached(*BufferOf(handle.storage));
  if (handle.tensor.defined() && !detached) {
    const Background& background = argument.call.data.background;
    // Inside of background() the operation decides (deferral.h).
    if (background.blocks() > 0 && !background.open()) [[unlikely]] {
      background.CheckAvailable(argument.call, argument.call.ArgumentName(argument.index), handle.tensor);
    }
    return handle.tensor;
  }
  throw TypedError(ErrorKind::kDisposed,
                   "Expected a live Tensor for " + argument.call.ArgumentName(argument.index) + " of " +
                       argument.call.Name() + " but received one " +
                       (detached ? "whose ArrayBuffer was detached" : "that was disposed"));
}

}  // namespace

at::Tensor FromJs<at::Tensor>::Get(const Argument& argument) {
  return Live(argument, *FromJs<TensorHandle*>::Get(argument));
}

at::Scalar FromJs<at::Scalar>::Get(const Argument& argument) {
  switch (argument.js.Type()) {
    case napi_number: {
      const double number = FromJs<double>::Get(argument);
      // 2 and 2.0 are the same JavaScript value; as an integer it does not change the dtype of an integer
      // tensor, as in PyTorch.
      const bool negative_zero = number == 0 && std::signbit(number);
      return IsSafeInteger(number) && !negative_zero ? at::Scalar(static_cast<int64_t>(number))
                                                     : at::Scalar(number);
    }
    case napi_bigint:
      return at::Scalar(FromJs<int64_t>::Get(argument));
    case napi_boolean:
      return at::Scalar(FromJs<bool>::Get(argument));
    default:
      argument.Reject("a number");
  }
}

Operand FromJs<Operand>::Get(const Argument& argument) {
  // The most frequent type first: each call of Node-API takes time.
  const TensorHandle* handle = FindHandle(argument.call.data, argument.js);
  if (handle != nullptr) return {Live(argument, *handle)};
  switch (argument.js.Type()) {
    case napi_number:
    case napi_bigint:
    case napi_boolean:
      return {at::native::wrapped_scalar_tensor(FromJs<at::Scalar>::Get(argument))};
    default:
      argument.Reject("a Tensor or a number");
  }
}

Operand AsValue<Operand>::Read(const Value& value, const Frame& frame) {
  if (value.As<Slot>()) return {AsValue<at::Tensor>::Read(value, frame)};
  return {at::native::wrapped_scalar_tensor(AsValue<at::Scalar>::Read(value, frame))};
}

Value AsValue<Operand>::Make(const Operand& operand) {
  if (operand.IsNumber()) return AsValue<at::Scalar>::Make(operand.tensor.item());
  return operand.tensor;
}

at::ScalarType FromJs<at::ScalarType>::Get(const Argument& argument) {
  if (argument.js.IsString()) {
    const std::string name = argument.js.As<Napi::String>().Utf8Value();
    for (const auto& [type, known] : kDTypeNames)
      if (name == known) return type;
  }
  std::string names;
  for (const auto& [type, known] : kDTypeNames)
    names += (names.empty() ? "one of " : ", ") + std::string(known);
  argument.Reject(names, ErrorKind::kDType);
}

namespace {
std::string (*device_problem)() = nullptr;
}

void SetDeviceProblem(std::string (*problem)()) { device_problem = problem; }

at::Device FromJs<at::Device>::Get(const Argument& argument) {
  constexpr const char* kExpected = "'cpu', 'cuda' or 'cuda:N'";
  if (!argument.js.IsString()) argument.Reject(kExpected, ErrorKind::kDevice);
  const std::string name = argument.js.As<Napi::String>().Utf8Value();
  if (name == "cpu") return at::Device(at::kCPU);
  const bool indexed = name.rfind("cuda:", 0) == 0 && name.size() > 5 && name.size() < 9 &&
                       name.find_first_not_of("0123456789", 5) == std::string::npos;
  if (name != "cuda" && !indexed) argument.Reject(kExpected, ErrorKind::kDevice);
  const int64_t count = at::detail::getCUDAHooks().deviceCount();
  const int64_t index = indexed ? std::stoll(name.substr(5)) : 0;
  if (index >= count) {
    const std::string problem = count == 0 && device_problem != nullptr ? device_problem() : "";
    throw TypedError(
        ErrorKind::kDevice,
        "Expected an available device for device of " + argument.call.Name() + " but received '" + name +
            "': " + (problem.empty() ? std::to_string(count) + " CUDA devices were found" : problem));
  }
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

at::indexing::TensorIndex FromJs<at::indexing::TensorIndex>::Get(const Argument& argument) {
  using at::indexing::TensorIndex;
  constexpr const char* kExpected = "an integer, slice(), null, '...', a boolean or a Tensor";
  switch (argument.js.Type()) {
    case napi_null:
      return TensorIndex(at::indexing::None);
    case napi_number:
    case napi_bigint:
      return TensorIndex(FromJs<int64_t>::Get(argument));
    case napi_boolean:
      return TensorIndex(FromJs<bool>::Get(argument));
    case napi_string:
      if (argument.js.As<Napi::String>().Utf8Value() != "...") argument.Reject(kExpected);
      return TensorIndex(at::indexing::Ellipsis);
    case napi_object:
      break;
    default:
      argument.Reject(kExpected);
  }
  if (FindHandle(argument.call.data, argument.js) != nullptr)
    return TensorIndex(FromJs<at::Tensor>::Get(argument));
  const auto object = argument.js.As<Napi::Object>();
  std::optional<c10::SymInt> bounds[3];
  const char* const names[] = {"start", "stop", "step"};
  for (int i = 0; i < 3; ++i) {
    // slice() always sets all three: an object without them is not a slice.
    if (!object.Has(names[i])) argument.Reject(kExpected);
    const auto number =
        FromJs<std::optional<int64_t>>::Get({argument.call, object.Get(names[i]), argument.index});
    if (number.has_value()) bounds[i] = *number;
  }
  return TensorIndex(at::indexing::Slice(bounds[0], bounds[1], bounds[2]));
}

Napi::Function FromJs<Napi::Function>::Get(const Argument& argument) {
  if (!argument.js.IsFunction()) argument.Reject("a function");
  return argument.js.As<Napi::Function>();
}

Argument ArrayElement(const Argument& argument, uint32_t index) {
  return {argument.call, argument.js.As<Napi::Object>().Get(index), argument.index};
}

Napi::Value ToJs(const Call& call, bool value) { return Napi::Boolean::New(call.env, value); }

Napi::Value ToJs(const Call& call, int64_t value) {
  const auto number = static_cast<double>(value);
  if (std::abs(number) <= kMaxSafeInteger) return Napi::Number::New(call.env, number);
  return Napi::BigInt::New(call.env, value);
}

Napi::Value ToJs(const Call& call, double value) { return Napi::Number::New(call.env, value); }

Napi::Value ToJs(const Call& call, const std::string& value) { return Napi::String::New(call.env, value); }

Napi::Value ToJs(const Call& call, const char* value) { return Napi::String::New(call.env, value); }

Napi::Value ToJs(const Call& call, const at::Tensor& value) {
  // Some gradients that are 0 everywhere have no memory; only libtorch's dispatcher handles them.
  if (value.defined() && value._is_zerotensor())
    return WrapTensor(call.env, call.data, at::zeros(value.sizes(), value.options()));
  return WrapTensor(call.env, call.data, value);
}

Napi::Value ToJs(const Call& call, at::ScalarType value) { return ToJs(call, DTypeName(value)); }

Napi::Value ToJs(const Call& call, at::Device value) { return ToJs(call, value.str()); }

Napi::Value ToJs(const Call& call, const at::Scalar& value) {
  if (value.isBoolean()) return ToJs(call, value.to<bool>());
  if (value.isIntegral(false)) return ToJs(call, value.to<int64_t>());
  return ToJs(call, value.to<double>());
}

}  // namespace dyconv
