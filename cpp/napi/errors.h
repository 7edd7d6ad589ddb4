// Errors on their way to JavaScript. C++ code throws; the one catch block (bind.cc) asks ThrowToJs to turn whatever
// was thrown into one of the classes of lib/errors.ts, created on the caller's JavaScript stack.
#pragma once

#include <node_api.h>

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

// A Node-API call failed because JavaScript code threw (a getter, say): that exception is already pending.
struct PendingException {};

// Throws PendingException or a TypedError when a Node-API call did not succeed.
void Check(napi_env env, napi_status status, const char* call);

struct AddonData;

// Turns the C++ exception being handled into a pending JavaScript exception. `where` is the operation's name.
void ThrowToJs(napi_env env, const AddonData& data, const std::string& where);

// A JavaScript error object for the C++ exception being handled: what a rejected Promise is given.
napi_value CurrentExceptionToJs(napi_env env, const AddonData& data, const std::string& where);

}  // namespace dyconv
