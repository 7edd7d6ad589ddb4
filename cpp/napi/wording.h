// Messages of libtorch in the terms of this package: names in camelCase, dtypes and options as in JavaScript.
#pragma once

#include <string>

#include "typed_error.h"

namespace dyconv {

// The class for a message of libtorch, which has many sentences for a wrong shape and few classes. A
// NativeError if the text does not determine another.
ErrorKind ClassOf(const std::string& message);

// A message of libtorch in the terms of this package, without parts that only apply to Python. The final
// message begins with `operation`, so the name is removed where libtorch's message also begins with it.
std::string InOurWords(std::string message, const std::string& operation);

// The public name of an operation: "addInPlace" is add_().
std::string PublicName(const std::string& operation);

}  // namespace dyconv
