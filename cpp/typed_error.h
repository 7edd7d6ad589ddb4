// The error classes of lib/errors.ts as C++ exceptions. dyconv's own errors are thrown with their class;
// libtorch's are classified by their text (napi/errors.cc). Plain C++.
#pragma once

#include <cstddef>
#include <sstream>
#include <stdexcept>
#include <string>

namespace dyconv {

enum class ErrorKind { kArgument, kShape, kDType, kDevice, kDisposed, kNative };
inline constexpr size_t kErrorKinds = 6;

// An error whose JavaScript class is known where it is thrown.
class TypedError : public std::runtime_error {
 public:
  TypedError(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// Throws a TypedError whose message is the parts, written one after the other.
template <class... Parts>
[[noreturn]] void Fail(ErrorKind kind, const Parts&... parts) {
  std::ostringstream message;
  (message << ... << parts);
  throw TypedError(kind, message.str());
}

// Fails unless the condition holds. The parts are evaluated all the same: pass values, not calls.
template <class... Parts>
void Require(bool condition, ErrorKind kind, const Parts&... parts) {
  if (!condition) Fail(kind, parts...);
}

}  // namespace dyconv
