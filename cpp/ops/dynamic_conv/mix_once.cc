#include <ATen/ops/empty.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/outer.h>
#include <ATen/ops/zeros.h>

#include "ops/conv2d.h"
#include "ops/dynamic_conv/tensors.h"

namespace dyconv {
namespace {

// The least number of floats per thread.
constexpr int64_t kGrain = 1 << 14;

// Runs body(begin, end) over [0, size) in shares that begin on cache lines.
template <typename Body>
void ParallelFloats(int64_t size, const Body& body) {
  at::parallel_for(0, (size + kCacheLineFloats - 1) / kCacheLineFloats, kGrain / kCacheLineFloats,
                   [&](int64_t begin, int64_t end) {
                     body(begin * kCacheLineFloats, std::min(end * kCacheLineFloats, size));
                   });
}

at::Tensor MixedKernel(const DynamicConvProblem& p) {
  const auto& s = p.shape;
  const auto weight = p.weight.contiguous(), attention = p.attention.contiguous();
  auto mixed = at::empty({s.out_channels, s.in_per_group(), s.kernel_h, s.kernel_w}, weight.options());
  const float *from = weight.const_data_ptr<float>(), *shares = attention.const_data_ptr<float>();
  float* to = mixed.data_ptr<float>();
  ParallelFloats(mixed.numel(), [&](int64_t begin, int64_t end) {
    kernels::Kernels(p.isa).MixExperts(from, shares, s.experts, mixed.numel(), to, begin, end);
  });
  return mixed;
}

}  // namespace

bool MixOnceKernelApplies(const DynamicConvProblem& p) {
  return p.on_cpu() && p.is(at::kFloat) && p.shape.batch == 1;
}

at::Tensor MixOnceForward(const DynamicConvProblem& p) {
  const auto& o = p.options;
  std::optional<at::Tensor> bias;
  if (p.bias) bias = at::mm(p.attention, *p.bias).view({p.shape.out_channels});
  return Conv2dForward(p.input, MixedKernel(p), bias, o.stride, o.padding, o.dilation, o.groups);
}

DynamicConvGrads MixOnceBackward(const DynamicConvProblem& p, const at::Tensor& grad_output,
                                 const std::array<bool, 4>& needs) {
  const auto& o = p.options;
  const bool needs_experts = needs[1] || needs[2] || needs[3];
  const auto mixed = MixedKernel(p);
  const auto [grad_input, grad_mixed, grad_bias] =
      Conv2dBackward(grad_output, p.input, mixed, o.stride, o.padding, o.dilation, o.groups,
                     {needs[0], needs_experts, p.bias && needs_experts});
  DynamicConvGrads grads;
  grads.input = grad_input;
  if (!needs_experts) return grads;

  const auto& s = p.shape;
  const auto weight = p.weight.contiguous(), attention = p.attention.contiguous(),
             grad = grad_mixed.contiguous();
  const int64_t threads = at::get_num_threads();
  grads.weight = at::empty(p.weight.sizes(), weight.options());
  auto partial = at::zeros({threads, s.experts}, weight.options());
  ParallelFloats(grad.numel(), [&](int64_t begin, int64_t end) {
    kernels::Kernels(p.isa).UnmixExperts(
        weight.const_data_ptr<float>(), attention.const_data_ptr<float>(), s.experts, grad.numel(),
        grad.const_data_ptr<float>(), grads.weight.data_ptr<float>(),
        partial.data_ptr<float>() + at::get_thread_num() * s.experts, begin, end);
  });
  grads.attention = partial.sum(0, /*keepdim=*/true);
  if (p.bias) {
    grads.bias = at::outer(attention[0], grad_bias);
    grads.attention.addmm_(grad_bias.unsqueeze(0), p.bias->t());
  }
  return grads;
}

}  // namespace dyconv
