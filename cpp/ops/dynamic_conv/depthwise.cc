#include <ATen/ops/empty.h>

#include <algorithm>

#include "ops/dynamic_conv/tensors.h"

namespace dyconv {
namespace {

// The kernels read planes; channels_last tensors are copied.
DynamicConvTensors PlaneTensors(const DynamicConvProblem& p) {
  DynamicConvTensors tensors(p);
  tensors.input = tensors.input.contiguous();
  return tensors;
}

// In the dtype and memory format of the input.
at::Tensor LikeInput(const DynamicConvProblem& p, const at::Tensor& planes) {
  return planes.to(p.input.scalar_type()).contiguous(p.input.suggest_memory_format());
}

}  // namespace

bool DepthwiseDynamicConvApplies(const DynamicConvProblem& p) {
  return p.on_cpu() && (p.is(at::kFloat) || p.is(at::kBFloat16)) && p.shape.batch > 0 &&
         p.shape.in_per_group() == 1 && p.shape.kernel_size() <= kernels::kMaxDepthwiseTaps &&
         p.shape.stride_h * p.shape.stride_w <= kernels::kMaxPhases && FitsKernels(p.shape);
}

at::Tensor DepthwiseDynamicConvForward(const DynamicConvProblem& p) {
  const auto& s = p.shape;
  const auto& table = kernels::Kernels(p.isa);
  const int64_t threads = ThreadsFor(s);
  const auto plan = table.PlanDepthwiseConv(s);
  const auto tensors = PlaneTensors(p);
  const auto output = at::empty({s.batch, s.out_channels, s.out_h, s.out_w}, tensors.weight.options());
  auto args = tensors.KernelArgs(p, plan);
  args.output = output.data_ptr<float>();

  Scratch scratch(Scratch::Rounded(plan.forward_weight) + threads * Scratch::Rounded(plan.forward_scratch));
  args.packed_weight = scratch.Take(plan.forward_weight);
  float* own = scratch.Take(threads * Scratch::Rounded(plan.forward_scratch));
  table.PackDepthwiseWeight(args, 0, s.out_channels);
  ParallelScratch(
      threads, s.batch * s.in_channels, own, plan.forward_scratch,
      [&](int64_t begin, int64_t end, float* mine) { table.DepthwiseConvForward(args, begin, end, mine); });
  return LikeInput(p, output);
}

DynamicConvGrads DepthwiseDynamicConvBackward(const DynamicConvProblem& p, const at::Tensor& grad_output,
                                              const std::array<bool, 4>& needs) {
  const auto& s = p.shape;
  const auto& table = kernels::Kernels(p.isa);
  const int64_t threads = ThreadsFor(s);
  const auto plan = table.PlanDepthwiseConv(s);
  const auto tensors = PlaneTensors(p);
  const auto grad_planes = grad_output.to(at::kFloat).contiguous();
  auto args = tensors.KernelArgs(p, plan);
  args.grad_output = grad_planes.const_data_ptr<float>();

  DynamicConvGrads grads;
  const auto sums = at::empty({s.batch, s.out_channels}, tensors.weight.options());
  args.grad_output_sums = sums.data_ptr<float>();
  const auto grad_weight = at::empty(p.weight.sizes(), tensors.weight.options());
  args.grad_weight = grad_weight.data_ptr<float>();
  at::Tensor grad_input;
  if (needs[0]) {
    grad_input = at::empty(p.input.sizes(), tensors.weight.options());
    args.grad_input = grad_input.data_ptr<float>();
  }

  const int64_t attention_floats =
      p.is_static() ? 0 : Scratch::Rounded(s.batch * s.experts * plan.attention_lanes);
  Scratch scratch(2 * Scratch::Rounded(plan.backward_weight) + threads * attention_floats +
                  threads * Scratch::Rounded(plan.backward_scratch));
  args.packed_weight = scratch.Take(plan.backward_weight);
  args.packed_weight_grad = scratch.Take(plan.backward_weight);
  float* attention_sums = scratch.Take(threads * attention_floats);
  float* own = scratch.Take(threads * Scratch::Rounded(plan.backward_scratch));
  std::fill_n(attention_sums, threads * attention_floats, 0.0f);

  table.PackDepthwiseWeight(args, 0, s.out_channels);
  ParallelScratch(threads, s.in_channels, own, plan.backward_scratch,
                  [&](int64_t begin, int64_t end, float* mine) {
                    table.DepthwiseConvBackward(
                        args, begin, end, attention_sums + at::get_thread_num() * attention_floats, mine);
                  });
  table.UnpackDepthwiseWeightGrad(args, 0, s.out_channels);
  if (needs[0]) grads.input = LikeInput(p, grad_input);
  grads.weight = grad_weight.to(p.weight.scalar_type());
  FinishGrads(p, tensors,
              p.is_static() ? at::Tensor() : AttentionGrad(s, attention_sums, threads, plan.attention_lanes),
              sums, grads);
  return grads;
}

}  // namespace dyconv
