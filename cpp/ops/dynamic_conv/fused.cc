#include "ops/dynamic_conv/fused.h"

#include <ATen/ops/empty.h>

#include <algorithm>
#include <array>
#include <cmath>
#include <optional>

#include "ops/dynamic_conv/relative_experts.h"
#include "ops/dynamic_conv/tensors.h"
#include "ops/dynamic_conv/winograd_cost.h"

namespace dyconv {
namespace {

// Samples are packed for the backward in chunks of about this many floats.
constexpr int64_t kChunkFloats = 4 << 20;

at::Tensor EmptyImage(const DynamicConvProblem& p, at::ScalarType dtype, at::IntArrayRef sizes) {
  return at::empty(sizes, p.input.options().dtype(dtype).memory_format(p.input.suggest_memory_format()));
}

// Operations that the direct and the Winograd form implement differently.
struct TiledKernels {
  kernels::DynamicConvPlan plan;
  decltype(kernels::KernelTable::PackForwardWeight) pack_forward, pack_backward, unpack;
  decltype(kernels::KernelTable::DynamicConvForward) forward, pack_samples, grad_input;
  bool relative_forward = true;  // whether the forward can mix experts relative to the first
};

TiledKernels DirectKernels(const DynamicConvProblem& p, int64_t threads) {
  const auto& t = kernels::Kernels(p.isa);
  const bool bf16 = p.is(at::kBFloat16) && t.CanMultiplyBf16(p.shape);
  return {t.PlanDynamicConv(p.shape, threads),
          t.PackForwardWeight,
          t.PackBackwardWeight,
          t.UnpackWeightGrad,
          bf16 ? t.DynamicConvForwardBf16 : t.DynamicConvForward,
          t.PackBackwardSamples,
          t.DynamicConvGradInput,
          !bf16};
}

TiledKernels WinogradKernels(const DynamicConvProblem& p, int64_t threads,
                             const kernels::WinogradTile& tile) {
  const auto& t = kernels::Kernels(p.isa);
  return {t.PlanWinograd(p.shape, threads, tile),
          t.PackWinogradForward,
          t.PackWinogradBackward,
          t.UnpackWinogradGrad,
          t.WinogradForward,
          t.PackWinogradSamples,
          t.WinogradGradInput};
}

// `not_finite` is set to 1 if Winograd's form met numbers that it cannot compute with.
at::Tensor TiledForward(const DynamicConvProblem& p, int64_t threads, const TiledKernels& run,
                        uint8_t* not_finite) {
  const auto& s = p.shape;
  const auto& plan = run.plan;
  const DynamicConvTensors tensors(p, /*keep_bf16_input=*/true);
  const auto output = EmptyImage(p, tensors.input.scalar_type(), {s.batch, s.out_channels, s.out_h, s.out_w});
  auto args = tensors.KernelArgs(p, plan);
  args.not_finite = not_finite;
  const auto relative = run.relative_forward ? RelativeExperts::Of(p, tensors) : std::nullopt;
  if (relative) relative->SetUp(args);
  if (output.scalar_type() == at::kBFloat16) {
    args.output16 = static_cast<uint16_t*>(output.mutable_data_ptr());
  } else {
    args.output = output.data_ptr<float>();
  }
  args.output_strides = StridesOf(output);

  Scratch scratch(Scratch::Rounded(plan.forward_weight) + threads * Scratch::Rounded(plan.forward_scratch));
  args.packed_weight = scratch.Take(plan.forward_weight);
  float* own = scratch.Take(threads * Scratch::Rounded(plan.forward_scratch));
  ParallelScratch(threads, plan.forward_panels * s.experts, own, 0,
                  [&](int64_t begin, int64_t end, float*) { run.pack_forward(args, begin, end); });
  ParallelScratch(threads, plan.forward_items, own, plan.forward_scratch,
                  [&](int64_t begin, int64_t end, float* mine) { run.forward(args, begin, end, mine); });
  return output;
}

// The memory layout of a chunk of packed samples of `floats` each. Winograd's form stores one point of all
// tiles after the other, since each product uses one point.
kernels::PackedStrides ChunkStrides(const kernels::DynamicConvShape& products, bool winograd, int64_t chunk,
                                    int64_t floats, int64_t channels) {
  if (!winograd) return {channels / products.groups, floats, channels};
  const int64_t point = floats / products.groups;
  return {chunk * point + kernels::kWinogradGap, point, point / products.in_plane()};
}

// Working memory of the backward pass: packed experts, one chunk of packed samples, and sums and scratch of
// every thread.
class BackwardWork {
 public:
  BackwardWork(const DynamicConvProblem& p, int64_t threads, const TiledKernels& run,
               const kernels::DynamicConvArgs& args)
      : chunk(ChunkSize(p, threads, run.plan)),
        attention_floats(Scratch::Rounded(p.shape.batch * p.shape.experts * run.plan.attention_lanes)),
        of_input(args),
        scratch_(Floats(Sizes(threads, run))) {
    const auto& plan = run.plan;
    const auto sizes = Sizes(threads, run);
    of_input.packed_weight = scratch_.Take(sizes[0]);
    of_input.packed_weight_grad = scratch_.Take(sizes[1]);
    of_input.packed_input = scratch_.Take(sizes[2]);
    of_input.packed_grad = scratch_.Take(sizes[3]);
    attention_sums = scratch_.Take(sizes[4]);
    own = scratch_.Take(sizes[5]);
    std::fill_n(attention_sums, sizes[4], 0.0f);

    const bool winograd{plan.winograd};
    const auto products = winograd ? kernels::WinogradProducts(p.shape, plan.winograd) : p.shape;
    of_input.packed_input_strides =
        ChunkStrides(products, winograd, chunk, plan.packed_input, p.shape.in_channels);
    of_input.packed_grad_strides =
        ChunkStrides(products, winograd, chunk, plan.packed_grad, p.shape.out_channels);
    of_weight = of_input;
    of_weight.shape = products;
  }

