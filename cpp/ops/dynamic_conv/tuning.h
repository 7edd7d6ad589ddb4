// Measured times of dynamic convolutions on GPUs: which algorithm is the fastest for a problem, and how the
// kernels divide their work. The format is described in docs/cuda.md. Plain C++: no libtorch, no CUDA.
#pragma once

#include <array>
#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "kernels/cuda/kernels.h"
#include "kernels/kernel.h"
#include "ops/dynamic_conv/algorithm.h"

namespace dyconv {

// The algorithms that a table may compare.
inline constexpr std::array kTunedAlgorithms{DynamicConvAlgorithm::kMixOnce, DynamicConvAlgorithm::kFusedCuda,
                                             DynamicConvAlgorithm::kMixCuda, DynamicConvAlgorithm::kMixAfter};

enum class TuningStep { kInfer, kTrain };

// A measured problem: square images, kernels and strides, dilation 1.
struct TuningRow {
  kernels::cuda::Element element = kernels::cuda::Element::kFloat;
  int64_t batch = 0, in_channels = 0, out_channels = 0, size = 0, experts = 0;
  int64_t kernel = 0, stride = 1, groups = 1;
  // Milliseconds by step and algorithm, in the order of kTunedAlgorithms; infinite if not measured.
  std::array<std::array<double, kTunedAlgorithms.size()>, 2> ms{};
};

// The measurements of one GPU.
class TuningTable {
 public:
  // `capability` is the compute capability, such as "9.0".
  TuningTable(std::string gpu, std::string capability, kernels::cuda::MixSplits splits,
              std::vector<TuningRow> rows);

  const std::string& gpu() const { return gpu_; }
  const std::string& capability() const { return capability_; }
  const kernels::cuda::MixSplits& splits() const { return splits_; }

  // The algorithms in the order of their times in the nearest row, without those that were not measured.
  // Empty if no row is near: see docs/cuda.md.
  std::vector<DynamicConvAlgorithm> Ranking(const kernels::DynamicConvShape& shape,
                                            kernels::cuda::Element element, TuningStep step) const;

 private:
  struct Row {
    TuningRow measured;
    std::array<double, 5> logs;  // of the sizes that need not be equal
  };
  const Row* Nearest(const kernels::DynamicConvShape& shape, kernels::cuda::Element element) const;

  std::string gpu_, capability_;
  kernels::cuda::MixSplits splits_;
  std::vector<Row> rows_;
};

// The tables of the process. Operations on other threads may use the previous ones until they end.
using TuningTables = std::vector<TuningTable>;
void SetTuningTables(TuningTables tables);
// Whether they were set, even to none.
bool TuningTablesAreSet();
std::shared_ptr<const TuningTables> CurrentTuningTables();  // null if there are none

// The table of a GPU: the first one with its name, otherwise the first one with its compute capability;
// null if there is none.
const TuningTable* TableFor(const TuningTables& tables, const std::string& gpu,
                            const std::string& capability);

}  // namespace dyconv
