#include "ops/inference/fused_dynamic_conv.h"

#include <ATen/ops/full.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/zeros.h>

#include <algorithm>
#include <utility>

#include "ops/activation.h"
#include "ops/dynamic_conv/base_expert.h"
#include "ops/dynamic_conv/tensors.h"
#include "ops/inference/images.h"
#include "ops/inference/packed_conv.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using kernels::Activation;
using kernels::DynamicConvArgs;
using kernels::DynamicConvShape;

std::vector<int64_t> SizeOfOne(const at::Tensor& weight) {
  return {weight.size(1), weight.size(2), weight.size(3), weight.size(4)};
}

// The kernel of one sample, mixed from packed experts [K, ...].
at::Tensor MixPacked(const at::Tensor& experts, const float* attention) {
  const int64_t count = experts.size(0), packed = experts.size(1);
  const auto mixed = at::empty({packed}, experts.options());
  InParallel(ThreadsForWork(0, static_cast<double>(packed * count)),
             (packed + kCacheLineFloats - 1) / kCacheLineFloats, [&](int64_t begin, int64_t end) {
               kernels::BestKernels().MixExperts(experts.const_data_ptr<float>(), attention, count, packed,
                                                 mixed.data_ptr<float>(), begin * kCacheLineFloats,
                                                 std::min(end * kCacheLineFloats, packed));
             });
  return mixed;
}

// By the kernel of static convolutions. Where it reads the input in place, it mixes the experts as it needs
// them.
void RunMixed(const DynamicConvShape& s, const at::Tensor& image, const at::Tensor& attention,
              const at::Tensor& bias, const at::Tensor& experts, Activation activation, float* output) {
  kernels::NhwcConvArgs args;
  args.shape = s;
  args.input = image.const_data_ptr<float>();
  args.input_strides = ChannelsLastStrides(s.in_channels, s.in_plane());
  args.attention = attention.const_data_ptr<float>();
  args.output = output;
  args.epilogue = {bias.const_data_ptr<float>(), nullptr, activation};
  args.bias_stride = bias.size(1);
  if (!kernels::BestKernels().PlanNhwcConv(s, /*channels_last=*/true, 1).copies_input) {
    RunDirect(args, experts, /*channels_last=*/true);
    return;
  }
  args.shape.batch = args.shape.experts = 1;
  for (int64_t b = 0; b < s.batch; ++b) {
    const auto mixed = MixPacked(experts, attention.const_data_ptr<float>() + b * s.experts);
    RunDirect(args, mixed, /*channels_last=*/true);
    args.input += args.input_strides.batch;
    args.output += s.out_channels * s.out_plane();
    args.epilogue.bias += args.bias_stride;
  }
}

// The attention in the order in which experts were packed.
at::Tensor InPackedOrder(const at::Tensor& attention, int64_t base) {
  if (base <= 0) return attention;
  const auto ordered = attention.clone();
  float* data = ordered.data_ptr<float>();
  const int64_t count = ordered.size(1);
  for (int64_t b = 0; b < ordered.size(0); ++b, data += count) std::swap(data[0], data[base]);
  return ordered;
}

}  // namespace

std::vector<at::Tensor> PackWinogradExperts(const at::Tensor& weight, const Pair& tile, bool shares) {
  const auto from = weight.to(at::kFloat).contiguous();
  DynamicConvArgs args;
  args.shape = PackedShape(SizeOfOne(from));
  args.shape.experts = from.size(0);
  args.plan = kernels::BestKernels().PlanWinograd(args.shape, 1, {tile[0], tile[1]});
  args.weight = from.const_data_ptr<float>();
  int64_t base = -1;
  if (shares) {
    DynamicConvProblem problem;
    problem.weight = from;
    problem.shape = args.shape;
    base = BaseExpert(problem, from).value_or(-1);
  }
  args.relative = base >= 0;
  args.first_expert = std::max<int64_t>(0, base);
  const auto packed = at::empty({args.plan.forward_weight}, from.options());
  args.packed_weight = packed.data_ptr<float>();
  InParallel(
      at::get_num_threads(), args.plan.forward_panels * args.shape.experts,
      [&](int64_t begin, int64_t end) { kernels::BestKernels().PackWinogradForward(args, begin, end); });
  return {packed, at::full({}, base, at::kLong)};
}

