// Garbage collections that the add-on requests from V8: when tensors have grown considerably, and when an
// allocation fails. V8 counts the small objects, not the memory of their tensors.
#pragma once

#include <napi.h>

namespace dyconv {

struct AddonData;

// Marks this thread as inside a call from JavaScript of the environment, where JavaScript may be called:
// CollectOnShortage needs this. Calls may nest (a collection runs inside one).
class CallScope {
 public:
  CallScope(Napi::Env env, AddonData& data);
  CallScope(const CallScope&) = delete;
  CallScope& operator=(const CallScope&) = delete;
  ~CallScope();

 private:
  CallScope* outer_;
  Napi::Env env_;
  AddonData& data_;
  bool collecting_ = false;
  friend bool CollectOnShortage();
};

// After an operation that made the tensors of the environment exceed their limit: collects young objects,
// then all objects if that did not free half.
void CollectAfterGrowth(Napi::Env env, AddonData& data);

// A full collection if this thread is inside a call from JavaScript; otherwise returns false. The allocator
// calls this when memory is short, in the middle of an operation. Finalizers then free tensors that
// JavaScript no longer references; the operation holds references to its own.
bool CollectOnShortage();

// A full collection from the JavaScript thread.
void CollectAll(Napi::Env env, AddonData& data);

}  // namespace dyconv
