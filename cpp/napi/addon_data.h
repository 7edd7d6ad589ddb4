// Everything the add-on keeps between calls, once per environment (the main thread and every worker have
// their own). Created by the module's entry; ends with the environment, or with the last tensor where V8
// finalizes those later.
#pragma once

#include <node_api.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include <c10/core/InferenceMode.h>

#include "napi/errors.h"
#include "napi/job.h"
#include "napi/js_callback.h"
#include "napi/tensor_wrap.h"

namespace dyconv {

struct AddonData {
  explicit AddonData(napi_env environment)
      : env(environment), js_home(std::make_shared<JsHome>(environment)) {}

  napi_env env;
  // Classes of lib/errors.ts by ErrorKind, handed over by lib/native/index.ts; null until then.
  std::array<napi_ref, kErrorKinds> error_classes{};
  napi_ref tensor_class =
      nullptr;  // an empty class of lib/native/index.ts, whose instances tensors are wrapped in
  napi_ref collector = nullptr;  // collector(young) collects garbage; from lib/native/index.ts
  napi_ref tracer = nullptr;  // tracer() is the number of the place that makes a tensor; in debug mode only
  // What JavaScript values held by C++ belong to; outlives the environment where those do.
  std::shared_ptr<JsHome> js_home;
  // Gradients that the running callback of a backward pass returned; null outside of one.
  std::vector<at::Tensor>* backward_results = nullptr;
  TensorRegistry tensors;
  size_t max_buffer_bytes = size_t{1} << 32;  // of an ArrayBuffer; lib/native.ts knows what this V8 takes
  bool external_buffers_refused = false;      // by this runtime, as Electron's does: copies are made instead
  // Present while inference mode is on: the guard is what libtorch offers to enter and leave the mode.
  std::optional<c10::InferenceMode> inference_mode;
  // Background threads: reading results back, and preparing batches. Each runs its jobs in order.
  JobQueue compute{"dyconv compute"};
  JobQueue data{"dyconv data"};
  bool environment_closed = false;

  static AddonData& Of(napi_env env);
  // Called when the environment closes and whenever a tensor's object goes: the later of both deletes.
  void DeleteIfUnused();
};

}  // namespace dyconv
