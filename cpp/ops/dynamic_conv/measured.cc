#include "ops/dynamic_conv/measured.h"

#include <c10/core/GradMode.h>

#include "ops/cuda/kernels.h"
#include "ops/dynamic_conv/tuning.h"

namespace dyconv {
namespace {

bool IsRecorded(const DynamicConvProblem& p) {
  if (!c10::GradMode::is_enabled()) return false;
  return p.input.requires_grad() || p.weight.requires_grad() || p.attention.requires_grad() ||
         (p.bias && p.bias->requires_grad());
}

const TuningTable* TableOf(const TuningTables& tables, const at::Tensor& tensor) {
  const GpuName& gpu = GpuNameOf(tensor);
  return TableFor(tables, gpu.name, gpu.capability);
}

}  // namespace

std::vector<DynamicConvAlgorithm> MeasuredRanking(const DynamicConvProblem& p) {
  const auto tables = CurrentTuningTables();
  if (tables == nullptr || !CudaKernelsTake(p.input)) return {};
  const TuningTable* table = TableOf(*tables, p.input);
  if (table == nullptr) return {};
  const auto step = IsRecorded(p) ? TuningStep::kTrain : TuningStep::kInfer;
  return table->Ranking(p.shape, ElementOf(p.input), step);
}

kernels::cuda::MixSplits MeasuredSplits(const at::Tensor& tensor) {
  const auto tables = CurrentTuningTables();
  const TuningTable* table = tables == nullptr ? nullptr : TableOf(*tables, tensor);
  return table == nullptr ? kernels::cuda::MixSplits{} : table->splits();
}

}  // namespace dyconv
