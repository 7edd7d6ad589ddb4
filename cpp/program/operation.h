// Operations by name, for programs: the same functions that JavaScript calls (napi/bind.h), with arguments
// from values. Programs may use further ones that JavaScript cannot call (the fused ones of their passes).
#pragma once

#include <functional>
#include <string>
#include <string_view>
#include <type_traits>
#include <utility>
#include <vector>

#include "program/bind_values.h"

namespace dyconv {

// A call whose arguments are fixed except for tensors and batch size, which come from the frame of a run.
// Appends the tensors of its result. Any thread, several at once.
using StepCall = std::function<void(const Frame&, Tensors& results)>;

struct Operation {
  const char* signature;  // "name(argument, argument, ...)"
  // Converts what is constant once. Throws a TypedError for values that do not fit.
  std::function<StepCall(const List& arguments)> prepare;

  std::string Name() const;
  std::string ArgumentName(size_t index) const;
};

// Every operation once, before the first program is made. Operations live as long as the process.
void RegisterOperation(Operation operation);

// The operation of a name; null where there is none.
const Operation* FindOperation(std::string_view name);

// Whether a value is the same in every run.
bool IsConstant(const Value& value);

namespace internal {

// Throws a TypedError for another number of arguments.
void CheckArity(const char* signature, size_t expected, size_t received);

// One argument of a step: converted once where it is the same in every run.
template <class T>
class BoundArgument {
 public:
  explicit BoundArgument(const Value& value) : value_(value) {
    if (IsConstant(value)) constant_.emplace(AsValue<T>::Read(value, {}));
  }
  // By reference where there is something to refer to.
  decltype(auto) Get(const Frame& frame, std::optional<T>& made) const {
    if constexpr (std::is_same_v<T, at::Tensor>) {
      return constant_ ? *constant_ : AsValue<T>::Read(value_, frame);
    } else {
      return constant_ ? *constant_ : std::as_const(made.emplace(AsValue<T>::Read(value_, frame)));
    }
  }

 private:
  Value value_;
  std::optional<T> constant_;
};

template <class Result, class... Args, class F, size_t... I>
StepCall PrepareCall(const F& function, const List& arguments, std::index_sequence<I...>) {
  return [function, bound = std::make_tuple(BoundArgument<Args>(arguments[I])...)](const Frame& frame,
                                                                                   Tensors& results) {
    std::tuple<std::optional<Args>...> made;
    if constexpr (kHoldsTensors<Result>) {
      AppendTensors(function(std::get<I>(bound).Get(frame, std::get<I>(made))...), results);
    } else {
      function(std::get<I>(bound).Get(frame, std::get<I>(made))...);
    }
  };
}

template <class Result, class... Args, class F>
std::function<StepCall(const List&)> PrepareWith(const char* signature, F function) {
  return [signature, function](const List& arguments) {
    CheckArity(signature, sizeof...(Args), arguments.size());
    return PrepareCall<Result, Args...>(function, arguments, std::index_sequence_for<Args...>{});
  };
}

template <class F, class Result, class... Args>
Operation Operate(const char* signature, F function, Result (*)(Args...)) {
  return {signature, PrepareWith<std::decay_t<Result>, std::decay_t<Args>...>(signature, function)};
}

template <class F, class Result, class... Args>
auto FunctionPointer(Result (F::*)(Args...) const) -> Result (*)(Args...);

}  // namespace internal

// An operation of programs only, from a function or lambda of recordable types.
template <class F>
Operation MakeOperation(const char* signature, F function) {
  if constexpr (std::is_pointer_v<F>) {
    return internal::Operate(signature, function, function);
  } else {
    return internal::Operate(signature, function, decltype(internal::FunctionPointer(&F::operator())){});
  }
}

}  // namespace dyconv