  void TakeChunk(int64_t begin) {
    of_input.chunk_begin = of_weight.chunk_begin = begin;
    of_input.chunk_size = of_weight.chunk_size = std::min(chunk, of_input.shape.batch - begin);
  }

  const int64_t chunk;
  const int64_t attention_floats;     // of one thread
  kernels::DynamicConvArgs of_input;  // the arguments of the input gradient
  kernels::DynamicConvArgs of_weight;
  float* attention_sums;
  float* own;

 private:
  // Blocks of samples, the same number for every thread.
  static int64_t ChunkSize(const DynamicConvProblem& p, int64_t threads,
                           const kernels::DynamicConvPlan& plan) {
    const int64_t samples = plan.backward_samples * threads;
    // A static convolution only needs the sum over its samples, so a few samples are enough.
    if (p.is_static()) return std::min(p.shape.batch, samples);
    const int64_t floats = samples * (plan.packed_input + plan.packed_grad);
    return std::min(p.shape.batch, std::max<int64_t>(1, (kChunkFloats + floats / 2) / floats) * samples);
  }

  std::array<int64_t, 6> Sizes(int64_t threads, const TiledKernels& run) const {
    const auto& plan = run.plan;
    const int64_t gaps = plan.winograd ? plan.winograd.points() * kernels::kWinogradGap : 0;
    return {plan.backward_weight,
            plan.backward_weight,
            chunk * plan.packed_input + gaps,
            chunk * plan.packed_grad + gaps,
            threads * attention_floats,
            threads * Scratch::Rounded(plan.backward_scratch)};
  }

  static int64_t Floats(const std::array<int64_t, 6>& sizes) {
    int64_t floats = 0;
    for (const int64_t size : sizes) floats += Scratch::Rounded(size);
    return floats;
  }

