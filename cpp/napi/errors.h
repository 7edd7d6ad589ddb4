// Conversion of errors to JavaScript. C++ code throws; the only catch block (hot_path.cc) converts the
// exception to one of the classes of lib/errors.ts, created on the caller's JavaScript stack. An exception of
// JavaScript, of a getter for example, is a Napi::Error and is passed on unchanged.
#pragma once

#include <napi.h>

#include <functional>
#include <string>

#include "typed_error.h"

namespace dyconv {

struct AddonData;

// A JavaScript error object for the C++ exception being handled. `where` is the public name of the operation;
// `received` describes the arguments, which errors of libtorch seldom name.
Napi::Value CurrentExceptionToJs(Napi::Env env, const AddonData& data, const std::string& where,
                                 const std::function<std::string()>& received = nullptr);

}  // namespace dyconv
