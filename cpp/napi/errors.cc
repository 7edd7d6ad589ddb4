#include "napi/errors.h"

#include <new>

#include <c10/util/Exception.h>

#include "napi/addon_data.h"
#include "napi/anomaly.h"
#include "napi/wording.h"
#include "program/quoted_error.h"

namespace dyconv {
namespace {

Napi::Value MakeError(Napi::Env env, const AddonData& data, ErrorKind kind, const std::string& message,
                      const DistributedFailure* failure = nullptr) {
  const Napi::FunctionReference& error_class = data.error_classes[static_cast<size_t>(kind)];
  try {
    if (!error_class.IsEmpty()) {
      const Napi::String text = Napi::String::New(env, message);
      if (failure == nullptr) return error_class.Value().New({text});
      Napi::Array ranks = Napi::Array::New(env, failure->ranks().size());
      for (uint32_t i = 0; i < failure->ranks().size(); ++i) ranks.Set(i, failure->ranks()[i]);
      return error_class.Value().New({text, Napi::String::New(env, failure->reason()), ranks});
    }
  } catch (const Napi::Error&) {
    // No constructor runs on a thread that is being terminated; a plain error needs none.
  }
  return Napi::Error::New(env, message).Value();
}

}  // namespace

Napi::Value CurrentExceptionToJs(Napi::Env env, const AddonData& data, const std::string& where,
                                 const std::function<std::string()>& received) {
  const std::string note = TakeAnomalyNote();
  // `otherwise`: the class if the text does not determine one.
  const auto libtorch = [&](const std::string& said, ErrorKind otherwise = ErrorKind::kNative) {
    const ErrorKind by_words = ClassOf(said);
    const ErrorKind kind = by_words == ErrorKind::kNative ? otherwise : by_words;
    std::string message = where + ": " + InOurWords(said, where);
    // The arguments are listed for errors of arguments, not for other failures.
    if (kind != ErrorKind::kNative && received) {
      if (message.ends_with('.')) message.pop_back();
      message += received();
    }
    return MakeError(env, data, kind, message + note);
  };
  try {
    throw;
  } catch (const Napi::Error& e) {
    return e.Value();
  } catch (const JsError& e) {
    return e.value().Get();  // the error that the caller's callback threw
  } catch (const DistributedFailure& e) {
    return MakeError(env, data, e.kind(), e.what() + note, &e);
  } catch (const TypedError& e) {
    return MakeError(env, data, e.kind(), e.what() + note);
  } catch (const QuotedError& e) {
    return MakeError(env, data, ClassOf(e.what()), where + ": " + e.what() + note);
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

}  // namespace dyconv
