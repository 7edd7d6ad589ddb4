// Collections of garbage that the add-on asks V8 for: when tensors have grown by a good deal, and when an
// allocation fails. V8 sees the small objects, not what they hold.
#pragma once

#include <napi.h>

namespace dyconv {

struct AddonData;

// Says that this thread is inside a call from JavaScript of the environment, where JavaScript may be called
// back: what CollectOnShortage needs to know. Calls nest (a collection runs inside one).
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

// After an operation that made the environment's tensors grow past their limit: young objects first, all of
// them if that did not free half.
void CollectAfterGrowth(Napi::Env env, AddonData& data);

// A full collection, if this thread is inside a call from JavaScript; false where it is not. Called by the
// allocator when memory is short, hence in the middle of any operation: the finalizers that run free tensors
// that JavaScript let go of, never those of the operation, which holds them itself.
bool CollectOnShortage();

// A full collection from the JavaScript thread.
void CollectAll(Napi::Env env, AddonData& data);

}  // namespace dyconv
