// Arguments that must be one of a closed set of names, and results that are one: an enumeration in C++. An
// unknown name is an error, never a default.
#pragma once

#include <algorithm>
#include <string>
#include <string_view>
#include <utility>

#include "napi/convert.h"

namespace dyconv {

// The names of an enumeration's values; specialized in the file of the table that uses the enumeration:
//   template <> inline constexpr auto kNames<Kind> = std::to_array<Named<Kind>>({{"a", Kind::kA}, ...});
template <class T>
using Named = std::pair<const char*, T>;
template <class T>
inline constexpr auto kNames = nullptr;

template <class T>
concept HasNames = !
std::is_same_v<std::remove_cv_t<decltype(kNames<T>)>, std::nullptr_t>;

// "one of 'a', 'b'", for error messages.
template <class Names, class NameOf>
std::string OneOfNames(const Names& names, NameOf name_of) {
  std::string text = "one of ";
  for (const auto& entry : names) {
    if (&entry != &names[0]) text += ", ";
    text += "'" + std::string(name_of(entry)) + "'";
  }
  return text;
}

template <HasNames T>
struct FromJs<T> {
  static T Get(const Argument& argument) {
    const auto& names = kNames<T>;
    if (argument.js.IsString()) {
      const std::string text = argument.js.As<Napi::String>().Utf8Value();
      for (const auto& [name, choice] : names)
        if (text == name) return choice;
    }
    argument.Reject(OneOfNames(names, [](const Named<T>& entry) { return entry.first; }));
  }
};

template <HasNames T>
Napi::Value ToJs(const Call& call, T value) {
  for (const auto& [name, choice] : kNames<T>)
    if (value == choice) return ToJs(call, name);
  return call.env.Undefined();
}

template <HasNames T>
struct AsValue<T> {
  static T Read(const Value& value, const Frame&) {
    const std::string& text = value.Get<std::string>();
    for (const auto& [name, choice] : kNames<T>)
      if (text == name) return choice;
    Fail(ErrorKind::kArgument, "Expected ",
         OneOfNames(kNames<T>, [](const Named<T>& entry) { return entry.first; }), " but received '", text,
         "'");
  }
  static Value Make(const T& value) {
    for (const auto& [name, choice] : kNames<T>)
      if (value == choice) return name;
    return {};
  }
};

// A string literal as a template argument.
template <size_t N>
struct Literal {
  char text[N];
  constexpr Literal(const char (&from)[N]) { std::copy_n(from, N, text); }
};

// A name that is passed to libtorch as a string: one of `names`.
template <Literal... names>
struct OneOf {
  std::string name;
  operator const std::string&() const { return name; }
  operator std::string_view() const { return name; }
};

template <Literal... names>
struct FromJs<OneOf<names...>> {
  static OneOf<names...> Get(const Argument& argument) {
    if (argument.js.IsString()) {
      std::string text = argument.js.As<Napi::String>().Utf8Value();
      if (((text == names.text) || ...)) return {std::move(text)};
    }
    const std::array<std::string_view, sizeof...(names)> known{names.text...};
    argument.Reject(OneOfNames(known, [](std::string_view name) { return name; }));
  }
};

template <Literal... names>
struct AsValue<OneOf<names...>> {
  static OneOf<names...> Read(const Value& value, const Frame&) { return {value.Get<std::string>()}; }
  static Value Make(const OneOf<names...>& value) { return value.name; }
};

}  // namespace dyconv
