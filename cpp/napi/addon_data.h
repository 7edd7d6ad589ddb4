// Everything the add-on keeps between calls, once per environment (the main thread and every worker have
// their own). Created by the module's entry; ends with the environment, or with the last tensor where V8
// finalizes those later.
#pragma once

#include <napi.h>

#include <array>
#include <memory>
#include <optional>
#include <vector>

#include <c10/core/InferenceMode.h>

#include "napi/background.h"
#include "napi/errors.h"
#include "napi/job.h"
#include "napi/js_callback.h"
#include "napi/tensor_registry.h"

namespace dyconv {

class Recorder;

struct AddonData {
  explicit AddonData(Napi::Env environment);
  AddonData(const AddonData&) = delete;
  AddonData& operator=(const AddonData&) = delete;
  ~AddonData();

  // Set by lib/native/index.ts; empty until then.
  std::array<Napi::FunctionReference, kErrorKinds> error_classes;  // classes of lib/errors.ts by ErrorKind
  Napi::FunctionReference tensor_class;  // an empty class, whose instances tensors are wrapped in
  Napi::FunctionReference collector;     // collector(young) collects garbage
  Napi::FunctionReference tracer;        // tracer() numbers the place that makes a tensor; in debug mode only
  // The owner of JavaScript values held by C++; outlives the environment where those do.
  std::shared_ptr<JsHome> js_home;
  // Gradients that the running callback of a backward pass returned; null outside of one.
  std::vector<at::Tensor>* backward_results = nullptr;
  TensorRegistry tensors;
  Background background;  // what background() defers
  size_t max_buffer_bytes = size_t{1}
                            << 32;        // of an ArrayBuffer; lib/native/index.ts sets the limit of this V8
  bool external_buffers_refused = false;  // by this runtime, as by Electron's: copies are made instead
  // Present while inference mode is on: the guard is what libtorch offers to enter and leave the mode.
  std::optional<c10::InferenceMode> inference_mode;
  std::unique_ptr<Recorder> compilation;  // present while a network is compiled
  Recorder* recorder = nullptr;           // the same, while its forward runs: it receives every call
  // Reading results back, and preparing batches: each in order on its own thread.
  JobQueue compute{"dyconv compute", std::make_shared<ThreadLane>("dyconv compute")};
  JobQueue data{"dyconv data", std::make_shared<ThreadLane>("dyconv data")};
  // Runs of programs, each on the lane of its program (programs.h).
  JobQueue programs{"dyconv programs"};
  // Communication with other processes, each wait on its own lane (bindings/distributed.cc).
  JobQueue distributed{"dyconv distributed"};
  bool environment_closed = false;

  static AddonData& Of(Napi::Env env) { return *env.GetInstanceData<AddonData>(); }
  // Called when the environment closes and whenever a tensor's object goes: the later of both deletes.
  void DeleteIfUnused();
};

}  // namespace dyconv
