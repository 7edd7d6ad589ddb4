// Names of dtypes, in JavaScript and in error messages.
#pragma once

#include <array>
#include <utility>

#include <c10/core/ScalarType.h>

namespace dyconv {

inline constexpr std::array kDTypeNames = {
    std::pair{at::kFloat, "float32"},     std::pair{at::kDouble, "float64"}, std::pair{at::kHalf, "float16"},
    std::pair{at::kBFloat16, "bfloat16"}, std::pair{at::kLong, "int64"},     std::pair{at::kInt, "int32"},
    std::pair{at::kShort, "int16"},       std::pair{at::kChar, "int8"},      std::pair{at::kByte, "uint8"},
    std::pair{at::kBool, "bool"},
};

inline const char* DTypeName(at::ScalarType type) {
  for (const auto& [known, name] : kDTypeNames)
    if (known == type) return name;
  return c10::toString(type);  // not reachable from JavaScript
}

}  // namespace dyconv
