// Arguments of operations as values of a program and back, chosen by the C++ type alone, as napi/convert.h
// does for JavaScript. A type without an AsValue cannot be recorded: a typed array, a function, the call
// itself.
#pragma once

#include <array>
#include <concepts>
#include <optional>
#include <string>
#include <tuple>
#include <vector>

#include <ATen/core/Tensor.h>
#include <ATen/TensorIndexing.h>
#include <c10/core/Device.h>
#include <c10/core/Scalar.h>
#include <c10/core/ScalarType.h>

#include "program/value.h"

namespace dyconv {

// What the arguments of a step read while a program runs.
struct Frame {
  // A slot of at least 0 is a tensor of this run; slot -1 - i is constant i of the program.
  at::Tensor* values = nullptr;
  const at::Tensor* constants = nullptr;
  int64_t batch = 0;

  const at::Tensor& At(Slot slot) const {
    return slot.index >= 0 ? values[slot.index] : constants[-1 - slot.index];
  }
};

template <class T>
struct AsValue;

template <class T>
concept Recordable = requires(const Value& value, const Frame& frame) {
                       { AsValue<T>::Read(value, frame) } -> std::convertible_to<T>;
                     };

template <>
struct AsValue<at::Tensor> {
  static const at::Tensor& Read(const Value& value, const Frame& frame) {
    if (const Slot* slot = value.As<Slot>()) return frame.At(*slot);
    return value.Get<at::Tensor>();
  }
  static Value Make(const at::Tensor& value) { return value; }
};
template <>
struct AsValue<bool> {
  static bool Read(const Value& value, const Frame&) { return value.Get<bool>(); }
  static Value Make(const bool& value) { return value; }
};
template <>
struct AsValue<int64_t> {
  static int64_t Read(const Value& value, const Frame& frame) {
    if (const Affine* affine = value.As<Affine>()) return affine->At(frame.batch);
    return value.Get<int64_t>();
  }
  static Value Make(const int64_t& value) { return value; }
};
template <>
struct AsValue<double> {
  static double Read(const Value& value, const Frame& frame) {
    if (const double* number = value.As<double>()) return *number;
    return static_cast<double>(AsValue<int64_t>::Read(value, frame));
  }
  static Value Make(const double& value) { return value; }
};
template <>
struct AsValue<std::string> {
  static const std::string& Read(const Value& value, const Frame&) { return value.Get<std::string>(); }
  static Value Make(const std::string& value) { return value; }
};
template <>
struct AsValue<at::Scalar> {
  static at::Scalar Read(const Value& value, const Frame& frame);
  static Value Make(const at::Scalar& value);
};
template <>
struct AsValue<at::ScalarType> {
  static at::ScalarType Read(const Value& value, const Frame& frame);
  static Value Make(const at::ScalarType& value);
};
template <>
struct AsValue<at::Device> {
  static at::Device Read(const Value& value, const Frame& frame);
  static Value Make(const at::Device& value);
};
template <>
struct AsValue<at::indexing::TensorIndex> {
  static at::indexing::TensorIndex Read(const Value& value, const Frame& frame);
  static Value Make(const at::indexing::TensorIndex& value);
};

template <Recordable T>
struct AsValue<std::optional<T>> {
  static std::optional<T> Read(const Value& value, const Frame& frame) {
    if (value.IsNull()) return std::nullopt;
    return AsValue<T>::Read(value, frame);
  }
  static Value Make(const std::optional<T>& value) { return value ? AsValue<T>::Make(*value) : Value(); }
};

template <Recordable T>
struct AsValue<std::vector<T>> {
  static std::vector<T> Read(const Value& value, const Frame& frame) {
    std::vector<T> result;
    const List& list = value.Get<List>();
    result.reserve(list.size());
    for (const Value& element : list) result.push_back(AsValue<T>::Read(element, frame));
    return result;
  }
  static Value Make(const std::vector<T>& value) {
    List list;
    // `const T&` of an element alone would be a proxy for std::vector<bool>.
    for (auto&& element : value) list.push_back(AsValue<T>::Make(static_cast<const T&>(element)));
    return list;
  }
};

// Throws a TypedError for a list of another length.
const List& ListOf(const Value& value, size_t length);

template <Recordable T, size_t N>
struct AsValue<std::array<T, N>> {
  static std::array<T, N> Read(const Value& value, const Frame& frame) {
    const List& list = ListOf(value, N);
    std::array<T, N> result{};
    for (size_t i = 0; i < N; ++i) result[i] = AsValue<T>::Read(list[i], frame);
    return result;
  }
  static Value Make(const std::array<T, N>& value) {
    return AsValue<std::vector<T>>::Make({value.begin(), value.end()});
  }
};

// The tensors of a result, in order; what else it holds is left out.
using Tensors = std::vector<at::Tensor>;

template <class T>
inline constexpr bool kHoldsTensors = false;
template <>
inline constexpr bool kHoldsTensors<at::Tensor> = true;
template <class T>
inline constexpr bool kHoldsTensors<std::vector<T>> = kHoldsTensors<T>;
template <class... T>
inline constexpr bool kHoldsTensors<std::tuple<T...>> = (kHoldsTensors<T> || ...);

inline void AppendTensors(const at::Tensor& tensor, Tensors& into) { into.push_back(tensor); }
inline void AppendTensors(const Tensors& tensors, Tensors& into) {
  into.insert(into.end(), tensors.begin(), tensors.end());
}
template <class... T>
void AppendTensors(const std::tuple<T...>& values, Tensors& into) {
  const auto append = [&into](const auto& value) {
    if constexpr (kHoldsTensors<std::decay_t<decltype(value)>>) AppendTensors(value, into);
  };
  std::apply([&](const T&... value) { (append(value), ...); }, values);
}

}  // namespace dyconv
