// GPUs: devices, memory in use, and whole steps captured as graphs.
#pragma once

#include <cstdint>
#include <memory>
#include <string>

namespace dyconv {

// Whether this build was made with CUDA's runtime headers. Without them the functions below throw a
// DeviceError.
bool CudaRuntimeBuilt();

// Whether the libtorch in use is a CUDA build, with or without a device.
bool HasCudaLibtorch();

// Why no device can be used, as a sentence; empty if one can.
std::string CudaProblem();

// Called when a device is short of memory, in the middle of an operation; returns true if memory may have
// been freed.
void SetCudaReclaim(bool (*reclaim)());

struct CudaDevice {
  std::string name;
  int64_t major = 0, minor = 0;  // compute capability
  int64_t total_memory = 0;      // bytes
  int64_t multiprocessors = 0;
};
CudaDevice GetCudaDevice(int64_t index);

// Bytes; peaks since the last reset.
struct CudaMemory {
  int64_t allocated = 0, peak_allocated = 0;
  int64_t reserved = 0, peak_reserved = 0;  // held by the caching allocator
  int64_t free = 0, total = 0;              // of the device
  int64_t retries = 0;                      // allocations that first had to empty the cache
  int64_t failures = 0;                     // allocations that failed for good
};
CudaMemory GetCudaMemory(int64_t index);
void ResetCudaPeaks(int64_t index);
void EmptyCudaCache();
// Waits until all queued work of the device is complete.
void SynchronizeCuda(int64_t index);

// Work that a thread queues between Begin and End is recorded instead of run, and can be replayed as one
// launch. It must not depend on values read back in between, and the tensors that it reads must keep their
// memory.
class CudaGraph {
 public:
  CudaGraph();
  ~CudaGraph();
  // From here to End the thread queues work on the stream of the graph.
  void Begin(int64_t index);
  void End();
  // Ends the capture after an error; the graph cannot be replayed.
  void Abandon() noexcept;
  void Replay();

 private:
  struct State;
  std::unique_ptr<State> state_;
};

}  // namespace dyconv
