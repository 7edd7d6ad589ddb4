// Devices, memory and graphs on a GPU.
#include <map>
#include <mutex>

#include "bindings/bindings.h"
#include "ops/cuda/device.h"
#include "ops/cuda/kernels.h"

namespace dyconv {
namespace {

using at::Tensor;

// Graphs by the number that JavaScript uses for them. Per process: libtorch allows one capture at a time.
struct Graphs {
  std::mutex mutex;
  std::map<int64_t, std::shared_ptr<CudaGraph>> by_id;
  int64_t next = 1;

  static Graphs& All() {
    static auto* graphs = new Graphs;  // outlives the environments; remaining graphs end with the process
    return *graphs;
  }
  std::shared_ptr<CudaGraph> Get(int64_t id) {
    const std::lock_guard lock(mutex);
    const auto found = by_id.find(id);
    if (found == by_id.end())
      throw TypedError(ErrorKind::kDisposed, "Expected a graph that was not disposed");
    return found->second;
  }
};

int64_t BeginGraph(int64_t device) {
  auto graph = std::make_shared<CudaGraph>();
  graph->Begin(device);
  Graphs& graphs = Graphs::All();
  const std::lock_guard lock(graphs.mutex);
  graphs.by_id[graphs.next] = std::move(graph);
  return graphs.next++;
}

void DisposeGraph(int64_t id) {
  Graphs& graphs = Graphs::All();
  const std::lock_guard lock(graphs.mutex);
  graphs.by_id.erase(id);
}

auto DeviceProperties(int64_t index) {
  const CudaDevice device = GetCudaDevice(index);
  return std::make_tuple(device.name, device.major, device.minor, device.total_memory,
                         device.multiprocessors);
}

auto MemoryStats(int64_t index) {
  const CudaMemory m = GetCudaMemory(index);
  return std::make_tuple(m.allocated, m.peak_allocated, m.reserved, m.peak_reserved, m.free, m.total,
                         m.retries, m.failures);
}

}  // namespace

const OpTable& CudaOps() {
  static const OpTable table = {
      Bind("cudaKernels()", [] { return CudaKernelsBuilt(); }),
      Bind("cudaRuntime()", [] { return CudaRuntimeBuilt(); }),
      Bind("cudaProblem()", CudaProblem),
      Bind("cudaDeviceProperties(device)", DeviceProperties),
      Bind("cudaMemoryStats(device)", MemoryStats),
      Bind("cudaResetPeaks(device)", ResetCudaPeaks),
      Bind("cudaEmptyCache()", EmptyCudaCache),
      Bind("cudaSynchronize(device)", SynchronizeCuda),
      Bind("cudaGraphBegin(device)", BeginGraph),
      Bind("cudaGraphEnd(graph)", [](int64_t id) { Graphs::All().Get(id)->End(); }),
      Bind("cudaGraphAbandon(graph)",
           [](int64_t id) {
             Graphs::All().Get(id)->Abandon();
             DisposeGraph(id);
           }),
      Bind("cudaGraphReplay(graph)", [](int64_t id) { Graphs::All().Get(id)->Replay(); }),
      Bind("cudaGraphDispose(graph)", DisposeGraph),
      Bind("setCudaFlags(matmulTf32, convTf32, benchmark, deterministic)",
           [](const std::optional<bool>& matmul, const std::optional<bool>& conv,
              const std::optional<bool>& benchmark, const std::optional<bool>& deterministic) {
             at::Context& context = at::globalContext();
             if (matmul) context.setAllowTF32CuBLAS(*matmul);
             if (conv) context.setAllowTF32CuDNN(*conv);
             if (benchmark) context.setBenchmarkCuDNN(*benchmark);
             if (deterministic) context.setDeterministicCuDNN(*deterministic);
           }),
      Bind("pinMemory(input)", [](const Tensor& x) { return x.pin_memory(); }),
      Bind("isPinned(input)", [](const Tensor& x) { return x.is_pinned(); }),
  };
  return table;
}

}  // namespace dyconv
