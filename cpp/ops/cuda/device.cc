#include "ops/cuda/device.h"

#include "typed_error.h"

#include <ATen/detail/CUDAHooksInterface.h>
#include <c10/util/Exception.h>

#include <atomic>

#if defined(DYCONV_CUDA_RUNTIME)
#include <ATen/cuda/CUDAGraph.h>
#include <c10/cuda/CUDACachingAllocator.h>
#include <c10/cuda/CUDAFunctions.h>
#include <c10/cuda/CUDAGuard.h>
#include <c10/cuda/CUDAStream.h>
#include <cuda_runtime_api.h>
#endif

namespace dyconv {

namespace {
bool (*reclaim_memory)() = nullptr;
}

// at::hasCUDA() would also require a device.
bool HasCudaLibtorch() { return at::detail::getCUDAHooks().compiledWithCuDNN(); }

void SetCudaReclaim(bool (*reclaim)()) { reclaim_memory = reclaim; }

#if defined(DYCONV_CUDA_RUNTIME)

namespace {

void Check(cudaError_t error, const char* call) {
  if (error != cudaSuccess) Fail(ErrorKind::kDevice, "CUDA: ", call, " failed: ", cudaGetErrorString(error));
}

c10::DeviceIndex Existing(int64_t index) {
  const auto count = static_cast<int64_t>(c10::cuda::device_count());
  Require(index >= 0 && index < count, ErrorKind::kDevice,
          "Expected a CUDA device that is there but received cuda:", index, " of ", count, " devices");
  return static_cast<c10::DeviceIndex>(index);
}

c10::CachingDeviceAllocator::DeviceStats StatsOf(c10::DeviceIndex index) {
  // The allocator has a device only after the first allocation there.
  const c10::cuda::CUDAGuard guard(index);
  c10::cuda::CUDACachingAllocator::raw_delete(c10::cuda::CUDACachingAllocator::raw_alloc(1));
  return c10::cuda::CUDACachingAllocator::getDeviceStats(index);
}

// The caching allocator calls this when it has no free block that fits, before it allocates from the device;
// it does not pass the size. Nothing is freed during the capture of a graph, or while the device has enough
// memory: a quarter of it is free, and the memory in use has grown by less than an eighth since the last
// time.
class ReclaimMemory : public c10::FreeMemoryCallback {
 public:
  bool Execute() override {
    if (reclaim_memory == nullptr) return false;
    if (c10::cuda::currentStreamCaptureStatusMayInitCtx() != c10::cuda::CaptureStatus::None) return false;
    size_t free = 0, total = 0;
    if (cudaMemGetInfo(&free, &total) != cudaSuccess) return false;
    const auto eighth = static_cast<int64_t>(total / 8);
    if (free > total / 4 && InUse() - in_use_.load() < eighth) return false;
    const bool reclaimed = reclaim_memory();
    in_use_ = InUse();
    return reclaimed;
  }

 private:
  static int64_t InUse() {
    constexpr size_t kAll = 0;  // small and large blocks
    const auto stats = c10::cuda::CUDACachingAllocator::getDeviceStats(c10::cuda::current_device());
    return stats.allocated_bytes[kAll].current;
  }

