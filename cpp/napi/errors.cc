#include "napi/errors.h"

#include <array>
#include <new>
#include <string_view>

#include <c10/util/Exception.h>

#include "napi/addon_data.h"
#include "napi/anomaly.h"

namespace dyconv {
namespace {

struct Words {
  ErrorKind kind;
  std::string_view text;
};

// libtorch says "wrong shape" in many sentences and with few classes. The first word found decides; what none
// of them matches stays a NativeError.
constexpr std::array kWords = {
    Words{ErrorKind::kNative, "out of memory"},
    Words{ErrorKind::kNative, "backward through the graph a second time"},
    Words{ErrorKind::kNative, "does not require grad"},
    Words{ErrorKind::kNative, "in-place operation"},
    Words{ErrorKind::kNative, "nference tensor"},
    Words{ErrorKind::kNative, "singular"},
    Words{ErrorKind::kArgument, "Expected a problem that"},
    Words{ErrorKind::kArgument, "probability tensor"},
    Words{ErrorKind::kDevice, "same device"},
    Words{ErrorKind::kDevice, "CUDA"},
    Words{ErrorKind::kDevice, "on cpu"},
    Words{ErrorKind::kDType, "dtype"},
    Words{ErrorKind::kDType, "scalar type"},
    Words{ErrorKind::kDType, "scalar types"},
    Words{ErrorKind::kDType, "result type"},
    Words{ErrorKind::kDType, "has changed the type"},
    Words{ErrorKind::kDType, "data type"},
    Words{ErrorKind::kDType, "not implemented for '"},
    Words{ErrorKind::kDType, "floating point"},
    Words{ErrorKind::kDType, "Boolean"},
    Words{ErrorKind::kDType, "bool tensor"},
    Words{ErrorKind::kShape, "shape"},
    Words{ErrorKind::kShape, "size"},
    Words{ErrorKind::kShape, "imension"},
    Words{ErrorKind::kShape, "dim"},
    Words{ErrorKind::kShape, "channels"},
    Words{ErrorKind::kShape, "out of range"},
    Words{ErrorKind::kShape, "out of bounds"},
    Words{ErrorKind::kShape, "element"},
    Words{ErrorKind::kShape, "scalar"},
    Words{ErrorKind::kShape, "view"},
    Words{ErrorKind::kShape, "3D tensor"},
    Words{ErrorKind::kArgument, "non-negative"},
    Words{ErrorKind::kArgument, "greater than 0"},
    Words{ErrorKind::kArgument, "greater or equal to 0"},
    Words{ErrorKind::kArgument, "should be >= 0"},
    Words{ErrorKind::kArgument, "can not be negative"},
    Words{ErrorKind::kArgument, "unsupported range"},
    Words{ErrorKind::kArgument, "cannot be represented as a SymInt"},
    Words{ErrorKind::kArgument, "without overflow"},
};

ErrorKind Classify(std::string_view message) {
  for (const Words& words : kWords) {
    if (message.find(words.text) != std::string_view::npos) return words.kind;
  }
  return ErrorKind::kNative;
}

// libtorch's Python-minded advice after the first line ("Exception raised from ...") is of no use to a JS
// caller.
std::string FirstParagraph(std::string message) {
  const size_t end = message.find("\nException raised from");
  if (end != std::string::npos) message.resize(end);
  while (!message.empty() && message.back() == '\n') message.pop_back();
  return message;
}

napi_value MakeError(napi_env env, const AddonData& data, ErrorKind kind, const std::string& message) {
  napi_value text, constructor, error;
  napi_create_string_utf8(env, message.c_str(), message.size(), &text);
  napi_ref ref = data.error_classes[static_cast<size_t>(kind)];
  if (ref != nullptr && napi_get_reference_value(env, ref, &constructor) == napi_ok &&
      napi_new_instance(env, constructor, 1, &text, &error) == napi_ok) {
    return error;
  }
  napi_create_error(env, nullptr, text, &error);
  return error;
}

}  // namespace

void Check(napi_env env, napi_status status, const char* call) {
  if (status == napi_ok) return;
  bool pending = false;
  napi_is_exception_pending(env, &pending);
  if (pending) throw PendingException{};
  throw TypedError(ErrorKind::kNative, std::string(call) + " failed with status " + std::to_string(status));
}

napi_value CurrentExceptionToJs(napi_env env, const AddonData& data, const std::string& where) {
  const std::string prefix = where + ": ";
  const std::string note = TakeAnomalyNote();
  try {
    throw;
  } catch (const PendingException&) {
    napi_value error;
    napi_get_and_clear_last_exception(env, &error);
    return error;
  } catch (const JsError& e) {
    return e.value().Get();  // the caller gets what its own callback threw
  } catch (const TypedError& e) {
    return MakeError(env, data, e.kind(), e.what() + note);
  } catch (const c10::IndexError& e) {
    return MakeError(env, data, ErrorKind::kShape,
                     prefix + FirstParagraph(e.what_without_backtrace()) + note);
  } catch (const c10::TypeError& e) {
    return MakeError(env, data, ErrorKind::kDType,
                     prefix + FirstParagraph(e.what_without_backtrace()) + note);
  } catch (const c10::ValueError& e) {
    return MakeError(env, data, ErrorKind::kShape,
                     prefix + FirstParagraph(e.what_without_backtrace()) + note);
  } catch (const c10::Error& e) {
    const std::string message = FirstParagraph(e.what_without_backtrace());
    return MakeError(env, data, Classify(message), prefix + message + note);
  } catch (const std::bad_alloc&) {
    return MakeError(env, data, ErrorKind::kNative, prefix + "out of memory");
  } catch (const std::exception& e) {
    const std::string message = FirstParagraph(e.what());
    return MakeError(env, data, Classify(message), prefix + message + note);
  }
}

void ThrowToJs(napi_env env, const AddonData& data, const std::string& where) {
  napi_value error = CurrentExceptionToJs(env, data, where);
  if (error != nullptr) napi_throw(env, error);
}

}  // namespace dyconv
