// What bind.h needs of a recorder: whether a call can be a step of a program, and its values.
#pragma once

#include <type_traits>

#include "napi/convert.h"
#include "program/operation.h"
#include "program/recorder.h"

namespace dyconv::internal {

// An operation of a program gives tensors, from values alone.
template <class F, class Result, class... Args>
constexpr RecordedCall::Kind RecordedKind() {
  if constexpr (std::is_invocable_v<const F&, Call&, std::decay_t<Args>&...> ||
                !(Recordable<std::decay_t<Args>> && ...)) {
    return RecordedCall::Kind::kOpaque;
  } else {
    return kHoldsTensors<std::decay_t<Result>> ? RecordedCall::Kind::kOperation : RecordedCall::Kind::kQuery;
  }
}

// Null for what is no value, such as a function.
template <class T>
Value ArgumentValue(const T& argument) {
  if constexpr (Recordable<T>) {
    return AsValue<T>::Make(argument);
  } else if constexpr (std::is_same_v<T, Value> || std::is_same_v<T, List>) {
    return argument;  // the inputs of another program
  } else {
    return {};
  }
}

template <class T>
Tensors TensorsOf(const T& result) {
  Tensors tensors;
  if constexpr (kHoldsTensors<T>) AppendTensors(result, tensors);
  return tensors;
}

}  // namespace dyconv::internal
