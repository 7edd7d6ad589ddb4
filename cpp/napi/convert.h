// Conversion between JavaScript values and C++ types, chosen by the C++ type alone.
#pragma once

#include <napi.h>

#include <array>
#include <cmath>
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

#include "dtype_name.h"
#include "napi/addon_data.h"
#include "program/bind_values.h"

namespace dyconv {

// One call from JavaScript, for converters and for operations that create JavaScript values.
struct Call {
  Napi::Env env;
  AddonData& data;
  const char* signature;  // "name(argument, argument, ...)"
  const napi_value* values;

  Napi::Value ValueAt(size_t index) const { return {env, values[index]}; }

  std::string Name() const;
  std::string ArgumentName(size_t index) const;
};

// A value being converted; `index` is the position of the argument, for the error message.
struct Argument {
  const Call& call;
  Napi::Value js;
  size_t index;

  Napi::Env env() const { return call.env; }
  bool IsNullish() const;
  // "Expected <what> for <argument> of <operation> but received <value>", as the class `kind`.
  [[noreturn]] void Reject(const std::string& expected, ErrorKind kind = ErrorKind::kArgument) const;
};

// A value as error messages show it; never runs JavaScript.
std::string Describe(const Argument& argument);

// A tensor, or a number that takes part in an operation as libtorch's "wrapped number" (it does not widen the
// dtype).
struct Operand {
  at::Tensor tensor;

  bool IsNumber() const { return tensor.unsafeGetTensorImpl()->is_wrapped_number(); }
};

template <>
struct AsValue<Operand> {
  static Operand Read(const Value& value, const Frame& frame);
  static Value Make(const Operand& operand);
};

// The bytes of a typed array, valid during the call.
struct TypedArray {
  napi_typedarray_type type;
  void* bytes;
  size_t length;       // elements
  Napi::Value buffer;  // its ArrayBuffer or SharedArrayBuffer
};

inline constexpr double kMaxSafeInteger = 9007199254740991.0;

// Whether a JavaScript number is an integer without rounding.
inline bool IsSafeInteger(double number) {
  return std::trunc(number) == number && std::abs(number) <= kMaxSafeInteger;
}

template <class T>
struct FromJs;

template <>
struct FromJs<bool> {
  static bool Get(const Argument& argument);
};
template <>
struct FromJs<int64_t> {
  static int64_t Get(const Argument& argument);
};
template <>
struct FromJs<double> {
  static double Get(const Argument& argument);
};
template <>
struct FromJs<std::string> {
  static std::string Get(const Argument& argument);
};
template <>
struct FromJs<at::Tensor> {
  static at::Tensor Get(const Argument& argument);
};
template <>
struct FromJs<TensorHandle*> {
  static TensorHandle* Get(const Argument& argument);
};
template <>
struct FromJs<Operand> {
  static Operand Get(const Argument& argument);
};
template <>
struct FromJs<at::Scalar> {
  static at::Scalar Get(const Argument& argument);
};
template <>
struct FromJs<at::ScalarType> {
  static at::ScalarType Get(const Argument& argument);
};
// Sets the function that returns, as a sentence, why there is no CUDA device.
void SetDeviceProblem(std::string (*problem)());

template <>
struct FromJs<at::Device> {
  static at::Device Get(const Argument& argument);
};
template <>
struct FromJs<at::indexing::TensorIndex> {
  static at::indexing::TensorIndex Get(const Argument& argument);
};
template <>
struct FromJs<TypedArray> {
  static TypedArray Get(const Argument& argument);
};
template <>
struct FromJs<Napi::Function> {
  static Napi::Function Get(const Argument& argument);
};
template <>
struct FromJs<Napi::Value> {
  static Napi::Value Get(const Argument& argument) { return argument.js; }
};

template <class T>
struct FromJs<std::optional<T>> {
  static std::optional<T> Get(const Argument& argument) {
    if (argument.IsNullish()) return std::nullopt;
    return FromJs<T>::Get(argument);
  }
};

// The length of an array and its elements, read one after the other: an error is reported before the rest is
// read.
uint32_t ArrayLength(const Argument& argument);
Argument ArrayElement(const Argument& argument, uint32_t index);

template <class T>
struct FromJs<std::vector<T>> {
  static std::vector<T> Get(const Argument& argument) {
    std::vector<T> result;
    const uint32_t length = ArrayLength(argument);
    for (uint32_t i = 0; i < length; ++i) result.push_back(FromJs<T>::Get(ArrayElement(argument, i)));
    return result;
  }
};

template <class T, size_t N>
struct FromJs<std::array<T, N>> {
  static std::array<T, N> Get(const Argument& argument) {
    const std::vector<T> elements = FromJs<std::vector<T>>::Get(argument);
    if (elements.size() != N) argument.Reject("an array of length " + std::to_string(N));
    std::array<T, N> result{};
    std::copy(elements.begin(), elements.end(), result.begin());
    return result;
  }
};

// "; received input float32 [2, 3], dim 5", for an error message; empty if the arguments cannot be read.
std::string DescribeArguments(const Call& call);

Napi::Value ToJs(const Call& call, bool value);
Napi::Value ToJs(const Call& call, int64_t value);  // a number, or a bigint beyond 2^53
Napi::Value ToJs(const Call& call, double value);
Napi::Value ToJs(const Call& call, const std::string& value);
Napi::Value ToJs(const Call& call, const char* value);
Napi::Value ToJs(const Call& call, const at::Tensor& value);  // null when undefined
Napi::Value ToJs(const Call& call, at::ScalarType value);
Napi::Value ToJs(const Call& call, at::Device value);
Napi::Value ToJs(const Call& call, const at::Scalar& value);
inline Napi::Value ToJs(const Call&, Napi::Value value) { return value; }

template <class T>
Napi::Value ToJs(const Call& call, c10::ArrayRef<T> values) {
  Napi::Array array = Napi::Array::New(call.env, values.size());
  for (uint32_t i = 0; i < values.size(); ++i) array.Set(i, ToJs(call, values[i]));
  return array;
}

template <class T>
Napi::Value ToJs(const Call& call, const std::vector<T>& values) {
  return ToJs(call, c10::ArrayRef<T>(values));
}

template <class... T>
Napi::Value ToJs(const Call& call, const std::tuple<T...>& values) {
  Napi::Array array = Napi::Array::New(call.env, sizeof...(T));
  uint32_t i = 0;
  std::apply([&](const T&... value) { (array.Set(i++, ToJs(call, value)), ...); }, values);
  return array;
}

}  // namespace dyconv
