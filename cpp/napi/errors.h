// Errors on their way to JavaScript. C++ code throws; the one catch block (bind.cc) asks ThrowToJs to turn
// whatever was thrown into one of the classes of lib/errors.ts, created on the caller's JavaScript stack.
#pragma once

#include <node_api.h>

#include <functional>
#include <string>

#include "typed_error.h"

namespace dyconv {

// A Node-API call failed because JavaScript code threw (a getter, say): that exception is already pending.
struct PendingException {};

// Throws PendingException or a TypedError when a Node-API call did not succeed.
void Check(napi_env env, napi_status status, const char* call);

struct AddonData;

// Turns the C++ exception being handled into a pending JavaScript exception. `where` is the operation's
// public name; `received` tells the arguments, for errors of libtorch, which seldom names them.
void ThrowToJs(napi_env env, const AddonData& data, const std::string& where,
               const std::function<std::string()>& received = nullptr);

// A JavaScript error object for the C++ exception being handled: what a rejected Promise is given.
napi_value CurrentExceptionToJs(napi_env env, const AddonData& data, const std::string& where,
                                const std::function<std::string()>& received = nullptr);

}  // namespace dyconv
