// Finalizers of what JavaScript objects hold. They run during the garbage collection, so that a synchronous
// loop frees its tensors: Node-API must not be called in them.
#pragma once

#include <node_api.h>

namespace dyconv {

// A finalizer for Node-API that calls `release` with the data (FinalizeData) or the hint (FinalizeHint) it
// was registered with. `release` is given no environment, hence cannot call Node-API: that is what
// NODE_ADDON_API_REQUIRE_BASIC_FINALIZERS would prove, which needs declarations that node-api-headers 1.9
// leaves out, and a compiler that accepts static_assert(false) in a template (gcc 13).
template <class T, void (*release)(T*)>
void FinalizeData(node_api_basic_env, void* data, void*) {
  release(static_cast<T*>(data));
}

template <class T, void (*release)(T*)>
void FinalizeHint(node_api_basic_env, void*, void* hint) {
  release(static_cast<T*>(hint));
}

}  // namespace dyconv
