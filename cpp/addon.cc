// The module's entry: one AddonData per environment, then the tables.
#include <napi.h>

#include <mutex>

#include <ATen/Context.h>
#include <c10/core/AutogradState.h>

#include "bindings/bindings.h"
#include "napi/addon_data.h"
#include "napi/anomaly.h"
#include "napi/bind.h"
#include "napi/collect.h"
#include "napi/convert.h"
#include "napi/programs.h"
#include "napi/shared_tensors.h"
#include "ops/cuda/device.h"
#include "ops/memory/caching_allocator.h"
#include "program/fused_operations.h"

namespace dyconv {
namespace {

// Runs while the environment can still call JavaScript: background threads end here.
void CloseEnvironment(AddonData* data) {
  SetAnomaly(false, false, nullptr);  // a worker may be terminated inside detectAnomaly()
  data->js_home->Close();
  data->compute.Stop();
  data->data.Stop();
  data->programs.Stop();
  data->distributed.Stop();
  Programs::Instance().OwnerEnded(data);
  SharedTensors::Instance().OwnerEnded(data);
}

void ReleaseData(Napi::Env, AddonData* data) {
  data->environment_closed = true;
  data->DeleteIfUnused();
}

Napi::Object Init(Napi::Env env, Napi::Object exports) {
  at::globalContext().setUserEnabledNNPACK(
      false);  // it prints a warning in every process whose processor it does not support
  InstallCachingAllocator();
  SetAllocatorReclaim(CollectOnShortage);
  SetCudaReclaim(CollectOnShortage);
  SetDeviceProblem(CudaProblem);
  // Backward passes on GPUs also run on the thread that starts them, the only one that can call JavaScript.
  c10::AutogradState::get_tls_state().set_multithreading_enabled(false);
  InstallAnomalyEngine();
  auto* data = new AddonData(env);
  env.SetInstanceData<AddonData, ReleaseData>(data);
  env.AddCleanupHook(CloseEnvironment, data);
  for (const OpTable* table : AllTables()) Register(exports, *table);
  static std::once_flag once;
  std::call_once(once, [] {
    for (const OpTable* table : ProgramTables()) RegisterOperations(*table);
    RegisterFusedOperations();
  });
  return exports;
}

}  // namespace
}  // namespace dyconv

using dyconv::Init;
NODE_API_MODULE(dyconv, Init)