  Scratch scratch_;
};

// Nothing if `may_skip_dot`, which takes the dot products with the first expert from the input's gradient,
// met numbers that are not finite: such a sum has all pixels, and a pixel that no output depends on has the
// gradient 0, whose product with a number that is not finite is NaN.
std::optional<DynamicConvGrads> TryTiledBackward(const DynamicConvProblem& p, int64_t threads,
                                                 const TiledKernels& run, const at::Tensor& grad_output,
                                                 const std::array<bool, 4>& needs, uint8_t* not_finite,
                                                 bool may_skip_dot) {
  const auto& s = p.shape;
  const auto& plan = run.plan;
  const DynamicConvTensors tensors(p);
  const auto grad_image = AsKernelImage(grad_output);
  const bool needs_weight = needs[1] || needs[2] || needs[3];
  auto args = tensors.KernelArgs(p, plan);
  args.not_finite = not_finite;
  args.grad_output = grad_image.const_data_ptr<float>();
  args.grad_output_strides = StridesOf(grad_image);

  DynamicConvGrads grads;
  const auto options = tensors.weight.options();
  const auto sums = at::empty({s.batch, s.out_channels}, options);
  args.grad_output_sums = sums.data_ptr<float>();
  if (needs[0]) {
    grads.input = EmptyImage(p, at::kFloat, p.input.sizes());
    args.grad_input = grads.input.data_ptr<float>();
    args.grad_input_strides = StridesOf(grads.input);
  }
  if (needs_weight) {
    grads.weight = at::empty(p.weight.sizes(), options);
    args.grad_weight = grads.weight.data_ptr<float>();
  }
  const auto relative = RelativeExperts::Of(p, tensors);
  at::Tensor totals;
  if (relative) {
    relative->SetUp(args);
    // <input, its gradient> equals the sum over the experts of attention times its gradient.
    args.skip_first_dot =
        may_skip_dot && needs[0] && needs_weight && StridesOf(grads.input) == args.input_strides;
    if (args.skip_first_dot) totals = at::empty({s.batch}, options);
  }

  BackwardWork work(p, threads, run, args);
  const auto in_parallel = [&](int64_t items, int64_t scratch, const auto& kernel) {
    ParallelScratch(threads, items, work.own, scratch, kernel);
  };
  const int64_t weight_rows = plan.backward_panels * s.out_per_group();
  in_parallel(weight_rows, 0,
              [&](int64_t begin, int64_t end, float*) { run.pack_backward(work.of_input, begin, end); });
  for (int64_t first = 0; first < s.batch; first += work.chunk) {
    work.TakeChunk(first);
    const int64_t chunk = work.of_input.chunk_size, block = plan.backward_samples;
    // Each thread packs its samples and computes their gradient immediately, while they are in its cache.
    in_parallel(
        (chunk + block - 1) / block, plan.backward_scratch, [&](int64_t begin, int64_t end, float* mine) {
          const int64_t last = std::min(end * block, chunk);
          run.pack_samples(work.of_input, begin * block, last, mine);
          if (needs[0]) run.grad_input(work.of_input, begin, end, mine);
          if (!totals.defined()) return;
          const int64_t floats = args.input_strides.batch;
          kernels::Kernels(p.isa).DotSamples(args.input, args.grad_input, floats, totals.data_ptr<float>(),
                                             first + begin * block, first + last);
        });
    if (needs_weight) {
      in_parallel(plan.backward_units, plan.backward_scratch, [&](int64_t begin, int64_t end, float* mine) {
        float* sums_of_thread = work.attention_sums + at::get_thread_num() * work.attention_floats;
        kernels::Kernels(p.isa).DynamicConvGradWeight(work.of_weight, begin, end, sums_of_thread, mine);
      });
    }
  }
  for (int64_t b = 0; totals.defined() && b < s.batch; ++b)
    if (!std::isfinite(totals.const_data_ptr<float>()[b])) return std::nullopt;
  if (needs[0]) grads.input = grads.input.to(p.input.scalar_type());
  if (!needs_weight) return grads;

  in_parallel(weight_rows, 0,
              [&](int64_t begin, int64_t end, float*) { run.unpack(work.of_input, begin, end); });
  grads.weight = grads.weight.to(p.weight.scalar_type());
  at::Tensor attention;
  if (!p.is_static()) attention = AttentionGrad(s, work.attention_sums, threads, plan.attention_lanes);
  if (relative) relative->Finish(attention, totals.defined() ? totals.const_data_ptr<float>() : nullptr);
  FinishGrads(p, tensors, attention, sums, grads);
  return grads;
}

DynamicConvGrads TiledBackward(const DynamicConvProblem& p, int64_t threads, const TiledKernels& run,
                               const at::Tensor& grad_output, const std::array<bool, 4>& needs,
                               uint8_t* not_finite) {
  auto grads = TryTiledBackward(p, threads, run, grad_output, needs, not_finite, /*may_skip_dot=*/true);
  return grads ? *grads : *TryTiledBackward(p, threads, run, grad_output, needs, not_finite, false);
}

}  // namespace

bool FusedDynamicConvApplies(const DynamicConvProblem& p) {
  return p.on_cpu() && (p.is(at::kFloat) || p.is(at::kBFloat16)) && p.shape.batch > 0 &&
         p.shape.experts <= kernels::kMaxExperts && FitsKernels(p.shape);
}

at::Tensor FusedDynamicConvForward(const DynamicConvProblem& p) {
  const int64_t threads = ThreadsFor(p.shape);
  return TiledForward(p, threads, DirectKernels(p, threads), nullptr);
}

DynamicConvGrads FusedDynamicConvBackward(const DynamicConvProblem& p, const at::Tensor& grad_output,
                                          const std::array<bool, 4>& needs) {
  const int64_t threads = ThreadsFor(p.shape);
  return TiledBackward(p, threads, DirectKernels(p, threads), grad_output, needs, nullptr);
}

bool WinogradDynamicConvApplies(const DynamicConvProblem& p) {
  return FusedDynamicConvApplies(p) && WinogradApplies(p.shape);
}

at::Tensor WinogradDynamicConvForward(const DynamicConvProblem& p) {
  const int64_t threads = ThreadsFor(p.shape);
  const auto tile = p.tile.h > 0 ? p.tile : WinogradForwardCost(p.shape, MixingOf(p)).tile;
  uint8_t not_finite = 0;
  const auto output = TiledForward(p, threads, WinogradKernels(p, threads, tile), &not_finite);
  return not_finite ? FusedDynamicConvForward(p) : output;
}

DynamicConvGrads WinogradDynamicConvBackward(const DynamicConvProblem& p, const at::Tensor& grad_output,
                                             const std::array<bool, 4>& needs) {
  const int64_t threads = ThreadsFor(p.shape);
  const auto tile = p.tile.h > 0 ? p.tile : WinogradBackwardCost(p.shape, MixingOf(p)).tile;
  uint8_t not_finite = 0;
  const auto grads =
      TiledBackward(p, threads, WinogradKernels(p, threads, tile), grad_output, needs, &not_finite);
  return not_finite ? FusedDynamicConvBackward(p, grad_output, needs) : grads;
}

}  // namespace dyconv
