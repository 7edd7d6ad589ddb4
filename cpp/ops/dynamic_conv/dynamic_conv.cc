#include "ops/dynamic_conv/dynamic_conv.h"

#include <ATen/autocast_mode.h>
#include <c10/core/impl/LocalDispatchKeySet.h>
#include <c10/util/Exception.h>

#include "ops/cuda/kernels.h"
#include "ops/dynamic_conv/autograd.h"
#include "ops/dynamic_conv/composed.h"
#include "ops/dynamic_conv/cuda.h"
#include "ops/dynamic_conv/measured.h"
#include "ops/dynamic_conv/reference.h"
#include "ops/dynamic_conv/relative_experts.h"
#include "ops/dynamic_conv/winograd_cost.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using Id = DynamicConvAlgorithm;
using Problem = DynamicConvProblem;

struct Algorithm {
  Id id;
  // Whether it can compute the problem, if requested by name.
  bool (*applies)(const Problem&);
  // Whether kAuto should choose it, given that it applies and no earlier one was chosen.
  bool (*wins)(const Problem&);
  at::Tensor (*run)(const Problem&);
  // The instruction set of its kernels.
  kernels::Isa isa = kernels::kIsas[0];
  // Whether it needs CUDA kernels, which a build may lack.
  bool cuda = false;

  bool Available() const { return kernels::IsaAvailable(isa) && (!cuda || CudaKernelsBuilt()); }
};

bool Always(const Problem&) { return true; }
bool Never(const Problem&) { return false; }
bool WinogradForwardWins(const Problem& p) {
  const auto cost = WinogradForwardCost(p.shape, MixingOf(p));
  const bool bf16 = p.is(at::kBFloat16) && kernels::Kernels(p.isa).CanMultiplyBf16(p.shape);
  return bf16 ? cost.WinsOverBf16() : cost.Wins();
}
bool WinogradWins(const Problem& p) {
  return WinogradForwardWins(p) && WinogradBackwardCost(p.shape, MixingOf(p)).Wins();
}
bool OneSample(const Problem& p) { return p.shape.batch == 1; }

template <at::Tensor (*kRun)(const Problem&), kernels::Isa kIsa>
at::Tensor RunOn(const Problem& p) {
  Problem problem = p;
  problem.isa = kIsa;
  return kRun(problem);
}

template <int64_t kHeight, int64_t kWidth>
bool TilesApply(const Problem& p) {
  const int64_t most = kernels::MostWinogradTile(p.shape.kernel_h);
  return WinogradDynamicConvApplies(p) && kHeight <= most && kWidth <= most;
}

template <int64_t kHeight, int64_t kWidth>
at::Tensor RunTiles(const Problem& p) {
  Problem problem = p;
  problem.tile = {kHeight, kWidth};
  return DynamicConvWinograd(problem);
}

using kernels::Isa;

// The algorithms in the order of kAuto. The conditions come from measurements: docs/dynamic-convolution.md. A
// table of measurements on a GPU goes before them.
constexpr Algorithm kAlgorithms[] = {
    {Id::kMixOnce, OneSample, Always, DynamicConvMixOnce},
    {Id::kDepthwise, DepthwiseDynamicConvApplies, Always, DynamicConvDepthwise},
    {Id::kWinograd, WinogradDynamicConvApplies, WinogradWins, DynamicConvWinograd},
    {Id::kWinogradForward, WinogradDynamicConvApplies, WinogradForwardWins, DynamicConvWinogradForward},
    {Id::kFused, FusedDynamicConvApplies, Always, DynamicConvFused},
    {Id::kFusedCuda, CudaFusedApplies, CudaFusedWins, DynamicConvCudaFused, kernels::kIsas[0], true},
    {Id::kMixCuda, CudaMixApplies, Always, DynamicConvCudaMix, kernels::kIsas[0], true},
    {Id::kMixAfter, Always, Always, DynamicConvMixAfter},
    // For comparison: never chosen.
    {Id::kGrouped, Always, Never, DynamicConvGrouped},
    {Id::kDepthwiseAvx2, DepthwiseDynamicConvApplies, Never, RunOn<DynamicConvDepthwise, Isa::kAvx2>,
     Isa::kAvx2},
    {Id::kDepthwisePortable, DepthwiseDynamicConvApplies, Never, RunOn<DynamicConvDepthwise, Isa::kPortable>,
     Isa::kPortable},
    {Id::kFusedAvx2, FusedDynamicConvApplies, Never, RunOn<DynamicConvFused, Isa::kAvx2>, Isa::kAvx2},
    {Id::kFusedPortable, FusedDynamicConvApplies, Never, RunOn<DynamicConvFused, Isa::kPortable>,
     Isa::kPortable},
    {Id::kWinograd2x3, TilesApply<2, 3>, Never, RunTiles<2, 3>},
    {Id::kWinograd3x4, TilesApply<3, 4>, Never, RunTiles<3, 4>},
    {Id::kWinograd4x2, TilesApply<4, 2>, Never, RunTiles<4, 2>},
    {Id::kWinogradAvx2, WinogradDynamicConvApplies, Never, RunOn<DynamicConvWinograd, Isa::kAvx2>,
     Isa::kAvx2},
    {Id::kWinogradPortable, WinogradDynamicConvApplies, Never, RunOn<DynamicConvWinograd, Isa::kPortable>,
     Isa::kPortable},
    {Id::kReference, Always, Always, DynamicConvReference},
};

