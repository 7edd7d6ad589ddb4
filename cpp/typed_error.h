// The error classes of lib/errors.ts as C++ exceptions. dyconv's own errors are thrown with their class;
// libtorch's are classified by their text (napi/errors.cc). Plain C++.
#pragma once

#include <cstddef>
#include <sstream>
#include <stdexcept>
#include <string>
#include <utility>
#include <vector>

namespace dyconv {

enum class ErrorKind { kArgument, kShape, kDType, kDevice, kDisposed, kNative, kDistributed };
inline constexpr size_t kErrorKinds = 7;

// An error whose JavaScript class is known where it is thrown.
class TypedError : public std::runtime_error {
 public:
  TypedError(ErrorKind kind, const std::string& message) : std::runtime_error(message), kind_(kind) {}
  ErrorKind kind() const { return kind_; }

 private:
  ErrorKind kind_;
};

// A failure of the communication between processes: what the members of DistributedError hold.
class DistributedFailure : public TypedError {
 public:
  // `reason`: see DistributedReason of lib/errors.ts. `ranks`: those that are known to have caused it.
  DistributedFailure(const std::string& message, const char* reason, std::vector<int> ranks)
      : TypedError(ErrorKind::kDistributed, message), reason_(reason), ranks_(std::move(ranks)) {}
  const char* reason() const { return reason_; }
  const std::vector<int>& ranks() const { return ranks_; }

 private:
  const char* reason_;
  std::vector<int> ranks_;
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
