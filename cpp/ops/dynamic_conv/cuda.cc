#include "ops/dynamic_conv/cuda.h"

#include <ATen/Context.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/convolution_backward.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/empty_like.h>
#include <c10/core/DeviceGuard.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/cuda/kernels.h"
#include "ops/dynamic_conv/composed.h"
#include "ops/dynamic_conv/measured.h"

namespace dyconv {

#if defined(DYCONV_CUDA_KERNELS) || defined(DYCONV_EMULATE_CUDA)

namespace {

namespace cuda = kernels::cuda;
using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

constexpr int64_t kMostElements = int64_t{1} << 31;

// [g K O/g, I/g, kh, kw]: the K x O kernels of the shared convolution, ordered by group.
at::Tensor SharedWeight(const DynamicConvProblem& p) {
  const auto& s = p.shape;
  return p.weight.view({s.experts, s.groups, s.out_per_group(), s.in_per_group(), s.kernel_h, s.kernel_w})
      .transpose(0, 1)
      .reshape({s.experts * s.out_channels, s.in_per_group(), s.kernel_h, s.kernel_w});
}

// The inverse: [K, O, I/g, kh, kw].
at::Tensor ExpertWeight(const DynamicConvProblem& p, const at::Tensor& shared) {
  const auto& s = p.shape;
  return shared.reshape({s.groups, s.experts, s.out_per_group(), s.in_per_group(), s.kernel_h, s.kernel_w})
      .transpose(0, 1)
      .reshape(p.weight.sizes());
}

at::Tensor FloatAttention(const DynamicConvProblem& p) { return p.attention.to(at::kFloat).contiguous(); }

at::Tensor DenseBias(const DynamicConvProblem& p) { return p.bias ? p.bias->contiguous() : at::Tensor(); }

cuda::MixArgs MixArgsOf(const DynamicConvProblem& p, const at::Tensor& convs, const at::Tensor& attention,
                        const at::Tensor& bias) {
  const auto& s = p.shape;
  cuda::MixArgs args;
  args.batch = s.batch, args.groups = s.groups, args.experts = s.experts;
  args.out_per_group = s.out_per_group(), args.plane = s.out_plane();
  args.channels_last = IsDenseChannelsLast(convs), args.element = ElementOf(convs);
  args.splits = MeasuredSplits(convs);
  args.convs = convs.const_data_ptr();
  args.attention = attention.const_data_ptr<float>();
  args.bias = bias.defined() ? bias.const_data_ptr() : nullptr;
  return args;
}

class MixFunction : public torch::autograd::Function<MixFunction> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& input, const Variable& weight,
                          const Variable& attention, const std::optional<at::Tensor>& bias,
                          const DynamicConvOptions& options) {
    const auto p = MakeDynamicConvProblem(input, weight, attention, bias, options);
    const auto& s = p.shape;
    const auto convs =
        DenseImage(at::conv2d(p.input, SharedWeight(p), {}, {s.stride_h, s.stride_w},
                              {s.padding_h, s.padding_w}, {s.dilation_h, s.dilation_w}, s.groups));
    // The outputs, which are large, are among the tensors that are freed after the backward pass, even if the
    // graph is still referenced.
    ctx->save_for_backward({input, weight, attention, bias.value_or(at::Tensor()), convs});
    ctx->saved_data["geometry"] = PackGeometry(options);

    const c10::OptionalDeviceGuard guard(input.device());
    const auto format =
        IsDenseChannelsLast(convs) ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
    auto output =
        at::empty({s.batch, s.out_channels, s.out_h, s.out_w}, convs.options().memory_format(format));
    const auto weights = FloatAttention(p), biases = DenseBias(p);
    auto args = MixArgsOf(p, convs, weights, biases);
    args.output = output.mutable_data_ptr();
    cuda::MixForward(args, CurrentStream(input));
    return output;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto saved = ctx->get_saved_variables();
    const auto bias = saved[3].defined() ? std::optional<at::Tensor>(saved[3]) : std::nullopt;
    const auto p = MakeDynamicConvProblem(saved[0], saved[1], saved[2], bias,
                                          UnpackGeometry(ctx->saved_data["geometry"].toIntVector()));
    const std::array<bool, 4> needs{ctx->needs_input_grad(0), ctx->needs_input_grad(1),
                                    ctx->needs_input_grad(2), bias && ctx->needs_input_grad(3)};
    if (at::GradMode::is_enabled()) {
      auto grads = DifferentiableGrads(p, grad_outputs[0], needs);
      grads.resize(5);
      return grads;
    }
    return Grads(p, saved[4], grad_outputs[0], needs);
  }

