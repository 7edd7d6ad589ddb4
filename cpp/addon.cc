// The module's entry: one AddonData per environment, then the tables.
#include <node_api.h>

#include <ATen/Context.h>

#include "bindings/bindings.h"
#include "napi/addon_data.h"
#include "napi/anomaly.h"
#include "napi/bind.h"
#include "ops/caching_allocator.h"

namespace dyconv {
namespace {

// Runs while the environment can still be called: background threads end here.
void CloseEnvironment(void* pointer) {
  auto* data = static_cast<AddonData*>(pointer);
  data->js_home->Close();
  data->compute.Stop();
  data->data.Stop();
}

void ReleaseData(node_api_basic_env, void* pointer, void*) {
  auto* data = static_cast<AddonData*>(pointer);
  data->environment_closed = true;
  data->DeleteIfUnused();
}

}  // namespace
}  // namespace dyconv

NAPI_MODULE_INIT() {
  using namespace dyconv;
  at::globalContext().setUserEnabledNNPACK(false);  // it prints a warning for every process it does not suit
  dyconv::InstallCachingAllocator();
  InstallAnomalyEngine();
  auto* data = new AddonData(env);
  napi_set_instance_data(env, data, ReleaseData, nullptr);
  napi_add_env_cleanup_hook(env, CloseEnvironment, data);
  try {
    RegisterTensorClass(env, exports, *data);
    for (const OpTable* table : AllTables()) Register(env, exports, *table);
  } catch (...) {
    ThrowToJs(env, *data, "dyconv");
    return nullptr;
  }
  return exports;
}
