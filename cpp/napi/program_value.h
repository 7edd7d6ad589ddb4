// Inputs and outputs of programs as JavaScript values: tensors, numbers, booleans, strings, null, and arrays
// and plain objects of these.
#pragma once

#include "napi/convert.h"
#include "program/value.h"

namespace dyconv {

template <>
struct FromJs<Value> {
  static Value Get(const Argument& argument);
};

Napi::Value ToJs(const Call& call, const Value& value);

}  // namespace dyconv
