#include "ops/dynamic_conv/composed.h"

#include <ATen/ops/matmul.h>
#include <ATen/ops/mm.h>
#include <torch/csrc/autograd/autograd.h>

#include <c10/core/GradMode.h>

#include "ops/conv_nd.h"

namespace dyconv {
namespace {

// The dtype in which experts are mixed: attention in 16 bits would lose the gradient between experts
// (their attention gradients share a large common part), so 16-bit problems mix in float32.
at::ScalarType MixingType(const DynamicConvProblem& p) {
  return p.is(at::kBFloat16) || p.is(at::kHalf) ? at::kFloat : p.input.scalar_type();
}

// [B, ...] = attention [B, K] times experts [K, ...], rounded once to the dtype of the input.
at::Tensor MixedExperts(const DynamicConvProblem& p, const at::Tensor& experts) {
  const auto type = MixingType(p);
  return at::mm(p.attention.to(type), experts.reshape({p.shape.experts, -1}).to(type))
      .to(p.input.scalar_type());
}

at::Tensor Conv(const DynamicConvProblem& p, const at::Tensor& input, const at::Tensor& weight,
                const std::optional<at::Tensor>& bias, int64_t groups) {
  const auto& s = p.shape;
  return ConvNd(input, weight, bias, {s.stride_h, s.stride_w}, {s.padding_h, s.padding_w},
                {s.dilation_h, s.dilation_w}, groups);
}

}  // namespace

// Mixes one kernel per sample and convolves with groups = batch x groups: B kernels are stored.
at::Tensor DynamicConvGrouped(const DynamicConvProblem& p) {
  const auto& s = p.shape;
  if (s.batch == 0) return DynamicConvMixAfter(p);
  const auto weight =
      MixedExperts(p, p.weight).view({s.batch * s.out_channels, s.in_per_group(), s.kernel_h, s.kernel_w});
  std::optional<at::Tensor> bias;
  if (p.bias) bias = MixedExperts(p, *p.bias).view({s.batch * s.out_channels});
  const auto input = p.input.reshape({1, s.batch * s.in_channels, s.in_h, s.in_w});
  return Conv(p, input, weight, bias, s.batch * s.groups)
      .reshape({s.batch, s.out_channels, s.out_h, s.out_w})
      .contiguous(p.input.suggest_memory_format());
}

// One sample has one kernel: mix it once and call the ordinary convolution.
at::Tensor DynamicConvMixOnceComposed(const DynamicConvProblem& p) {
  const auto& s = p.shape;
  const auto weight =
      MixedExperts(p, p.weight).view({s.out_channels, s.in_per_group(), s.kernel_h, s.kernel_w});
  std::optional<at::Tensor> bias;
  if (p.bias) bias = MixedExperts(p, *p.bias).view({s.out_channels});
  return Conv(p, p.input, weight, bias, s.groups);
}

// Convolution is linear in its kernel: convolve with all experts (K x O outputs), then mix the outputs.
at::Tensor DynamicConvMixAfter(const DynamicConvProblem& p) {
  const auto& s = p.shape;
  // The outputs of a group must be contiguous, so the group precedes the expert: [g, K, O / g, ...].
  const auto by_group = [&](const at::Tensor& experts, at::IntArrayRef tail) {
    std::vector<int64_t> sizes{s.experts, s.groups, s.out_per_group()};
    sizes.insert(sizes.end(), tail.begin(), tail.end());
    std::vector<int64_t> flat{s.experts * s.out_channels};
    flat.insert(flat.end(), tail.begin(), tail.end());
    return experts.reshape(sizes).transpose(0, 1).reshape(flat);
  };
  const auto weight = by_group(p.weight, {s.in_per_group(), s.kernel_h, s.kernel_w});
  std::optional<at::Tensor> bias;
  if (p.bias) bias = by_group(*p.bias, {});

  const auto type = MixingType(p);
  // On the CPU the K outputs are not rounded before they are mixed; on a GPU, products of 16 bits are worth
  // the rounding.
  const auto exact = [&](const at::Tensor& t) { return p.on_cpu() ? t.to(type) : t; };
  if (bias) bias = exact(*bias);
  const auto outputs = Conv(p, exact(p.input), exact(weight), bias, s.groups)
                           .contiguous()
                           .view({s.batch, s.groups, s.experts, s.out_per_group() * s.out_plane()})
                           .to(type);
  return at::matmul(p.attention.to(type).view({s.batch, 1, 1, s.experts}), outputs)
      .view({s.batch, s.out_channels, s.out_h, s.out_w})
      .to(p.input.scalar_type())
      .contiguous(p.input.suggest_memory_format());
}

std::vector<at::Tensor> DifferentiableGrads(const DynamicConvProblem& p, const at::Tensor& grad_output,
                                            const std::array<bool, 4>& needs) {
  at::AutoGradMode grad_mode(true);
  const std::array<at::Tensor, 4> arguments{p.input, p.weight, p.attention, p.bias.value_or(at::Tensor())};
  std::vector<at::Tensor> wanted;
  for (size_t i = 0; i < 4; ++i) {
    if (needs[i]) wanted.push_back(arguments[i]);
  }
  const auto found =
      torch::autograd::grad({DynamicConvMixAfter(p)}, wanted, {grad_output}, /*retain_graph=*/true,
                            /*create_graph=*/true);
  std::vector<at::Tensor> grads(4);
  for (size_t i = 0, next = 0; i < 4; ++i) {
    if (needs[i]) grads[i] = found[next++];
  }
  return grads;
}

}  // namespace dyconv
