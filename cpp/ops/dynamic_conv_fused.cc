#include "dynamic_conv_fused.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "dynamic_conv_tensors.h"
#include "winograd_cost.h"

namespace dyconv {
namespace {

// Samples are packed for the backward in chunks of about this many floats.
constexpr int64_t kChunkFloats = 16 << 20;

at::Tensor EmptyImage(const DynamicConvProblem& p, at::IntArrayRef sizes) {
  return at::empty(sizes, p.input.options().dtype(at::kFloat).memory_format(p.input.suggest_memory_format()));
}

// What the direct and the Winograd form do each in its own way.
struct TiledKernels {
  kernels::DynamicConvPlan plan;
  decltype(kernels::KernelTable::PackForwardWeight) pack_forward, pack_backward, unpack;
  decltype(kernels::KernelTable::DynamicConvForward) forward, pack_samples, grad_input;
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
          t.DynamicConvGradInput};
}

TiledKernels WinogradKernels(const DynamicConvProblem& p, int64_t threads, int64_t tile) {
  const auto& t = kernels::Kernels(p.isa);
  return {t.PlanWinograd(p.shape, threads, tile),
          t.PackWinogradForward,
          t.PackWinogradBackward,
          t.UnpackWinogradGrad,
          t.WinogradForward,
          t.PackWinogradSamples,
          t.WinogradGradInput};
}

at::Tensor Forward(const DynamicConvProblem& p, int64_t threads, const TiledKernels& run) {
  const auto& s = p.shape;
  const auto& plan = run.plan;
  const DynamicConvTensors tensors(p);
  const auto output = EmptyImage(p, {s.batch, s.out_channels, s.out_h, s.out_w});
  auto args = tensors.KernelArgs(p, plan);
  args.output = output.data_ptr<float>();
  args.output_strides = StridesOf(output);

  Scratch scratch(Scratch::Rounded(plan.forward_weight) + threads * Scratch::Rounded(plan.forward_scratch));
  args.packed_weight = scratch.Take(plan.forward_weight);
  float* own = scratch.Take(threads * Scratch::Rounded(plan.forward_scratch));
  ParallelScratch(threads, plan.forward_panels * s.experts, own, 0,
                  [&](int64_t begin, int64_t end, float*) { run.pack_forward(args, begin, end); });
  ParallelScratch(threads, plan.forward_items, own, plan.forward_scratch,
                  [&](int64_t begin, int64_t end, float* mine) { run.forward(args, begin, end, mine); });
  return output.to(p.input.scalar_type());
}

// How a chunk of packed samples lies in memory, for `floats` a sample. Winograd's has a point of all tiles
// after the other, since the products take one at a time.
kernels::PackedStrides ChunkStrides(const kernels::DynamicConvShape& products, bool winograd, int64_t chunk,
                                    int64_t floats, int64_t channels) {
  if (!winograd) return {channels / products.groups, floats, channels};
  const int64_t point = floats / products.groups;
  return {chunk * point + kernels::kWinogradGap, point, point / products.in_plane()};
}

DynamicConvGrads Backward(const DynamicConvProblem& p, int64_t threads, const TiledKernels& run,
                          const at::Tensor& grad_output, const std::array<bool, 4>& needs) {
  const auto& s = p.shape;
  const auto& plan = run.plan;
  const DynamicConvTensors tensors(p);
  const auto grad_image = AsKernelImage(grad_output);
  const bool needs_weight = needs[1] || needs[2] || needs[3];
  auto args = tensors.KernelArgs(p, plan);
  args.grad_output = grad_image.const_data_ptr<float>();
  args.grad_output_strides = StridesOf(grad_image);

  DynamicConvGrads grads;
  const auto options = tensors.weight.options();
  const auto sums = at::empty({s.batch, s.out_channels}, options);
  args.grad_output_sums = sums.data_ptr<float>();
  if (needs[0]) {
    grads.input = EmptyImage(p, p.input.sizes());
    args.grad_input = grads.input.data_ptr<float>();
    args.grad_input_strides = StridesOf(grads.input);
  }
  if (needs_weight) {
    grads.weight = at::empty(p.weight.sizes(), options);
    args.grad_weight = grads.weight.data_ptr<float>();
  }

  // Whole blocks of samples in every chunk.
  const int64_t sample_floats = plan.packed_input + plan.packed_grad;
  const int64_t blocks = std::max<int64_t>(threads, kChunkFloats / sample_floats / plan.backward_samples);
  const int64_t chunk = std::min(s.batch, blocks * plan.backward_samples);
  const int64_t attention_floats = s.batch * s.experts * plan.attention_lanes;
  const bool winograd = plan.winograd_tile > 0;
  const int64_t gaps = winograd ? kernels::WinogradPoints(plan.winograd_tile) * kernels::kWinogradGap : 0;
  Scratch scratch(
      2 * Scratch::Rounded(plan.backward_weight) + Scratch::Rounded(chunk * plan.packed_input + gaps) +
      Scratch::Rounded(chunk * plan.packed_grad + gaps) + threads * Scratch::Rounded(attention_floats) +
      threads * Scratch::Rounded(plan.backward_scratch));
  args.packed_weight = scratch.Take(plan.backward_weight);
  args.packed_weight_grad = scratch.Take(plan.backward_weight);
  args.packed_input = scratch.Take(chunk * plan.packed_input + gaps);
  args.packed_grad = scratch.Take(chunk * plan.packed_grad + gaps);
  float* attention_sums = scratch.Take(threads * Scratch::Rounded(attention_floats));
  float* own = scratch.Take(threads * Scratch::Rounded(plan.backward_scratch));
  std::fill_n(attention_sums, threads * Scratch::Rounded(attention_floats), 0.0f);

  auto products = args;  // of which the weight gradient is made
  if (winograd) products.shape = kernels::WinogradProducts(s, plan.winograd_tile);
  const auto strides = [&](int64_t floats, int64_t channels) {
    return ChunkStrides(products.shape, winograd, chunk, floats, channels);
  };
  args.packed_input_strides = products.packed_input_strides = strides(plan.packed_input, s.in_channels);
  args.packed_grad_strides = products.packed_grad_strides = strides(plan.packed_grad, s.out_channels);

  const int64_t weight_rows = plan.backward_panels * s.out_per_group();
  ParallelScratch(threads, weight_rows, own, 0,
                  [&](int64_t begin, int64_t end, float*) { run.pack_backward(args, begin, end); });
  for (args.chunk_begin = 0; args.chunk_begin < s.batch; args.chunk_begin += chunk) {
    args.chunk_size = std::min(chunk, s.batch - args.chunk_begin);
    ParallelScratch(
        threads, args.chunk_size, own, plan.backward_scratch,
        [&](int64_t begin, int64_t end, float* mine) { run.pack_samples(args, begin, end, mine); });
    if (needs[0]) {
      const int64_t items = (args.chunk_size + plan.backward_samples - 1) / plan.backward_samples;
      ParallelScratch(
          threads, items, own, plan.backward_scratch,
          [&](int64_t begin, int64_t end, float* mine) { run.grad_input(args, begin, end, mine); });
    }
    if (needs_weight) {
      products.chunk_begin = args.chunk_begin;
      products.chunk_size = args.chunk_size;
      ParallelScratch(threads, plan.backward_units, own, plan.backward_scratch,
                      [&](int64_t begin, int64_t end, float* mine) {
                        float* partial =
                            attention_sums + at::get_thread_num() * Scratch::Rounded(attention_floats);
                        kernels::Kernels(p.isa).DynamicConvGradWeight(products, begin, end, partial, mine);
                      });
    }
  }
  if (needs[0]) grads.input = grads.input.to(p.input.scalar_type());
  if (!needs_weight) return grads;

  ParallelScratch(threads, weight_rows, own, 0,
                  [&](int64_t begin, int64_t end, float*) { run.unpack(args, begin, end); });
  grads.weight = grads.weight.to(p.weight.scalar_type());
  FinishGrads(p, tensors, attention_sums, threads, plan.attention_lanes, sums, grads);
  return grads;
}

}  // namespace

