// Binding a C++ function to JavaScript: one line of a table per operation.
//
//   const OpTable kTable = {
//       Bind("matmul(input, other)", [](const Tensor& a, const Tensor& b) { return at::matmul(a, b); }),
//   };
//
// Arguments are converted by their C++ types (convert.h), so are results; a first parameter of type `Call&`
// is the call itself, for the few operations that create JavaScript values themselves. The names in the
// signature are those of error messages. Everything thrown below passes through the one catch block in
// hot_path.cc.
#pragma once

#include <functional>
#include <type_traits>
#include <utility>
#include <vector>

#include "napi/convert.h"
#include "napi/deferral.h"
#include "napi/recording.h"

namespace dyconv {

struct Op {
  const char* signature;
  std::function<napi_value(Call&)> invoke;
  // The same function for programs; null where it gives no tensor, or needs values of JavaScript.
  std::function<StepCall(const List&)> prepare;
};

using OpTable = std::vector<Op>;

// Adds every operation of the table to `exports` under its name. The table must outlive the process.
void Register(Napi::Object exports, const OpTable& table);

// Makes the operations of the table that give tensors known to programs. Once in a process.
void RegisterOperations(const OpTable& table);

inline constexpr size_t kMaxArity = 16;

namespace internal {

// Args are the parameters that JavaScript gives: without the call.
template <class Result, class... Args, class F, size_t... I>
napi_value Apply(Call& call, const F& function, std::index_sequence<I...>) {
  // Braces fix the order of conversion: the first bad argument is the one reported.
  std::tuple<std::decay_t<Args>...> arguments{
      FromJs<std::decay_t<Args>>::Get(Argument{call, call.ValueAt(I), I})...};
  const auto run = [&]() -> Result {
    if constexpr (std::is_invocable_v<const F&, Call&, std::decay_t<Args>&...>) {
      return function(call, std::get<I>(arguments)...);
    } else {
      return function(std::get<I>(arguments)...);
    }
  };
  if (call.data.background.open()) [[unlikely]] {
    constexpr bool kTakesCall = std::is_invocable_v<const F&, Call&, std::decay_t<Args>&...>;
    napi_value noted = nullptr;
    if (CallInBackground<kTakesCall, std::decay_t<Result>>(call, function, arguments, noted)) return noted;
  }
  // A network is being compiled: rare, and one comparison where it is not.
  if (call.data.recorder != nullptr) [[unlikely]] {
    RecordedCall recorded(*call.data.recorder, call.signature, RecordedKind<F, Result, Args...>(),
                          {ArgumentValue(std::get<I>(arguments))...});
    if constexpr (std::is_void_v<Result>) {
      run();
      return nullptr;
    } else {
      Result result = run();
      recorded.Finish(TensorsOf(result));
      return ToJs(call, result);
    }
  }
  if constexpr (std::is_void_v<Result>) {
    run();
    return nullptr;
  } else {
    return ToJs(call, run());
  }
}

template <class Result, class... Args, class F>
Op MakeOp(const char* signature, F function) {
  static_assert(sizeof...(Args) <= kMaxArity);
  Op op{signature,
        [function](Call& call) {
          return Apply<Result, Args...>(call, function, std::index_sequence_for<Args...>{});
        },
        nullptr};
  if constexpr (RecordedKind<F, Result, Args...>() == RecordedCall::Kind::kOperation)
    op.prepare = PrepareWith<std::decay_t<Result>, std::decay_t<Args>...>(signature, function);
  return op;
}

// The pointer names the parameter types; F itself may be a lambda or a plain function.
template <class F, class Result, class... Args>
Op Make(const char* signature, F function, Result (*)(Args...)) {
  return MakeOp<Result, Args...>(signature, function);
}

template <class F, class Result, class... Args>
Op Make(const char* signature, F function, Result (*)(Call&, Args...)) {
  return MakeOp<Result, Args...>(signature, function);
}

template <class F, class Result, class... Args>
auto CallPointer(Result (F::*)(Args...) const) -> Result (*)(Args...);

}  // namespace internal

// A lambda without captures is bound as a pointer: what is compiled for an operation, which is much, is then
// compiled once for all operations with the same types, and not for each.
template <class F>
Op Bind(const char* signature, F function) {
  if constexpr (std::is_pointer_v<F>) {
    return internal::Make(signature, function, function);
  } else {
    using Pointer = decltype(internal::CallPointer(&F::operator()));
    if constexpr (std::is_convertible_v<F, Pointer>) {
      return Bind(signature, static_cast<Pointer>(function));
    } else {
      return internal::Make(signature, function, Pointer{});
    }
  }
}

}  // namespace dyconv