 private:
  static variable_list Grads(const DynamicConvProblem& p, const at::Tensor& convs,
                             const at::Tensor& grad_output, const std::array<bool, 4>& needs) {
    const auto& s = p.shape;
    const c10::OptionalDeviceGuard guard(convs.device());
    const auto floats = convs.options().dtype(at::kFloat).memory_format(c10::nullopt);
    const auto attention = FloatAttention(p), bias = DenseBias(p), grad = DenseLike(grad_output, convs);
    auto args = MixArgsOf(p, convs, attention, bias);
    auto grad_convs = at::empty_like(convs);
    args.grad_output = grad.const_data_ptr();
    args.grad_convs = grad_convs.mutable_data_ptr();
    auto sums = at::empty({s.batch, s.out_channels}, floats);
    auto partials = at::empty({s.batch, cuda::MixSlices(args), s.experts}, floats);
    auto grad_attention = at::empty({s.batch, s.experts}, floats);
    auto grad_bias = bias.defined() ? at::empty({s.experts, s.out_channels}, floats) : at::Tensor();
    args.sums = sums.data_ptr<float>();
    args.partials = partials.data_ptr<float>();
    args.grad_attention = grad_attention.data_ptr<float>();
    args.grad_bias = bias.defined() ? grad_bias.data_ptr<float>() : nullptr;
    cuda::MixBackward(args, CurrentStream(convs));

    variable_list grads(5);
    const auto [grad_input, grad_weight, unused] =
        at::convolution_backward(grad_convs, p.input, SharedWeight(p), c10::nullopt, {s.stride_h, s.stride_w},
                                 {s.padding_h, s.padding_w}, {s.dilation_h, s.dilation_w},
                                 /*transposed=*/false, {0, 0}, s.groups, {needs[0], needs[1], false});
    if (needs[0]) grads[0] = grad_input;
    if (needs[1]) grads[1] = ExpertWeight(p, grad_weight);
    if (needs[2]) grads[2] = grad_attention.to(p.attention.scalar_type());
    if (needs[3]) grads[3] = grad_bias.to(p.bias->scalar_type());
    return grads;
  }
};

cuda::FusedConvArgs FusedArgs(const DynamicConvProblem& p, const at::Tensor& input, const at::Tensor& weight,
                              const at::Tensor& attention, const at::Tensor& bias) {
  const auto& s = p.shape;
  cuda::FusedConvArgs args;
  args.batch = s.batch, args.in_channels = s.in_channels, args.in_h = s.in_h, args.in_w = s.in_w;
  args.experts = s.experts, args.out_channels = s.out_channels, args.out_h = s.out_h, args.out_w = s.out_w;
  args.kernel_h = s.kernel_h, args.kernel_w = s.kernel_w;
  args.stride_h = s.stride_h, args.stride_w = s.stride_w;
  args.padding_h = s.padding_h, args.padding_w = s.padding_w;
  args.dilation_h = s.dilation_h, args.dilation_w = s.dilation_w;
  args.groups = s.groups, args.element = ElementOf(input);
  args.tf32 = input.is_cuda() && at::globalContext().allowTF32CuDNN();
  args.input = input.const_data_ptr();
  args.weight = weight.const_data_ptr();
  args.attention = attention.const_data_ptr<float>();
  args.bias = bias.defined() ? bias.const_data_ptr() : nullptr;
  return args;
}

}  // namespace

bool CudaMixApplies(const DynamicConvProblem& p) {
  return CudaKernelsTake(p.input) && p.shape.batch > 0 &&
         p.shape.out_channels * p.shape.out_plane() < kMostElements;
}

at::Tensor DynamicConvCudaMix(const DynamicConvProblem& p) {
  return MixFunction::apply(p.input, p.weight, p.attention, p.bias, p.options);
}

