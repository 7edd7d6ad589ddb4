// How bind.h defers an operation to a native thread, by the operation's types. background.h has the rest.
#pragma once

#include <array>
#include <memory>
#include <optional>
#include <tuple>
#include <type_traits>
#include <utility>
#include <vector>

#include "napi/background.h"
#include "napi/convert.h"
#include "program/value.h"

namespace dyconv::internal {

// Arguments that are valid during the call alone, or on its thread.
template <class T>
inline constexpr bool kForCallOnly = std::is_same_v<T, TypedArray> || std::is_same_v<T, Napi::Function> ||
                                     std::is_same_v<T, Napi::Value> || std::is_same_v<T, TensorHandle*>;
template <class T>
inline constexpr bool kForCallOnly<std::optional<T>> = kForCallOnly<T>;
template <class T>
inline constexpr bool kForCallOnly<std::vector<T>> = kForCallOnly<T>;

// Results whose number is known before the operation has run.
template <class T>
inline constexpr bool kTensors = std::is_void_v<T> || std::is_same_v<T, at::Tensor>;
template <class... T>
inline constexpr bool kTensors<std::tuple<T...>> = (std::is_same_v<T, at::Tensor> && ...);

template <class T>
inline constexpr bool kMayHoldTensors =
    std::is_same_v<T, at::Tensor> || std::is_same_v<T, Operand> ||
    std::is_same_v<T, at::indexing::TensorIndex> || std::is_same_v<T, Value>;
template <class T>
inline constexpr bool kMayHoldTensors<std::optional<T>> = kMayHoldTensors<T>;
template <class T>
inline constexpr bool kMayHoldTensors<std::vector<T>> = kMayHoldTensors<T>;

// Calls `visit` with a reference to each tensor in an argument, in order.
template <class T, class F>
void EachTensor(T& argument, const F& visit) {
  if constexpr (std::is_same_v<T, at::Tensor>) {
    visit(argument);
  } else if constexpr (std::is_same_v<T, Operand>) {
    visit(argument.tensor);
  } else if constexpr (std::is_same_v<T, at::indexing::TensorIndex>) {
    if (!argument.is_tensor()) return;
    at::Tensor tensor = argument.tensor();
    visit(tensor);
    argument = at::indexing::TensorIndex(std::move(tensor));
  } else if constexpr (std::is_same_v<T, Value>) {
    ForEachValue(argument, [&](Value& part) {
      if (at::Tensor* tensor = part.As<at::Tensor>()) visit(*tensor);
    });
  } else if constexpr (kMayHoldTensors<T>) {
    if constexpr (requires { argument.has_value(); }) {
      if (argument.has_value()) EachTensor(*argument, visit);
    } else {
      for (auto& element : argument) EachTensor(element, visit);
    }
  }
}

template <class... T, class F>
void EachTensor(std::tuple<T...>& arguments, const F& visit) {
  std::apply([&](auto&... argument) { (EachTensor(argument, visit), ...); }, arguments);
}

template <class... T>
void CheckAvailableArguments(const Call& call, std::tuple<T...>& arguments) {
  size_t index = 0;
  const auto check = [&](auto& argument) {
    const std::string name = call.ArgumentName(index++);
    EachTensor(argument,
               [&](at::Tensor& tensor) { call.data.background.CheckAvailable(call, name, tensor); });
  };
  std::apply([&](auto&... argument) { (check(argument), ...); }, arguments);
}

// Notes the call in the open block. Returns the objects of its results.
template <class Result, class F, class... Args>
napi_value Defer(Call& call, const F& function, std::tuple<Args...>&& given) {
  Background& background = call.data.background;
  auto arguments = std::make_shared<std::tuple<Args...>>(std::move(given));
  std::vector<at::Tensor> tensors;
  std::vector<std::shared_ptr<PendingTensor>> pending;
  EachTensor(*arguments, [&](at::Tensor& tensor) {
    tensors.push_back(tensor);
    pending.push_back(background.FindPending(tensor));
  });
  const auto compute = [function, arguments, pending]() -> Result {
    size_t index = 0;
    EachTensor(*arguments, [&](at::Tensor& tensor) {
      const std::shared_ptr<PendingTensor>& source = pending[index++];
      if (source == nullptr) return;
      Require(source->result.defined(), ErrorKind::kNative,
              "Expected the result of an earlier background(), which failed");
      tensor = source->result;
    });
    return std::apply(function, *arguments);
  };
  if constexpr (std::is_void_v<Result>) {
    background.Note(call, tensors, compute);
    return nullptr;
  } else if constexpr (std::is_same_v<Result, at::Tensor>) {
    auto result = std::make_shared<PendingTensor>();
    background.Note(call, tensors, [compute, result] { result->result = compute(); });
    return background.AddResult(call, result);
  } else {
    constexpr size_t kCount = std::tuple_size_v<Result>;
    std::vector<std::shared_ptr<PendingTensor>> results;
    for (size_t i = 0; i < kCount; ++i) results.push_back(std::make_shared<PendingTensor>());
    background.Note(call, tensors, [compute, results] {
      size_t i = 0;
      std::apply([&](auto&&... tensor) { ((results[i++]->result = std::move(tensor)), ...); }, compute());
    });
    Napi::Array array = Napi::Array::New(call.env, kCount);
    for (uint32_t i = 0; i < kCount; ++i) array.Set(i, background.AddResult(call, results[i]));
    return array;
  }
}

// A call inside of background(): noted, or, where JavaScript needs its result at once, refused if it depends
// on something noted; false then.
template <bool takes_call, class Result, class F, class... Args>
bool CallInBackground(Call& call, const F& function, std::tuple<Args...>& arguments, napi_value& result) {
  // Without a tensor on either side it is a setting.
  constexpr bool kComputes = !std::is_void_v<Result> || (kMayHoldTensors<Args> || ...);
  if constexpr (!takes_call && kComputes && kTensors<Result> && !(kForCallOnly<Args> || ...)) {
    result = Defer<Result>(call, function, std::move(arguments));
    return true;
  } else {
    CheckAvailableArguments(call, arguments);
    if constexpr (std::is_same_v<Result, std::vector<at::Tensor>>) {
      Fail(ErrorKind::kArgument,
           "Expected operations with a fixed number of results in fn of background() but received ",
           call.Name());
    }
    return false;
  }
}

}  // namespace dyconv::internal
