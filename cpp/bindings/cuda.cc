// Devices, memory and graphs on a GPU.
#include <algorithm>
#include <map>
#include <mutex>

#include "bindings/bindings.h"
#include "ops/cuda/device.h"
#include "ops/cuda/kernels.h"
#include "ops/dynamic_conv/tuning.h"

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

constexpr size_t kTuningSizes = 9, kTuningTimes = 2 * kTunedAlgorithms.size();

// One row of a table, as lib/ops/cuda-tuning.ts writes it.
TuningRow TuningRowOf(const int64_t* sizes, const double* times) {
  TuningRow row;
  row.element = static_cast<kernels::cuda::Element>(sizes[0]);
  row.batch = sizes[1], row.in_channels = sizes[2], row.out_channels = sizes[3], row.size = sizes[4];
  row.kernel = sizes[5], row.stride = sizes[6], row.groups = sizes[7], row.experts = sizes[8];
  for (size_t a = 0; a < kTunedAlgorithms.size(); ++a)
    for (auto& step : row.ms) step[a] = *times++;
  return row;
}

// Tables [n], their splits [n, 2], the number of rows of each [n], and all rows, one after the other.
void SetTuning(const std::vector<std::string>& gpus, const std::vector<std::string>& capabilities,
               const std::vector<int64_t>& splits, const std::vector<int64_t>& counts,
               const std::vector<int64_t>& sizes, const std::vector<double>& times) {
  const size_t rows = sizes.size() / kTuningSizes;
  size_t counted = 0;
  for (const int64_t count : counts)
    counted += count < 0 ? rows + 1 : std::min(static_cast<size_t>(count), rows + 1);
  Require(capabilities.size() == gpus.size() && splits.size() == 2 * gpus.size() &&
              counts.size() == gpus.size() && counted == rows && sizes.size() == rows * kTuningSizes &&
              times.size() == rows * kTuningTimes,
          ErrorKind::kArgument, "Expected ", kTuningSizes, " sizes and ", kTuningTimes,
          " times for every row of ", gpus.size(), " tables but received ", sizes.size(), " and ",
          times.size());
  for (const int64_t split : splits)
    Require(split > 0 && split < int64_t{1} << 31, ErrorKind::kArgument,
            "Expected splits from 1 to 2^31 - 1 but received ", split);
  TuningTables tables;
  size_t row = 0;
  for (size_t i = 0; i < gpus.size(); ++i) {
    std::vector<TuningRow> own;
    for (int64_t n = 0; n < counts[i]; ++n, ++row)
      own.push_back(TuningRowOf(&sizes[row * kTuningSizes], &times[row * kTuningTimes]));
    tables.emplace_back(gpus[i], capabilities[i], kernels::cuda::MixSplits{splits[2 * i], splits[2 * i + 1]},
                        std::move(own));
  }
  SetTuningTables(std::move(tables));
}

// What the tables have for a GPU and a problem: names of algorithms, fastest first.
std::vector<std::string> TuningRanking(const std::string& gpu, const std::string& capability, int64_t element,
                                       const std::array<int64_t, 10>& sizes, bool training) {
  const auto tables = CurrentTuningTables();
  const TuningTable* table = tables == nullptr ? nullptr : TableFor(*tables, gpu, capability);
  if (table == nullptr) return {};
  kernels::DynamicConvShape s;
  s.batch = sizes[0], s.in_channels = sizes[1], s.out_channels = sizes[2], s.in_h = sizes[3],
  s.in_w = sizes[4];
  s.kernel_h = s.kernel_w = sizes[5], s.stride_h = s.stride_w = sizes[6], s.groups = sizes[7];
  s.experts = sizes[8], s.dilation_h = s.dilation_w = sizes[9];
  std::vector<std::string> ranking;
  const auto step = training ? TuningStep::kTrain : TuningStep::kInfer;
  for (const auto id : table->Ranking(s, static_cast<kernels::cuda::Element>(element), step)) {
    for (const auto& [name, one] : kDynamicConvAlgorithmNames)
      if (one == id) ranking.emplace_back(name);
  }
  return ranking;
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
      Bind("setCudaTuning(gpus, capabilities, splits, counts, sizes, times)", SetTuning),
      Bind("cudaTuningIsSet()", TuningTablesAreSet),
      Bind("cudaTuningRanking(gpu, capability, element, sizes, training)", TuningRanking),
      Bind("pinMemory(input)", [](const Tensor& x) { return x.pin_memory(); }),
      Bind("isPinned(input)", [](const Tensor& x) { return x.is_pinned(); }),
  };
  return table;
}

}  // namespace dyconv
