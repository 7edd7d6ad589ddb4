// Text of values and arguments in error messages.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <c10/util/StringUtil.h>

#include "napi/convert.h"
#include "napi/hot_path.h"

namespace dyconv {
namespace {

constexpr uint32_t kShownElements = 6;

std::string Number(double number) {
  if (std::isnan(number)) return "NaN";
  if (std::isinf(number)) return number > 0 ? "Infinity" : "-Infinity";
  char text[32];
  std::snprintf(text, sizeof text, "%.15g", number);
  if (std::strtod(text, nullptr) != number) std::snprintf(text, sizeof text, "%.17g", number);
  return text;
}

}  // namespace

std::string Describe(const Argument& argument) {
  switch (argument.js.Type()) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean:
      return argument.js.As<Napi::Boolean>() ? "true (boolean)" : "false (boolean)";
    case napi_number:
      return Number(argument.js.As<Napi::Number>().DoubleValue()) + " (number)";
    case napi_string: {
      std::string text = argument.js.As<Napi::String>().Utf8Value();
      if (text.size() > 60) text.replace(57, std::string::npos, "...");
      return "'" + text + "' (string)";
    }
    case napi_bigint:
      return "a bigint";
    case napi_symbol:
      return "a symbol";
    case napi_function:
      return "a function";
    default:
      break;
  }
  if (FindHandle(argument.call.data, argument.js) != nullptr) return "a Tensor";
  return argument.js.IsArray() ? "an array" : "an object";
}

namespace {

std::string DescribeTensor(const at::Tensor& tensor) {
  if (!tensor.defined()) return "a disposed Tensor";
  std::string text =
      std::string(DTypeName(tensor.scalar_type())) + " [" + c10::Join(", ", tensor.sizes()) + "]";
  if (!tensor.is_cpu()) text += " on " + tensor.device().str();
  return text;
}

// An argument: shorter than Describe, as its name precedes it.
std::string DescribeArgument(const Argument& argument) {
  const TensorHandle* handle = FindHandle(argument.call.data, argument.js);
  if (handle != nullptr) return DescribeTensor(handle->tensor);
  if (argument.js.IsNumber()) return Number(argument.js.As<Napi::Number>().DoubleValue());
  if (argument.js.IsArray()) {
    const uint32_t length = argument.js.As<Napi::Array>().Length();
    std::string text = "[";
    for (uint32_t i = 0; i < std::min(length, kShownElements); ++i)
      text += (i == 0 ? "" : ", ") + DescribeArgument(ArrayElement(argument, i));
    return text + (length > kShownElements ? ", ...]" : "]");
  }
  std::string text = Describe(argument);
  return text.substr(0, text.rfind(" ("));
}

}  // namespace

std::string DescribeArguments(const Call& call) {
  try {
    const Napi::HandleScope scope(call.env);
    std::string text;
    const char* name = std::strchr(call.signature, '(') + 1;
    for (size_t i = 0; *name != '\0' && *name != ')'; ++i) {
      const size_t length = std::strcspn(name, ",)");
      const Argument argument{call, call.ValueAt(i), i};
      // The number of a program says nothing to who has the object.
      const bool internal = std::string_view(name, length) == "program" && argument.js.IsNumber();
      if (!argument.IsNullish() && !internal) {
        text += (text.empty() ? "; received " : ", ") + std::string(name, length) + " " +
                DescribeArgument(argument);
      }
      name += length;
      if (*name == ',') name += 2;
    }
    return text;
  } catch (const std::exception&) {
    return "";  // a getter of an element may have thrown: only the original error is reported
  }
}

}  // namespace dyconv
