// Conversion between JavaScript values and C++ types, chosen by the C++ type alone: an operation's signature
// says all.
#pragma once

#include <node_api.h>

#include <array>
#include <cstdint>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/TensorIndexing.h>
#include <c10/core/Device.h>
#include <c10/core/Scalar.h>
#include <c10/core/ScalarType.h>

#include "napi/addon_data.h"

namespace dyconv {

// One call from JavaScript: what the converters and the operations that build JavaScript values work with.
struct Call {
  napi_env env;
  AddonData& data;
  const char* signature;  // "name(argument, argument, ...)"
  napi_value* arguments;

  std::string Name() const;
  std::string ArgumentName(size_t index) const;
};

// A value of the call being converted; `index` is the argument's position, for the error message.
struct Value {
  const Call& call;
  napi_value js;
  size_t index;

  napi_env env() const { return call.env; }
  napi_valuetype Type() const;
  bool IsNullish() const;
  // "Expected <what> for <argument> of <operation> but received <value>", as the class `kind`.
  [[noreturn]] void Reject(const std::string& expected, ErrorKind kind = ErrorKind::kArgument) const;
};

// A value as an error message shows it; never runs JavaScript.
std::string Describe(const Value& value);

// A tensor, or a number that takes part in an operation as libtorch's "wrapped number" (it does not widen the
// dtype).
struct Operand {
  at::Tensor tensor;

  bool IsNumber() const { return tensor.unsafeGetTensorImpl()->is_wrapped_number(); }
};

// The bytes of a typed array, valid during the call.
struct TypedArray {
  napi_typedarray_type type;
  void* bytes;
  size_t length;      // elements
  napi_value buffer;  // the ArrayBuffer or SharedArrayBuffer below
};

// A function to be called back.
struct Function {
  napi_value js;
};

template <class T>
struct FromJs;

template <>
struct FromJs<bool> {
  static bool Get(const Value& value);
};
template <>
struct FromJs<int64_t> {
  static int64_t Get(const Value& value);
};
template <>
struct FromJs<double> {
  static double Get(const Value& value);
};
template <>
struct FromJs<std::string> {
  static std::string Get(const Value& value);
};
template <>
struct FromJs<at::Tensor> {
  static at::Tensor Get(const Value& value);
};
template <>
struct FromJs<TensorHandle*> {
  static TensorHandle* Get(const Value& value);
};
template <>
struct FromJs<Operand> {
  static Operand Get(const Value& value);
};
template <>
struct FromJs<at::Scalar> {
  static at::Scalar Get(const Value& value);
};
template <>
struct FromJs<at::ScalarType> {
  static at::ScalarType Get(const Value& value);
};
// Who tells why there is no CUDA device, as a sentence.
void SetDeviceProblem(std::string (*problem)());

template <>
struct FromJs<at::Device> {
  static at::Device Get(const Value& value);
};
template <>
struct FromJs<at::indexing::TensorIndex> {
  static at::indexing::TensorIndex Get(const Value& value);
};
template <>
struct FromJs<TypedArray> {
  static TypedArray Get(const Value& value);
};
template <>
struct FromJs<Function> {
  static Function Get(const Value& value);
};
template <>
struct FromJs<napi_value> {
  static napi_value Get(const Value& value) { return value.js; }
};

template <class T>
struct FromJs<std::optional<T>> {
  static std::optional<T> Get(const Value& value) {
    if (value.IsNullish()) return std::nullopt;
    return FromJs<T>::Get(value);
  }
};

// The length of an array and its elements, one after the other: a bad one is reported before the rest is
// read.
uint32_t ArrayLength(const Value& value);
Value ArrayElement(const Value& value, uint32_t index);

template <class T>
struct FromJs<std::vector<T>> {
  static std::vector<T> Get(const Value& value) {
    std::vector<T> result;
    const uint32_t length = ArrayLength(value);
    for (uint32_t i = 0; i < length; ++i) result.push_back(FromJs<T>::Get(ArrayElement(value, i)));
    return result;
  }
};

template <class T, size_t N>
struct FromJs<std::array<T, N>> {
  static std::array<T, N> Get(const Value& value) {
    const std::vector<T> elements = FromJs<std::vector<T>>::Get(value);
    if (elements.size() != N) value.Reject("an array of length " + std::to_string(N));
    std::array<T, N> result{};
    std::copy(elements.begin(), elements.end(), result.begin());
    return result;
  }
};

const char* DTypeName(at::ScalarType type);

// "; received input float32 [2, 3], dim 5", for an error message; nothing where the arguments cannot be read.
std::string DescribeArguments(const Call& call);

napi_value ToJs(const Call& call, bool value);
napi_value ToJs(const Call& call, int64_t value);  // a number, or a bigint beyond 2^53
napi_value ToJs(const Call& call, double value);
napi_value ToJs(const Call& call, const std::string& value);
napi_value ToJs(const Call& call, const char* value);
napi_value ToJs(const Call& call, const at::Tensor& value);  // null when undefined
napi_value ToJs(const Call& call, at::ScalarType value);
napi_value ToJs(const Call& call, at::Device value);
napi_value ToJs(const Call& call, const at::Scalar& value);
inline napi_value ToJs(const Call&, napi_value value) { return value; }

void SetElement(const Call& call, napi_value array, uint32_t index, napi_value value);
napi_value NewArray(const Call& call, size_t length);

template <class T>
napi_value ToJs(const Call& call, c10::ArrayRef<T> values) {
  napi_value array = NewArray(call, values.size());
  for (uint32_t i = 0; i < values.size(); ++i) SetElement(call, array, i, ToJs(call, values[i]));
  return array;
}

template <class T>
napi_value ToJs(const Call& call, const std::vector<T>& values) {
  return ToJs(call, c10::ArrayRef<T>(values));
}

template <class... T>
napi_value ToJs(const Call& call, const std::tuple<T...>& values) {
  napi_value array = NewArray(call, sizeof...(T));
  uint32_t i = 0;
  std::apply([&](const T&... value) { (SetElement(call, array, i++, ToJs(call, value)), ...); }, values);
  return array;
}

}  // namespace dyconv