const char* AlgorithmNameOf(Id id) {
  for (const auto& [name, one] : kDynamicConvAlgorithmNames)
    if (one == id) return name;
  Fail(ErrorKind::kNative, "Expected a known algorithm but received ", static_cast<int>(id));
}

// The fastest algorithm on this GPU for such a problem, if a table has it (measured.h).
const Algorithm* ChooseMeasured(const Problem& problem) {
  for (const Id id : MeasuredRanking(problem)) {
    for (const auto& algorithm : kAlgorithms)
      if (algorithm.id == id && algorithm.Available() && algorithm.applies(problem)) return &algorithm;
  }
  return nullptr;
}

const Algorithm& ChooseAlgorithm(const Problem& problem, Id id) {
  if (id == Id::kAuto) {
    if (const Algorithm* measured = ChooseMeasured(problem)) return *measured;
  }
  for (const auto& algorithm : kAlgorithms) {
    if (!algorithm.Available()) continue;
    if (id == Id::kAuto) {
      if (algorithm.applies(problem) && algorithm.wins(problem)) return algorithm;
    } else if (id == algorithm.id) {
      Require(algorithm.applies(problem), ErrorKind::kArgument, "Expected a problem that ",
              AlgorithmNameOf(id), " can compute for algorithm but received input ", problem.input.sizes(),
              " on ", problem.input.device(), " and weight ", problem.weight.sizes());
      return algorithm;
    }
  }
  Fail(ErrorKind::kArgument, "Expected an algorithm that this machine can run for algorithm but received ",
       AlgorithmNameOf(id));
}

}  // namespace

at::Tensor DynamicConv2d(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& attention,
                         const std::optional<at::Tensor>& bias, const DynamicConvOptions& options) {
  const auto device = input.device().type();
  if (!at::autocast::is_autocast_enabled(device)) {
    const auto problem = MakeDynamicConvProblem(input, weight, attention, bias, options);
    return ChooseAlgorithm(problem, options.algorithm).run(problem);
  }
  // As PyTorch's convolutions do; the attention stays float32.
  c10::impl::ExcludeDispatchKeyGuard no_autocast(c10::autocast_dispatch_keyset);
  const auto cast = [type = at::autocast::get_autocast_dtype(device), device](const at::Tensor& tensor) {
    return at::autocast::cached_cast(type, tensor, device);
  };
  const auto problem = MakeDynamicConvProblem(cast(input), cast(weight), attention,
                                              bias ? std::optional<at::Tensor>(cast(*bias)) : bias, options);
  return ChooseAlgorithm(problem, options.algorithm).run(problem);
}

std::vector<DynamicConvAlgorithm> DynamicConvAlgorithms() {
  std::vector<DynamicConvAlgorithm> available;
  for (const auto& algorithm : kAlgorithms) {
    if (algorithm.Available()) available.push_back(algorithm.id);
  }
  return available;
}

DynamicConvAlgorithm DynamicConvChoice(const at::Tensor& input, const at::Tensor& weight,
                                       const at::Tensor& attention, const std::optional<at::Tensor>& bias,
                                       const DynamicConvOptions& options) {
  return ChooseAlgorithm(MakeDynamicConvProblem(input, weight, attention, bias, options), options.algorithm)
      .id;
}

}  // namespace dyconv
