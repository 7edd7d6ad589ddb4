// JavaScript values that C++ objects hold: callbacks of autograd nodes and hooks, errors on their way through
// libtorch. Such an object may end on any thread, and during a garbage collection, where Node-API must not be
// called: references it drops are collected in the environment's JsHome and given back by the next operation
// on the JavaScript thread (bind.cc).
#pragma once

#include <node_api.h>

#include <atomic>
#include <memory>
#include <mutex>
#include <stdexcept>
#include <thread>
#include <vector>

namespace dyconv {

// The environment that references belong to, and the only thread that may call them.
class JsHome {
 public:
  explicit JsHome(napi_env env) : env_(env), thread_(std::this_thread::get_id()) {}
  napi_env env() const { return env_; }
  bool IsHere() const { return !closed_ && std::this_thread::get_id() == thread_; }

  void Drop(napi_ref ref);  // from any thread, at any time
  void GiveBack() {         // on the JavaScript thread, outside of finalizers
    if (has_dropped_) DeleteDropped();
  }
  void Close() { closed_ = true; }  // the environment ends, and its references with it

 private:
  void DeleteDropped();

  napi_env env_;
  std::thread::id thread_;
  std::atomic<bool> closed_ = false;
  std::atomic<bool> has_dropped_ = false;
  std::mutex mutex_;
  std::vector<napi_ref> dropped_;
};

// A strong reference.
class JsValue {
 public:
  JsValue(std::shared_ptr<JsHome> home, napi_value value);
  JsValue(const JsValue&) = delete;
  JsValue& operator=(const JsValue&) = delete;
  ~JsValue() { home_->Drop(ref_); }

  const JsHome& home() const { return *home_; }
  // The value; null on any thread but its own.
  napi_value Get() const;
  // Calls it as a function. Throws JsError with what it threw, a TypedError on any thread but its own.
  napi_value Call(std::initializer_list<napi_value> arguments) const;

 private:
  std::shared_ptr<JsHome> home_;
  napi_ref ref_ = nullptr;
};

// What a JavaScript callback threw, as a C++ exception that libtorch may carry along.
class JsError : public std::runtime_error {
 public:
  explicit JsError(std::shared_ptr<JsValue> value)
      : std::runtime_error("a JavaScript callback threw"), value_(std::move(value)) {}
  const JsValue& value() const { return *value_; }

 private:
  std::shared_ptr<JsValue> value_;
};

// Handles made in a callback that C++ calls end with it.
class HandleScope {
 public:
  explicit HandleScope(napi_env env) : env_(env) { napi_open_handle_scope(env, &scope_); }
  HandleScope(const HandleScope&) = delete;
  HandleScope& operator=(const HandleScope&) = delete;
  ~HandleScope() { napi_close_handle_scope(env_, scope_); }

 private:
  napi_env env_;
  napi_handle_scope scope_;
};

}  // namespace dyconv
