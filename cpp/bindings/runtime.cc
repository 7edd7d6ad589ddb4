// Modes, tidy scopes, threads, generators, versions.
#include <ATen/autocast_mode.h>
#include <ATen/Context.h>
#include <ATen/CPUGeneratorImpl.h>
#include <ATen/detail/CUDAHooksInterface.h>
#include <ATen/Parallel.h>
#include <torch/version.h>

#include <mutex>

#include "bindings/bindings.h"
#include "napi/hot_path.h"
#include "ops/cuda/device.h"
#include "ops/memory/caching_allocator.h"

namespace dyconv {
namespace {

using at::Tensor;

// lib/native/index.ts passes the error classes once, in the order of ErrorKind.
void SetErrorClasses(Call& call, const std::vector<Napi::Function>& classes) {
  if (classes.size() != kErrorKinds || !call.data.error_classes[0].IsEmpty())
    throw TypedError(ErrorKind::kArgument, "Expected a class for each error kind, once, for classes");
  for (size_t i = 0; i < kErrorKinds; ++i) call.data.error_classes[i] = Napi::Persistent(classes[i]);
}

// The function that collects garbage; its argument says whether young objects are enough.
void SetCollector(Call& call, Napi::Function collector) {
  if (!call.data.collector.IsEmpty())
    throw TypedError(ErrorKind::kArgument, "Expected collector of setCollector to be set once");
  call.data.collector = Napi::Persistent(collector);
}

// The longest ArrayBuffer of this V8, which Node-API cannot query.
void SetMaxBufferBytes(Call& call, int64_t bytes) {
  Require(bytes > 0, ErrorKind::kArgument,
          "Expected an integer of at least 1 for bytes of setMaxBufferBytes");
  call.data.max_buffer_bytes = static_cast<size_t>(bytes);
}

void SetTensorClass(Call& call, Napi::Function tensor_class) {
  if (!call.data.tensor_class.IsEmpty())
    throw TypedError(ErrorKind::kArgument, "Expected tensorClass of setTensorClass to be set once");
  call.data.tensor_class = Napi::Persistent(tensor_class);
}

// The function that returns a number for the place that creates a tensor; null switches tracing off.
void SetTracer(Call& call, const std::optional<Napi::Function>& tracer) {
  call.data.tracer = tracer ? Napi::Persistent(*tracer) : Napi::FunctionReference();
}

std::vector<std::tuple<int64_t, int64_t, int64_t>> Creations(const TensorRegistry& tensors) {
  std::vector<std::tuple<int64_t, int64_t, int64_t>> result;
  for (const auto& use : tensors.UseByCreation()) result.emplace_back(use.creation, use.tensors, use.bytes);
  return result;
}

// Inference mode is left before grad mode is set and entered after it, as its guard restores the grad mode.
void SetMode(Call& call, bool grad, bool inference) {
  call.data.inference_mode.reset();
  at::GradMode::set_enabled(grad);
  if (inference) call.data.inference_mode.emplace();
}

// torch.autocast on every device: operations on the device's list convert their arguments to this dtype.
// Converted weights are kept until the next call, as PyTorch keeps them until the outermost block ends.
void SetAutocast(bool enabled, at::ScalarType dtype) {
  for (const auto device : {at::kCPU, at::kCUDA}) {
    at::autocast::set_autocast_enabled(device, enabled);
    at::autocast::set_autocast_dtype(device, dtype);
  }
  at::autocast::clear_cache();
}

// The random generator of a device.
at::Generator GeneratorOf(at::Device device) {
  return device.is_cpu() ? at::detail::getDefaultCPUGenerator()
                         : at::globalContext().defaultGenerator(device);
}

void SetNumThreads(int64_t threads) {
  if (threads < 1 || threads > 1024) {
    throw TypedError(ErrorKind::kArgument, "Expected an integer from 1 to 1024 for threads but received " +
                                               std::to_string(threads));
  }
  at::set_num_threads(static_cast<int>(threads));
}

// The default number of threads of the process: limited by the first environment that loads the add-on.
// Numbers that the program sets later are kept.
void LimitThreads(int64_t limit) {
  static std::once_flag once;
  std::call_once(once, [limit] {
    if (at::get_num_threads() > limit) SetNumThreads(limit);
  });
}

// The default limits of memory of the process, in the same way.
void LimitMemory(int64_t memory_limit, int64_t cache_limit) {
  static std::once_flag once;
  std::call_once(once, [memory_limit, cache_limit] {
    SetAllocatorMemoryLimit(memory_limit);
    SetAllocatorCacheLimit(cache_limit);
  });
}

}  // namespace

const OpTable& RuntimeOps() {
  static const OpTable table = {
      Bind("setErrorClasses(classes)", SetErrorClasses),
      Bind("setCollector(collector)", SetCollector),
      Bind("setTensorClass(tensorClass)", SetTensorClass),
      Bind("setMaxBufferBytes(bytes)", SetMaxBufferBytes),
      Bind("setTracer(tracer)", SetTracer),
      Bind("creations()", [](Call& call) { return Creations(call.data.tensors); }),
      Bind("setMode(grad, inference)", SetMode),
      Bind("setAutocast(enabled, dtype)", SetAutocast),
      Bind("isGradEnabled()", [] { return at::GradMode::is_enabled(); }),
      Bind("isInferenceMode()", [] { return c10::InferenceMode::is_enabled(); }),

      Bind("openScope()", [](Call& call) { return call.data.tensors.OpenScope(); }),
      Bind("enterScope(id)", [](Call& call, int64_t id) { call.data.tensors.EnterScope(id); }),
      Bind("closeScope(id, parent, keep)",
           [](Call& call, int64_t id, int64_t parent, const std::vector<TensorHandle*>& keep) {
             call.data.tensors.CloseScope(id, parent, keep);
           }),
      Bind("releaseFromScope(input)",
           [](Call& call, TensorHandle* x) { call.data.tensors.ReleaseFromScope(x); }),
      Bind("isTensor(value)",
           [](Call& call, Napi::Value value) { return FindHandle(call.data, value) != nullptr; }),
      Bind("allocatorStats()",
           [] {
             const AllocatorStats stats = GetAllocatorStats();
             return std::make_tuple(stats.allocated, stats.cached, stats.peak, stats.allocations);
           }),
      Bind("emptyCache()", EmptyAllocatorCache),
      Bind("setCacheLimit(bytes)", SetAllocatorCacheLimit),
      Bind("setMemoryLimit(bytes)", SetAllocatorMemoryLimit),
      Bind("limitMemory(memoryLimit, cacheLimit)", LimitMemory),
      Bind("liveTensors()", [](Call& call) { return call.data.tensors.live_tensors(); }),
      Bind("liveBytes()", [](Call& call) { return call.data.tensors.live_bytes(); }),

      Bind("setNumThreads(threads)", SetNumThreads),
      Bind("getNumThreads()", [] { return static_cast<int64_t>(at::get_num_threads()); }),
      Bind("limitThreads(limit)", LimitThreads),

      Bind("manualSeed(seed)", [](int64_t seed) { at::manual_seed(static_cast<uint64_t>(seed)); }),
      Bind("getRngState(device)", [](at::Device device) { return GeneratorOf(device).get_state(); }),
      Bind("setRngState(state, device)",
           [](const Tensor& state, at::Device device) { GeneratorOf(device).set_state(state); }),

      Bind("libtorchVersion()", [] { return TORCH_VERSION; }),
      Bind("cpuCapability()", [] { return at::get_cpu_capability(); }),
      Bind("cudaBuilt()", HasCudaLibtorch),
      Bind("cudaDeviceCount()",
           [] { return static_cast<int64_t>(at::detail::getCUDAHooks().deviceCount()); }),
  };
  return table;
}

}  // namespace dyconv
