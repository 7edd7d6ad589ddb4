// Values as TorchScript's interpreter takes and gives them.
#pragma once

#include <string>

#include <ATen/core/ivalue.h>

#include "program/value.h"

namespace dyconv {

// `value` as `type` says; `name` is the argument's, for the TypedError where it does not fit.
c10::IValue ToIValue(const Value& value, const c10::Type& type, const std::string& name);

// Tuples become lists, named tuples and dictionaries become records. Throws a TypedError for what no value
// represents, such as an object.
Value FromIValue(const c10::IValue& value);

}  // namespace dyconv
