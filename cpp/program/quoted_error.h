// Errors of code that this package runs and did not write, such as a TorchScript module.
#pragma once

#include <stdexcept>

namespace dyconv {

// The message is shown unchanged, and decides the class of the JavaScript error.
class QuotedError : public std::runtime_error {
 public:
  using std::runtime_error::runtime_error;
};

}  // namespace dyconv
