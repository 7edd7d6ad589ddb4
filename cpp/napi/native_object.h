// C++ objects that JavaScript holds, such as the plan of a loader's batches. They are passed by shared
// pointers, so a background job keeps its object although JavaScript may have dropped it. A type takes part
// by a specialization of kObjectType:
//   template <> inline constexpr ObjectType kObjectType<Plan> = {"a plan", {0x1234..., 0x5678...}};
#pragma once

#include <napi.h>

#include <memory>
#include <utility>

#include "napi/convert.h"

namespace dyconv {

struct ObjectType {
  const char* name = nullptr;  // for error messages
  napi_type_tag tag{};         // random; no other type has it, in this or any other add-on
};

template <class T>
inline constexpr ObjectType kObjectType{};

template <class T>
concept NativeObject = kObjectType<T>
.name != nullptr;

template <NativeObject T>
struct FromJs<std::shared_ptr<const T>> {
  static std::shared_ptr<const T> Get(const Argument& argument) {
    if (!argument.js.IsExternal()) argument.Reject(kObjectType<T>.name);
    const auto external = argument.js.As<Napi::External<std::shared_ptr<const T>>>();
    if (!external.CheckTypeTag(&kObjectType<T>.tag)) argument.Reject(kObjectType<T>.name);
    return *external.Data();
  }
};

template <NativeObject T>
Napi::Value ToJs(const Call& call, std::shared_ptr<const T> object) {
  using Held = std::shared_ptr<const T>;
  auto held = std::make_unique<Held>(std::move(object));
  // The finalizer runs during a garbage collection: destructors of native objects must not call Node-API.
  const auto external =
      Napi::External<Held>::New(call.env, held.get(), [](Napi::BasicEnv, Held* owned) { delete owned; });
  held.release();
  external.TypeTag(&kObjectType<T>.tag);
  return external;
}

}  // namespace dyconv
