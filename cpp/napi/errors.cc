#include "napi/errors.h"

#include <new>

#include <c10/util/Exception.h>

#include "napi/addon_data.h"
#include "napi/anomaly.h"
#include "napi/wording.h"

namespace dyconv {
namespace {

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

napi_value CurrentExceptionToJs(napi_env env, const AddonData& data, const std::string& where,
                                const std::function<std::string()>& received) {
  const std::string note = TakeAnomalyNote();
  // `otherwise`: the class where the words tell none.
  const auto libtorch = [&](const std::string& said, ErrorKind otherwise = ErrorKind::kNative) {
    const ErrorKind told = ClassOf(said);
    const ErrorKind kind = told == ErrorKind::kNative ? otherwise : told;
    std::string message = where + ": " + InOurWords(said, where);
    // What failed inside needs no list of arguments, what does not fit does.
    if (kind != ErrorKind::kNative && received) message += received();
    return MakeError(env, data, kind, message + note);
  };
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
    return libtorch(e.what_without_backtrace(), ErrorKind::kShape);
  } catch (const c10::TypeError& e) {
    return libtorch(e.what_without_backtrace(), ErrorKind::kDType);
  } catch (const c10::OutOfMemoryError& e) {
    return MakeError(env, data, ErrorKind::kNative,
                     where + ": " + InOurWords(e.what_without_backtrace(), where));
  } catch (const c10::ValueError& e) {
    return libtorch(e.what_without_backtrace(), ErrorKind::kShape);
  } catch (const c10::Error& e) {
    return libtorch(e.what_without_backtrace());
  } catch (const std::bad_alloc&) {
    return MakeError(env, data, ErrorKind::kNative, where + ": out of memory");
  } catch (const std::exception& e) {
    return libtorch(e.what());
  }
}

void ThrowToJs(napi_env env, const AddonData& data, const std::string& where,
               const std::function<std::string()>& received) {
  napi_value error = CurrentExceptionToJs(env, data, where, received);
  if (error != nullptr) napi_throw(env, error);
}

}  // namespace dyconv
