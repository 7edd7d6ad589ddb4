#include "ops/dynamic_conv/tensors.h"

#include <ATen/ops/mm.h>
#include <ATen/ops/sum.h>
#include <ATen/ops/zeros.h>

namespace dyconv {

at::Tensor AsKernelImage(const at::Tensor& tensor, bool keep_bf16) {
  const bool keep = keep_bf16 && tensor.scalar_type() == at::kBFloat16;
  const auto image = keep ? tensor : tensor.to(at::kFloat);
  const bool dense = image.is_contiguous() || image.is_contiguous(at::MemoryFormat::ChannelsLast);
  return dense ? image : image.contiguous();
}

kernels::ImageStrides StridesOf(const at::Tensor& image) {
  const int64_t channels = image.size(1), plane = image.size(2) * image.size(3);
  if (image.is_contiguous()) return {channels * plane, plane, 1};
  return {channels * plane, 1, channels};
}

int64_t ThreadsFor(const kernels::DynamicConvShape& s) {
  // About 20 microseconds of work of one core, a few times the cost of a parallel region.
  constexpr double kWorthSharing = 1 << 20;
  const double multiply_adds =
      static_cast<double>(s.batch * s.out_plane()) * static_cast<double>(s.expert_size());
  return multiply_adds < kWorthSharing ? 1 : at::get_num_threads();
}

DynamicConvTensors::DynamicConvTensors(const DynamicConvProblem& p, bool keep_bf16_input)
    : input(AsKernelImage(p.input, keep_bf16_input)),
      weight(p.weight.to(at::kFloat).contiguous()),
      attention(p.attention.defined() ? p.attention.to(at::kFloat).contiguous() : at::Tensor()),
      bias(p.bias ? p.bias->to(at::kFloat).contiguous() : at::Tensor()) {}

kernels::DynamicConvArgs DynamicConvTensors::KernelArgs(const DynamicConvProblem& p,
                                                        const kernels::DynamicConvPlan& plan) const {
  kernels::DynamicConvArgs args;
  args.shape = p.shape;
  args.plan = plan;
  if (input.scalar_type() == at::kBFloat16) {
    args.input16 = static_cast<const uint16_t*>(input.const_data_ptr());
  } else {
    args.input = input.const_data_ptr<float>();
  }
  args.input_strides = StridesOf(input);
  args.weight = weight.const_data_ptr<float>();
  args.attention = attention.defined() ? attention.const_data_ptr<float>() : nullptr;
  args.bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
  return args;
}

at::Tensor AttentionGrad(const kernels::DynamicConvShape& s, const float* attention_sums, int64_t threads,
                         int64_t lanes) {
  const int64_t count = s.batch * s.experts;
  const auto attention = at::zeros({s.batch, s.experts});
  float* to = attention.data_ptr<float>();
  for (int64_t t = 0; t < threads; ++t) {
    const float* partial = attention_sums + t * Scratch::Rounded(count * lanes);
    for (int64_t i = 0; i < count; ++i) {
      for (int64_t lane = 0; lane < lanes; ++lane) to[i] += partial[i * lanes + lane];
    }
  }
  return attention;
}

void FinishGrads(const DynamicConvProblem& p, const DynamicConvTensors& tensors, at::Tensor attention,
                 const at::Tensor& grad_output_sums, DynamicConvGrads& grads) {
  if (!p.attention.defined()) {
    grads.bias = grad_output_sums.sum(0, /*keepdim=*/true);
    return;
  }
  if (tensors.bias.defined()) {
    attention.addmm_(grad_output_sums, tensors.bias.t());
    grads.bias = at::mm(tensors.attention.t(), grad_output_sums).to(p.bias->scalar_type());
  }
  grads.attention = attention.to(p.attention.scalar_type());
}

}  // namespace dyconv