bool CudaFusedApplies(const DynamicConvProblem& p) {
  const auto& s = p.shape;
  // Rows and columns, including those of the padding, are 32-bit numbers too.
  const auto along = [](int64_t in, int64_t padding, int64_t stride, int64_t dilation) {
    constexpr int64_t kMost = kMostElements / 4;
    return in < kMost && padding < kMost && stride < kMost && dilation < kMost;
  };
  return CudaKernelsTake(p.input) && s.batch > 0 && along(s.in_h, s.padding_h, s.stride_h, s.dilation_h) &&
         along(s.in_w, s.padding_w, s.stride_w, s.dilation_w) &&
         s.in_channels * s.in_plane() < kMostElements && s.out_channels * s.out_plane() < kMostElements &&
         p.weight.numel() / s.experts < kMostElements && s.experts <= kernels::kMaxExperts &&
         s.groups * ((std::max(s.in_per_group(), s.out_per_group()) + 63) / 64) < cuda::kMostGroups;
}

// Estimated, not measured on a GPU; for problems that no table has (measured.h). The shared convolution
// multiplies K times as much and writes K times the output. Beyond 8 experts this is assumed to cost more
// than mixing weights for every tile of 64 channels and 128 pixels, if at least half of a tile is used.
bool CudaFusedWins(const DynamicConvProblem& p) {
  return p.shape.experts > 8 && p.shape.out_per_group() >= 32 && p.shape.out_plane() >= 64;
}

at::Tensor CudaFusedForward(const DynamicConvProblem& p) {
  const auto& s = p.shape;
  const c10::OptionalDeviceGuard guard(p.input.device());
  const auto input = p.input.contiguous(), weight = p.weight.contiguous();
  const auto attention = FloatAttention(p), bias = DenseBias(p);
  auto output = at::empty({s.batch, s.out_channels, s.out_h, s.out_w},
                          input.options().memory_format(at::MemoryFormat::Contiguous));
  auto args = FusedArgs(p, input, weight, attention, bias);
  args.output = output.mutable_data_ptr();
  cuda::FusedConvForward(args, CurrentStream(input));
  return output.contiguous(p.input.suggest_memory_format());
}

DynamicConvGrads CudaFusedBackward(const DynamicConvProblem& p, const at::Tensor& grad_output,
                                   const std::array<bool, 4>& needs) {
  const auto& s = p.shape;
  const c10::OptionalDeviceGuard guard(p.input.device());
  const auto input = p.input.contiguous(), weight = p.weight.contiguous(), grad = grad_output.contiguous();
  const auto attention = FloatAttention(p), bias = DenseBias(p);
  const auto floats = attention.options();
  auto args = FusedArgs(p, input, weight, attention, bias);
  DynamicConvGrads grads;
  args.grad_output = grad.const_data_ptr();
  if (needs[0]) {
    grads.input = at::empty(input.sizes(), input.options().memory_format(at::MemoryFormat::Contiguous));
    args.grad_input = grads.input.mutable_data_ptr();
  }
  auto grad_weight = at::empty(weight.sizes(), floats),
       grad_attention = at::empty({s.batch, s.experts}, floats);
  auto sums = at::empty({s.batch, s.out_channels}, floats);
  auto partials = at::empty({s.batch, cuda::FusedConvTiles(args), s.experts}, floats);
  auto grad_bias = bias.defined() ? at::empty({s.experts, s.out_channels}, floats) : at::Tensor();
  args.grad_weight = grad_weight.data_ptr<float>();
  args.sums = sums.data_ptr<float>();
  args.partials = partials.data_ptr<float>();
  args.grad_attention = grad_attention.data_ptr<float>();
  args.grad_bias = bias.defined() ? grad_bias.data_ptr<float>() : nullptr;
  cuda::FusedConvBackward(args, CurrentStream(input));
  if (needs[1]) grads.weight = grad_weight.to(p.weight.scalar_type());
  if (needs[2]) grads.attention = grad_attention.to(p.attention.scalar_type());
  if (needs[3]) grads.bias = grad_bias.to(p.bias->scalar_type());
  return grads;
}

#else

bool CudaMixApplies(const DynamicConvProblem&) { return false; }
at::Tensor DynamicConvCudaMix(const DynamicConvProblem&) { FailWithoutCudaKernels(); }
bool CudaFusedApplies(const DynamicConvProblem&) { return false; }
bool CudaFusedWins(const DynamicConvProblem&) { return false; }
at::Tensor CudaFusedForward(const DynamicConvProblem&) { FailWithoutCudaKernels(); }
DynamicConvGrads CudaFusedBackward(const DynamicConvProblem&, const at::Tensor&, const std::array<bool, 4>&) {
  FailWithoutCudaKernels();
}

#endif

}  // namespace dyconv
