// Messages of libtorch in the words of this package: names in camelCase, dtypes and options as JavaScript
// writes them.
#pragma once

#include <string>

#include "typed_error.h"

namespace dyconv {

// The class that a message of libtorch belongs to, which says "wrong shape" in many sentences and with few
// classes of its own. A NativeError where no words give it away.
ErrorKind ClassOf(const std::string& message);

// A message of libtorch as this package says it, without what is of use to Python alone. `operation` is what
// the message will begin with: libtorch often begins with the same.
std::string InOurWords(std::string message, const std::string& operation);

// The name that users know an operation by: "addInPlace" is add_().
std::string PublicName(const std::string& operation);

}  // namespace dyconv
