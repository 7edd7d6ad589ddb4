// JavaScript values held by C++ objects: callbacks of autograd nodes and hooks, buffers of tensors, errors
// that pass through libtorch. Such an object may end on any thread and during a garbage collection, where
// Node-API must not be called. So the references that it drops are put on a list of the environment's JsHome,
// which the next operation on the JavaScript thread deletes (hot_path.cc). Napi::Reference deletes its
// reference immediately, hence the direct calls of Node-API in js_callback.cc.
#pragma once

#include <napi.h>

#include <atomic>
#include <initializer_list>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace dyconv {

// The environment that references belong to, and the only thread that may use them.
class JsHome {
 public:
  explicit JsHome(Napi::Env env) : env_(env), thread_(std::this_thread::get_id()) {}
  Napi::Env env() const { return env_; }
  bool IsHere() const { return !closed_ && std::this_thread::get_id() == thread_; }

  void Drop(napi_ref ref);  // from any thread, at any time
  void DeleteDropped() {    // on the JavaScript thread, outside of finalizers
    if (has_dropped_) DeleteReferences();
  }
  void Close() { closed_ = true; }  // the environment ends; its references end with it

 private:
  void DeleteReferences();

  Napi::Env env_;
  std::thread::id thread_;
  std::atomic<bool> closed_ = false;
  std::atomic<bool> has_dropped_ = false;
  std::mutex mutex_;
  std::vector<napi_ref> dropped_;
};

// A strong reference.
class JsValue {
 public:
  JsValue(std::shared_ptr<JsHome> home, Napi::Value value);
  JsValue(const JsValue&) = delete;
  JsValue& operator=(const JsValue&) = delete;
  ~JsValue() { home_->Drop(ref_); }

  const std::shared_ptr<JsHome>& home() const { return home_; }
  // The value; empty on any other thread.
  Napi::Value Get() const;
  // The value as a function. Throws a TypedError on any other thread.
  Napi::Function Function() const;
  // Calls it as a function. Throws a JsError with the error that it throws, and a TypedError on any other
  // thread.
  Napi::Value Call(std::initializer_list<napi_value> arguments) const;

 private:
  std::shared_ptr<JsHome> home_;
  napi_ref ref_ = nullptr;
};

// A JavaScript exception as a C++ exception that libtorch may pass to any thread.
class JsError : public std::runtime_error {
 public:
  explicit JsError(std::shared_ptr<JsValue> value)
      : std::runtime_error("a JavaScript callback threw"), value_(std::move(value)) {}
  const JsValue& value() const { return *value_; }

 private:
  std::shared_ptr<JsValue> value_;
};

// Runs `callback` and converts a JavaScript exception to a JsError, as a Napi::Error must end on its own
// thread.
template <class F>
auto Carried(const std::shared_ptr<JsHome>& home, const F& callback) {
  try {
    return callback();
  } catch (const Napi::Error& error) {
    throw JsError(std::make_shared<JsValue>(home, error.Value()));
  }
}

}  // namespace dyconv