  // At the last collection, on any device. The allocator creates an object for every query.
  static inline std::atomic<int64_t> in_use_{0};
};

using c10::FreeCudaMemoryCallbacksRegistry, c10::RegistererFreeCudaMemoryCallbacksRegistry;
REGISTER_FREE_MEMORY_CALLBACK("dyconv", ReclaimMemory)

}  // namespace

bool CudaRuntimeBuilt() { return true; }

std::string CudaProblem() {
  if (c10::cuda::device_count() > 0) return "";
  try {
    c10::cuda::device_count_ensure_non_zero();
    return "no CUDA device is found";
  } catch (const c10::Error& error) {
    return error.what_without_backtrace();  // such as: no driver, or one too old for this CUDA
  }
}

CudaDevice GetCudaDevice(int64_t index) {
  cudaDeviceProp properties;
  Check(cudaGetDeviceProperties(&properties, Existing(index)), "cudaGetDeviceProperties");
  return {.name = properties.name,
          .major = properties.major,
          .minor = properties.minor,
          .total_memory = static_cast<int64_t>(properties.totalGlobalMem),
          .multiprocessors = properties.multiProcessorCount};
}

CudaMemory GetCudaMemory(int64_t index) {
  const auto device = Existing(index);
  const auto stats = StatsOf(device);
  constexpr size_t kAll = 0;  // small and large blocks
  const auto &allocated = stats.allocated_bytes[kAll], &reserved = stats.reserved_bytes[kAll];
  const c10::cuda::CUDAGuard guard(device);
  size_t free = 0, total = 0;
  Check(cudaMemGetInfo(&free, &total), "cudaMemGetInfo");
  return {.allocated = allocated.current,
          .peak_allocated = allocated.peak,
          .reserved = reserved.current,
          .peak_reserved = reserved.peak,
          .free = static_cast<int64_t>(free),
          .total = static_cast<int64_t>(total),
          .retries = stats.num_alloc_retries,
          .failures = stats.num_ooms};
}

void ResetCudaPeaks(int64_t index) {
  const auto device = Existing(index);
  StatsOf(device);
  c10::cuda::CUDACachingAllocator::resetPeakStats(device);
}

void EmptyCudaCache() {
  if (c10::cuda::device_count() > 0) c10::cuda::CUDACachingAllocator::emptyCache();
}

void SynchronizeCuda(int64_t index) {
  const c10::cuda::CUDAGuard guard(Existing(index));
  c10::cuda::device_synchronize();
}

struct CudaGraph::State {
  at::cuda::CUDAGraph graph;
  std::optional<c10::cuda::CUDAStreamGuard> stream;
  bool captured = false;
};

CudaGraph::CudaGraph() = default;
CudaGraph::~CudaGraph() { Abandon(); }

void CudaGraph::Begin(int64_t index) {
  const auto device = Existing(index);
  Require(state_ == nullptr, ErrorKind::kArgument, "Expected a graph that has not been captured yet");
  state_ = std::make_unique<State>();
  const auto stream = c10::cuda::getStreamFromPool(/*isHighPriority=*/false, device);
  // Work on the ordinary stream must be complete before work on another one reads it.
  SynchronizeCuda(index);
  state_->stream.emplace(stream);
  state_->graph.capture_begin({0, 0}, cudaStreamCaptureModeThreadLocal);
}

void CudaGraph::End() {
  Require(state_ != nullptr && state_->stream, ErrorKind::kArgument,
          "Expected a graph that is being captured");
  state_->graph.capture_end();
  state_->stream.reset();
  state_->captured = true;
}

void CudaGraph::Abandon() noexcept {
  if (state_ == nullptr || !state_->stream) return;
  try {
    state_->graph.capture_end();
  } catch (const std::exception&) {
    // Only the error that led here is reported.
  }
  state_.reset();
}

void CudaGraph::Replay() {
  Require(state_ != nullptr && state_->captured, ErrorKind::kArgument,
          "Expected a graph that has been captured");
  state_->graph.replay();
}

#else

namespace {
[[noreturn]] void FailWithoutCudaRuntime() {
  Fail(ErrorKind::kDevice, "CUDA: this add-on was built without CUDA's runtime headers");
}
}  // namespace

struct CudaGraph::State {};

bool CudaRuntimeBuilt() { return false; }
std::string CudaProblem() {
  if (!HasCudaLibtorch()) return "the libtorch in use is a CPU build without CUDA";
  return at::detail::getCUDAHooks().deviceCount() > 0 ? "" : "no CUDA device is found";
}
CudaDevice GetCudaDevice(int64_t) { FailWithoutCudaRuntime(); }
CudaMemory GetCudaMemory(int64_t) { FailWithoutCudaRuntime(); }
void ResetCudaPeaks(int64_t) { FailWithoutCudaRuntime(); }
void EmptyCudaCache() {}
void SynchronizeCuda(int64_t) { FailWithoutCudaRuntime(); }
CudaGraph::CudaGraph() = default;
CudaGraph::~CudaGraph() = default;
void CudaGraph::Begin(int64_t) { FailWithoutCudaRuntime(); }
void CudaGraph::End() { FailWithoutCudaRuntime(); }
void CudaGraph::Abandon() noexcept {}
void CudaGraph::Replay() { FailWithoutCudaRuntime(); }

#endif

}  // namespace dyconv