at::Tensor PackExperts(const at::Tensor& weight) {
  std::vector<at::Tensor> experts;
  for (int64_t k = 0; k < weight.size(0); ++k) experts.push_back(PackExpert(weight[k], weight.size(0)));
  return at::stack(experts);
}

at::Tensor FusedDynamicConv2d(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& attention,
                              const OptionalTensor& bias, const std::string& activation, const Pair& stride,
                              const Pair& padding, const Pair& dilation, const Pair& tile,
                              const OptionalTensor& winograd, const OptionalTensor& base,
                              const OptionalTensor& packed) {
  auto s = PackedShape(input, SizeOfOne(weight), weight.size(2), stride, padding, dilation);
  s.experts = weight.size(0);
  const auto output = EmptyChannelsLast({s.batch, s.out_channels, s.out_h, s.out_w}, input);
  if (output.numel() == 0) return output;
  Require(attention.dim() == 2 && attention.size(0) == s.batch && attention.size(1) == s.experts &&
              attention.scalar_type() == at::kFloat,
          ErrorKind::kShape, "Expected float32 [", s.batch, ", ", s.experts, "] for attention but received ",
          attention.sizes());
  const auto image = AsChannelsLast(input), shares = attention.contiguous();
  const OptionalTensor biases = bias ? OptionalTensor(bias->contiguous()) : std::nullopt;
  const auto kind = ActivationOf(activation);
  if (packed && (!winograd || !base || !WinogradPays(s, tile))) {
    RunMixed(s, image, shares, MixBias(biases, shares, s.out_channels), *packed, kind,
             output.data_ptr<float>());
    return output;
  }
  Require(winograd && base, ErrorKind::kArgument,
          "Expected packed experts for a convolution but received none");
  RequireExpertBias(biases, s.experts, s.out_channels);
  const int64_t first = base->item<int64_t>();
  const auto ordered = InPackedOrder(shares, first);
  DynamicConvArgs args;
  args.shape = s;
  args.input = image.const_data_ptr<float>();
  args.input_strides = ChannelsLastStrides(s.in_channels, s.in_plane());
  args.attention = ordered.const_data_ptr<float>();
  args.relative = first >= 0;
  args.first_expert = std::max<int64_t>(0, first);
  args.bias = biases ? biases->const_data_ptr<float>() : nullptr;
  args.output = output.data_ptr<float>();
  args.output_strides = ChannelsLastStrides(s.out_channels, s.out_plane());
  args.epilogue.activation = kind;
  if (RunWinograd(args, *winograd, tile)) return output;
  const DynamicConvOptions options{
      .stride = stride, .padding = padding, .dilation = dilation, .algorithm = DynamicConvAlgorithm::kFused};
  return Activated(DynamicConv2d(image, weight, attention, bias, options), kind);
}

at::Tensor PackDepthwiseExperts(const at::Tensor& weight) {
  std::vector<at::Tensor> experts;
  for (int64_t k = 0; k < weight.size(0); ++k) experts.push_back(PackDepthwise(weight[k]));
  return at::stack(experts);
}

at::Tensor FusedDynamicDepthwiseConv2d(const at::Tensor& input, const std::vector<int64_t>& size,
                                       const at::Tensor& attention, const std::string& activation,
                                       const OptionalTensor& residual, const Pair& stride,
                                       const Pair& padding, const Pair& dilation, const at::Tensor& packed,
                                       const OptionalTensor& bias) {
  const int64_t experts = packed.size(0);
  Require(input.dim() == 4 && attention.dim() == 2 && attention.size(0) == input.size(0) &&
              attention.size(1) == experts && attention.scalar_type() == at::kFloat,
          ErrorKind::kShape, "Expected float32 [B, ", experts, "] for attention but received ",
          attention.sizes());
  const auto shares = attention.contiguous();
  const auto mixed = at::mm(shares, packed.view({experts, -1}));
  return FusedDepthwiseConv2d(
      input, size, activation, residual, stride, padding, dilation, mixed,
      MixBias(bias ? OptionalTensor(bias->contiguous()) : std::nullopt, shares, size.at(0)));
}

}  // namespace dyconv
