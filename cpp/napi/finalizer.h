// Finalizers of the data of JavaScript objects. They run during the garbage collection, so that a synchronous
// loop frees its tensors; they must not call Node-API.
#pragma once

#include <node_api.h>

namespace dyconv {

// A finalizer for Node-API that calls `release` with the data (FinalizeData) or the hint (FinalizeHint) with
// which it was registered. `release` gets no environment, so it cannot call Node-API.
// NODE_ADDON_API_REQUIRE_BASIC_FINALIZERS would check the same, but needs declarations that node-api-headers
// 1.9 lacks, and a compiler that accepts static_assert(false) in a template (gcc 13).
template <class T, void (*release)(T*)>
void FinalizeData(node_api_basic_env, void* data, void*) {
  release(static_cast<T*>(data));
}

template <class T, void (*release)(T*)>
void FinalizeHint(node_api_basic_env, void*, void* hint) {
  release(static_cast<T*>(hint));
}

}  // namespace dyconv
