// Errors on their way to JavaScript. C++ code throws; the one catch block (hot_path.cc) has what was thrown
// turned into one of the classes of lib/errors.ts, created on the caller's JavaScript stack. An exception of
// JavaScript (a getter's, say) travels as Napi::Error and arrives as it was thrown.
#pragma once

#include <napi.h>

#include <functional>
#include <string>

#include "typed_error.h"

namespace dyconv {

struct AddonData;

// A JavaScript error object for the C++ exception being handled. `where` is the operation's public name;
// `received` describes the arguments, for errors of libtorch, which seldom names them.
Napi::Value CurrentExceptionToJs(Napi::Env env, const AddonData& data, const std::string& where,
                                 const std::function<std::string()>& received = nullptr);

}  // namespace dyconv
