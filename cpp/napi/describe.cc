// Values and arguments as error messages show them.
#include <cmath>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#include <c10/util/StringUtil.h>

#include "napi/convert.h"

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

std::string Describe(const Value& value) {
  switch (value.Type()) {
    case napi_undefined:
      return "undefined";
    case napi_null:
      return "null";
    case napi_boolean: {
      bool flag;
      napi_get_value_bool(value.env(), value.js, &flag);
      return flag ? "true (boolean)" : "false (boolean)";
    }
    case napi_number: {
      double number;
      napi_get_value_double(value.env(), value.js, &number);
      return Number(number) + " (number)";
    }
    case napi_string: {
      const std::string text = FromJs<std::string>::Get(value);
      return "'" + (text.size() > 60 ? text.substr(0, 57) + "..." : text) + "' (string)";
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
  if (FindHandle(value.env(), value.call.data, value.js) != nullptr) return "a Tensor";
  bool is_array = false;
  napi_is_array(value.env(), value.js, &is_array);
  return is_array ? "an array" : "an object";
}

namespace {

std::string DescribeTensor(const at::Tensor& tensor) {
  if (!tensor.defined()) return "a disposed Tensor";
  std::string text =
      std::string(DTypeName(tensor.scalar_type())) + " [" + c10::Join(", ", tensor.sizes()) + "]";
  if (!tensor.is_cpu()) text += " on " + tensor.device().str();
  return text;
}

// An argument: shorter than Describe, as its name stands before it.
std::string DescribeArgument(const Value& value) {
  const TensorHandle* handle = FindHandle(value.env(), value.call.data, value.js);
  if (handle != nullptr) return DescribeTensor(handle->tensor);
  const napi_valuetype type = value.Type();
  if (type == napi_number) return Number(FromJs<double>::Get(value));
  bool is_array = false;
  napi_is_array(value.env(), value.js, &is_array);
  if (is_array) {
    uint32_t length = 0;
    Check(value.env(), napi_get_array_length(value.env(), value.js, &length), "napi_get_array_length");
    std::string text = "[";
    for (uint32_t i = 0; i < std::min(length, kShownElements); ++i)
      text += (i == 0 ? "" : ", ") + DescribeArgument(ArrayElement(value, i));
    return text + (length > kShownElements ? ", ...]" : "]");
  }
  std::string text = Describe(value);
  return text.substr(0, text.rfind(" ("));
}

}  // namespace

std::string DescribeArguments(const Call& call) {
  try {
    const HandleScope scope(call.env);
    std::string text;
    const char* name = std::strchr(call.signature, '(') + 1;
    for (size_t i = 0; *name != '\0' && *name != ')'; ++i) {
      const size_t length = std::strcspn(name, ",)");
      const Value value{call, call.arguments[i], i};
      if (!value.IsNullish()) {
        text +=
            (text.empty() ? "; received " : ", ") + std::string(name, length) + " " + DescribeArgument(value);
      }
      name += length;
      if (*name == ',') name += 2;
    }
    return text;
  } catch (const std::exception&) {
    return "";
  } catch (const PendingException&) {
    // An element's getter threw: the error under way is the one to tell.
    napi_value ignored;
    napi_get_and_clear_last_exception(call.env, &ignored);
    return "";
  }
}

}  // namespace dyconv
