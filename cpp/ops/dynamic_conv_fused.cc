#include "dynamic_conv_fused.h"

#include <ATen/ops/empty.h>

#include <algorithm>

#include "dynamic_conv_tensors.h"

namespace dyconv {
namespace {

// Samples are packed for the backward in chunks of about this many floats.
constexpr int64_t kChunkFloats = 16 << 20;

at::Tensor EmptyImage(const DynamicConvProblem& p, at::IntArrayRef sizes) {
  return at::empty(sizes, p.input.options().dtype(at::kFloat).memory_format(p.input.suggest_memory_format()));
}

}  // namespace

bool FusedDynamicConvApplies(const DynamicConvProblem& p) {
  return p.on_cpu() && (p.is(at::kFloat) || p.is(at::kBFloat16)) && p.shape.batch > 0 &&
         p.shape.experts <= kernels::kMaxExperts;
}

at::Tensor FusedDynamicConvForward(const DynamicConvProblem& p) {
  const auto& s = p.shape;
  const auto& table = kernels::Kernels(p.isa);
  const int64_t threads = ThreadsFor(s);
  const auto plan = table.PlanDynamicConv(s, threads);
  const DynamicConvTensors tensors(p);
  const auto output = EmptyImage(p, {s.batch, s.out_channels, s.out_h, s.out_w});
  auto args = tensors.KernelArgs(p, plan);
  args.output = output.data_ptr<float>();
  args.output_strides = StridesOf(output);

  const bool bf16 = p.is(at::kBFloat16) && table.CanMultiplyBf16(s);
  Scratch scratch(Scratch::Rounded(plan.forward_weight) + threads * Scratch::Rounded(plan.forward_scratch));
  args.packed_weight = scratch.Take(plan.forward_weight);
  float* own = scratch.Take(threads * Scratch::Rounded(plan.forward_scratch));
  ParallelScratch(threads, plan.forward_panels * s.experts, own, 0,
                  [&](int64_t begin, int64_t end, float*) { table.PackForwardWeight(args, begin, end); });
  ParallelScratch(threads, plan.forward_items, own, plan.forward_scratch,
                  [&](int64_t begin, int64_t end, float* mine) {
                    (bf16 ? table.DynamicConvForwardBf16 : table.DynamicConvForward)(args, begin, end, mine);
                  });
  return output.to(p.input.scalar_type());
}

DynamicConvGrads FusedDynamicConvBackward(const DynamicConvProblem& p, const at::Tensor& grad_output,
                                          const std::array<bool, 4>& needs) {
  const auto& s = p.shape;
  const auto& table = kernels::Kernels(p.isa);
  const int64_t threads = ThreadsFor(s);
  const auto plan = table.PlanDynamicConv(s, threads);
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
  Scratch scratch(2 * Scratch::Rounded(plan.backward_weight) + Scratch::Rounded(chunk * plan.packed_input) +
                  Scratch::Rounded(chunk * plan.packed_grad) + threads * Scratch::Rounded(attention_floats) +
                  threads * Scratch::Rounded(plan.backward_scratch));
  args.packed_weight = scratch.Take(plan.backward_weight);
  args.packed_weight_grad = scratch.Take(plan.backward_weight);
  args.packed_input = scratch.Take(chunk * plan.packed_input);
  args.packed_grad = scratch.Take(chunk * plan.packed_grad);
  float* attention_sums = scratch.Take(threads * Scratch::Rounded(attention_floats));
  float* own = scratch.Take(threads * Scratch::Rounded(plan.backward_scratch));
  std::fill_n(attention_sums, threads * Scratch::Rounded(attention_floats), 0.0f);

  ParallelScratch(threads, plan.backward_panels * s.out_per_group(), own, 0,
                  [&](int64_t begin, int64_t end, float*) { table.PackBackwardWeight(args, begin, end); });
  for (args.chunk_begin = 0; args.chunk_begin < s.batch; args.chunk_begin += chunk) {
    args.chunk_size = std::min(chunk, s.batch - args.chunk_begin);
    ParallelScratch(
        threads, args.chunk_size, own, plan.backward_scratch,
        [&](int64_t begin, int64_t end, float* mine) { table.PackBackwardSamples(args, begin, end, mine); });
    if (needs[0]) {
      const int64_t items = (args.chunk_size + plan.backward_samples - 1) / plan.backward_samples;
      ParallelScratch(threads, items, own, plan.backward_scratch,
                      [&](int64_t begin, int64_t end, float* mine) {
                        table.DynamicConvGradInput(args, begin, end, mine);
                      });
    }
    if (needs_weight) {
      ParallelScratch(threads, plan.backward_units, own, plan.backward_scratch,
                      [&](int64_t begin, int64_t end, float* mine) {
                        float* partial =
                            attention_sums + at::get_thread_num() * Scratch::Rounded(attention_floats);
                        table.DynamicConvGradWeight(args, begin, end, partial, mine);
                      });
    }
  }
  if (needs[0]) grads.input = grads.input.to(p.input.scalar_type());
  if (!needs_weight) return grads;

  ParallelScratch(threads, plan.backward_panels * s.out_per_group(), own, 0,
                  [&](int64_t begin, int64_t end, float*) { table.UnpackWeightGrad(args, begin, end); });
  grads.weight = grads.weight.to(p.weight.scalar_type());
  FinishGrads(p, tensors, attention_sums, threads, plan.attention_lanes, sums, grads);
  return grads;
}

}  // namespace dyconv
