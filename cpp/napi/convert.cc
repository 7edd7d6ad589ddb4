#include "napi/convert.h"

#include <cmath>
#include <cstring>
#include <string_view>

#include <ATen/Context.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/ops/zeros.h>
#include <ATen/ScalarOps.h>

#include "napi/pinned_buffer.h"
#include "napi/wording.h"

namespace dyconv {
namespace {

constexpr double kMaxSafeInteger = 9007199254740991.0;
constexpr uint32_t kMaxArrayLength = 1 << 20;

struct DTypeEntry {
  at::ScalarType type;
  const char* name;
};

constexpr std::array kDTypes = {
    DTypeEntry{at::kFloat, "float32"}, DTypeEntry{at::kDouble, "float64"},
    DTypeEntry{at::kHalf, "float16"},  DTypeEntry{at::kBFloat16, "bfloat16"},
    DTypeEntry{at::kLong, "int64"},    DTypeEntry{at::kInt, "int32"},
    DTypeEntry{at::kShort, "int16"},   DTypeEntry{at::kChar, "int8"},
    DTypeEntry{at::kByte, "uint8"},    DTypeEntry{at::kBool, "bool"},
};

std::string ReadString(napi_env env, napi_value value) {
  size_t length = 0;
  Check(env, napi_get_value_string_utf8(env, value, nullptr, 0, &length), "napi_get_value_string_utf8");
  std::string text(length, '\0');
  Check(env, napi_get_value_string_utf8(env, value, text.data(), length + 1, &length),
        "napi_get_value_string_utf8");
  return text;
}

}  // namespace

std::string Call::Name() const { return PublicName(std::string(signature, std::strchr(signature, '('))); }

std::string Call::ArgumentName(size_t index) const {
  const char* start = std::strchr(signature, '(') + 1;
  for (; index > 0; --index) start = std::strchr(start, ',') + 2;
  return std::string(start, std::strcspn(start, ",)"));
}

napi_valuetype Value::Type() const {
  napi_valuetype type;
  Check(env(), napi_typeof(env(), js, &type), "napi_typeof");
  return type;
}

bool Value::IsNullish() const {
  const napi_valuetype type = Type();
  return type == napi_undefined || type == napi_null;
}

void Value::Reject(const std::string& expected, ErrorKind kind) const {
  throw TypedError(kind, "Expected " + expected + " for " + call.ArgumentName(index) + " of " + call.Name() +
                             " but received " + Describe(*this));
}

bool FromJs<bool>::Get(const Value& value) {
  bool result;
  if (napi_get_value_bool(value.env(), value.js, &result) != napi_ok) value.Reject("a boolean");
  return result;
}

int64_t FromJs<int64_t>::Get(const Value& value) {
  double number;
  if (napi_get_value_double(value.env(), value.js, &number) == napi_ok) {
    if (std::trunc(number) != number || std::abs(number) > kMaxSafeInteger) value.Reject("an integer");
    return static_cast<int64_t>(number);
  }
  int64_t result;
  bool lossless = false;
  if (napi_get_value_bigint_int64(value.env(), value.js, &result, &lossless) != napi_ok)
    value.Reject("an integer");
  if (!lossless) value.Reject("an integer of at most 64 bits");
  return result;
}

double FromJs<double>::Get(const Value& value) {
  double result;
  if (napi_get_value_double(value.env(), value.js, &result) != napi_ok) value.Reject("a number");
  return result;
}

std::string FromJs<std::string>::Get(const Value& value) {
  if (value.Type() != napi_string) value.Reject("a string");
  return ReadString(value.env(), value.js);
}

TensorHandle* FromJs<TensorHandle*>::Get(const Value& value) {
  TensorHandle* handle = FindHandle(value.env(), value.call.data, value.js);
  if (handle == nullptr) value.Reject("a Tensor");
  return handle;
}

namespace {

// The tensor of a handle, unless it is gone.
const at::Tensor& Live(const Value& value, const TensorHandle& handle) {
  const bool detached = handle.pinned && IsDetached(value.env(), *BufferOf(handle.storage));
  if (handle.tensor.defined() && !detached) return handle.tensor;
  throw TypedError(ErrorKind::kDisposed,
                   "Expected a live Tensor for " + value.call.ArgumentName(value.index) + " of " +
                       value.call.Name() + " but received one " +
                       (detached ? "whose ArrayBuffer was detached" : "that was disposed"));
}

}  // namespace

at::Tensor FromJs<at::Tensor>::Get(const Value& value) {
  return Live(value, *FromJs<TensorHandle*>::Get(value));
}

at::Scalar FromJs<at::Scalar>::Get(const Value& value) {
  switch (value.Type()) {
    case napi_number: {
      const double number = FromJs<double>::Get(value);
      // 2 and 2.0 are the same JavaScript value; as an integer it leaves an integer tensor's dtype alone, as
      // in PyTorch.
      const bool integral = std::trunc(number) == number && std::abs(number) <= kMaxSafeInteger;
      return integral && !(number == 0 && std::signbit(number)) ? at::Scalar(static_cast<int64_t>(number))
                                                                : at::Scalar(number);
    }
    case napi_bigint:
      return at::Scalar(FromJs<int64_t>::Get(value));
    case napi_boolean:
      return at::Scalar(FromJs<bool>::Get(value));
    default:
      value.Reject("a number");
  }
}

Operand FromJs<Operand>::Get(const Value& value) {
  // First what it is nearly always: each question to Node-API has its price.
  const TensorHandle* handle = FindHandle(value.env(), value.call.data, value.js);
  if (handle != nullptr) return {Live(value, *handle)};
  switch (value.Type()) {
    case napi_number:
    case napi_bigint:
    case napi_boolean:
      return {at::native::wrapped_scalar_tensor(FromJs<at::Scalar>::Get(value))};
    default:
      value.Reject("a Tensor or a number");
  }
}

at::ScalarType FromJs<at::ScalarType>::Get(const Value& value) {
  if (value.Type() == napi_string) {
    const std::string name = ReadString(value.env(), value.js);
    for (const DTypeEntry& entry : kDTypes) {
      if (name == entry.name) return entry.type;
    }
  }
  std::string names;
  for (const DTypeEntry& entry : kDTypes)
    names += (names.empty() ? "one of " : ", ") + std::string(entry.name);
  value.Reject(names, ErrorKind::kDType);
}

namespace {
std::string (*device_problem)() = nullptr;
}

void SetDeviceProblem(std::string (*problem)()) { device_problem = problem; }

at::Device FromJs<at::Device>::Get(const Value& value) {
  constexpr const char* kExpected = "'cpu', 'cuda' or 'cuda:N'";
  if (value.Type() != napi_string) value.Reject(kExpected, ErrorKind::kDevice);
  const std::string name = ReadString(value.env(), value.js);
  if (name == "cpu") return at::Device(at::kCPU);
  const bool indexed = name.rfind("cuda:", 0) == 0 && name.size() > 5 && name.size() < 9 &&
                       name.find_first_not_of("0123456789", 5) == std::string::npos;
  if (name != "cuda" && !indexed) value.Reject(kExpected, ErrorKind::kDevice);
  const int64_t count = at::detail::getCUDAHooks().deviceCount();
  const int64_t index = indexed ? std::stoll(name.substr(5)) : 0;
  if (index >= count) {
    const std::string problem = count == 0 && device_problem != nullptr ? device_problem() : "";
    throw TypedError(
        ErrorKind::kDevice,
        "Expected an available device for device of " + value.call.Name() + " but received '" + name +
            "': " + (problem.empty() ? std::to_string(count) + " CUDA devices were found" : problem));
  }
  return at::Device(at::kCUDA, static_cast<c10::DeviceIndex>(index));
}

at::indexing::TensorIndex FromJs<at::indexing::TensorIndex>::Get(const Value& value) {
  using at::indexing::TensorIndex;
  constexpr const char* kExpected = "an integer, slice(), null, '...', a boolean or a Tensor";
  switch (value.Type()) {
    case napi_null:
      return TensorIndex(at::indexing::None);
    case napi_number:
    case napi_bigint:
      return TensorIndex(FromJs<int64_t>::Get(value));
    case napi_boolean:
      return TensorIndex(FromJs<bool>::Get(value));
    case napi_string:
      if (ReadString(value.env(), value.js) != "...") value.Reject(kExpected);
      return TensorIndex(at::indexing::Ellipsis);
    case napi_object:
      break;
    default:
      value.Reject(kExpected);
  }
  if (FindHandle(value.env(), value.call.data, value.js) != nullptr)
    return TensorIndex(FromJs<at::Tensor>::Get(value));
  std::optional<c10::SymInt> bounds[3];
  const char* const names[] = {"start", "stop", "step"};
  for (int i = 0; i < 3; ++i) {
    // slice() always has all three: an object that lacks one is something else.
    bool present = false;
    Check(value.env(), napi_has_named_property(value.env(), value.js, names[i], &present),
          "napi_has_named_property");
    if (!present) value.Reject(kExpected);
    napi_value bound;
    Check(value.env(), napi_get_named_property(value.env(), value.js, names[i], &bound),
          "napi_get_named_property");
    const auto number = FromJs<std::optional<int64_t>>::Get({value.call, bound, value.index});
    if (number.has_value()) bounds[i] = *number;
  }
  return TensorIndex(at::indexing::Slice(bounds[0], bounds[1], bounds[2]));
}

TypedArray FromJs<TypedArray>::Get(const Value& value) {
  bool is_typed_array = false;
  napi_is_typedarray(value.env(), value.js, &is_typed_array);
  if (!is_typed_array) value.Reject("a typed array");
  TypedArray result{};
  size_t offset;
  Check(value.env(),
        napi_get_typedarray_info(value.env(), value.js, &result.type, &result.length, &result.bytes,
                                 &result.buffer, &offset),
        "napi_get_typedarray_info");
  return result;
}

Function FromJs<Function>::Get(const Value& value) {
  if (value.Type() != napi_function) value.Reject("a function");
  return {value.js};
}

uint32_t ArrayLength(const Value& value) {
  bool is_array = false;
  napi_is_array(value.env(), value.js, &is_array);
  if (!is_array) value.Reject("an array");
  uint32_t length = 0;
  Check(value.env(), napi_get_array_length(value.env(), value.js, &length), "napi_get_array_length");
  // Longer ones are sparse, or belong into a typed array; each element takes a handle here.
  if (length > kMaxArrayLength)
    value.Reject("an array of at most " + std::to_string(kMaxArrayLength) + " elements");
  return length;
}

Value ArrayElement(const Value& value, uint32_t index) {
  napi_value element;
  Check(value.env(), napi_get_element(value.env(), value.js, index, &element), "napi_get_element");
  return {value.call, element, value.index};
}

const char* DTypeName(at::ScalarType type) {
  for (const DTypeEntry& entry : kDTypes) {
    if (entry.type == type) return entry.name;
  }
  return c10::toString(type);
}

napi_value ToJs(const Call& call, bool value) {
  napi_value result;
  Check(call.env, napi_get_boolean(call.env, value, &result), "napi_get_boolean");
  return result;
}

napi_value ToJs(const Call& call, int64_t value) {
  napi_value result;
  if (std::abs(static_cast<double>(value)) <= kMaxSafeInteger) {
    Check(call.env, napi_create_int64(call.env, value, &result), "napi_create_int64");
  } else {
    Check(call.env, napi_create_bigint_int64(call.env, value, &result), "napi_create_bigint_int64");
  }
  return result;
}

napi_value ToJs(const Call& call, double value) {
  napi_value result;
  Check(call.env, napi_create_double(call.env, value, &result), "napi_create_double");
  return result;
}

napi_value ToJs(const Call& call, const std::string& value) {
  napi_value result;
  Check(call.env, napi_create_string_utf8(call.env, value.data(), value.size(), &result),
        "napi_create_string_utf8");
  return result;
}

napi_value ToJs(const Call& call, const char* value) { return ToJs(call, std::string(value)); }

napi_value ToJs(const Call& call, const at::Tensor& value) {
  // Some gradients that are 0 throughout come without memory, which nothing but libtorch's dispatcher knows.
  if (value.defined() && value._is_zerotensor())
    return WrapTensor(call.env, call.data, at::zeros(value.sizes(), value.options()));
  return WrapTensor(call.env, call.data, value);
}

napi_value ToJs(const Call& call, at::ScalarType value) { return ToJs(call, DTypeName(value)); }

napi_value ToJs(const Call& call, at::Device value) { return ToJs(call, value.str()); }

napi_value ToJs(const Call& call, const at::Scalar& value) {
  if (value.isBoolean()) return ToJs(call, value.to<bool>());
  if (value.isIntegral(false)) return ToJs(call, value.to<int64_t>());
  return ToJs(call, value.to<double>());
}

napi_value NewArray(const Call& call, size_t length) {
  napi_value array;
  Check(call.env, napi_create_array_with_length(call.env, length, &array), "napi_create_array_with_length");
  return array;
}

void SetElement(const Call& call, napi_value array, uint32_t index, napi_value value) {
  Check(call.env, napi_set_element(call.env, array, index, value), "napi_set_element");
}

}  // namespace dyconv