bool FusedDynamicConvApplies(const DynamicConvProblem& p) {
  return p.on_cpu() && (p.is(at::kFloat) || p.is(at::kBFloat16)) && p.shape.batch > 0 &&
         p.shape.experts <= kernels::kMaxExperts;
}

at::Tensor FusedDynamicConvForward(const DynamicConvProblem& p) {
  const int64_t threads = ThreadsFor(p.shape);
  return Forward(p, threads, DirectKernels(p, threads));
}

DynamicConvGrads FusedDynamicConvBackward(const DynamicConvProblem& p, const at::Tensor& grad_output,
                                          const std::array<bool, 4>& needs) {
  const int64_t threads = ThreadsFor(p.shape);
  return Backward(p, threads, DirectKernels(p, threads), grad_output, needs);
}

bool WinogradDynamicConvApplies(const DynamicConvProblem& p) {
  return FusedDynamicConvApplies(p) && p.is(at::kFloat) && WinogradApplies(p.shape);
}

at::Tensor WinogradDynamicConvForward(const DynamicConvProblem& p) {
  const int64_t threads = ThreadsFor(p.shape);
  return Forward(p, threads, WinogradKernels(p, threads, WinogradForwardCost(p.shape, p.is_static()).tile));
}

DynamicConvGrads WinogradDynamicConvBackward(const DynamicConvProblem& p, const at::Tensor& grad_output,
                                             const std::array<bool, 4>& needs) {
  const int64_t threads = ThreadsFor(p.shape);
  return Backward(p, threads, WinogradKernels(p, threads, WinogradBackwardCost(p.shape, p.is_static()).tile),
                  grad_output, needs);
}

}  // namespace dyconv
