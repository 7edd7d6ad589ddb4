#include "ops/inference/fused_conv.h"

#include <ATen/ops/zeros.h>

#include "ops/activation.h"
#include "ops/dynamic_conv/problem.h"
#include "ops/dynamic_conv/winograd_cost.h"
#include "ops/inference/images.h"
#include "ops/inference/packed_conv.h"
#include "typed_error.h"

namespace dyconv {
namespace {

// The sizes of a convolution of such images; nothing if the image is smaller than the extent of the kernel.
std::optional<kernels::DynamicConvShape> ShapeOn(const Pair& image, const std::vector<int64_t>& size,
                                                 int64_t batch, const Pair& stride, const Pair& padding,
                                                 const Pair& dilation) {
  auto s = PackedShape(size, batch, image);
  SetWindows(s, stride, padding, dilation);
  if (s.out_h < 1 || s.out_w < 1 || !FitsKernels(s)) return std::nullopt;
  return s;
}

}  // namespace

at::Tensor PackConv(const at::Tensor& weight) { return PackExpert(weight, 1); }

at::Tensor PackExpert(const at::Tensor& weight, int64_t experts) {
  const auto from = weight.to(at::kFloat).contiguous();
  kernels::NhwcConvArgs args;
  args.shape = PackedShape(from.sizes().vec());
  args.shape.experts = experts;
  args.plan = kernels::BestKernels().PlanNhwcConv(args.shape, true, 1);
  const auto packed = at::empty({args.plan.packed}, from.options());
  InParallel(at::get_num_threads(), args.plan.panels, [&](int64_t begin, int64_t end) {
    kernels::BestKernels().PackNhwcConv(args, from.const_data_ptr<float>(), packed.data_ptr<float>(), begin,
                                        end);
  });
  return packed;
}

at::Tensor PackWinograd(const at::Tensor& weight, const Pair& tile) {
  const auto from = weight.to(at::kFloat).contiguous();
  kernels::DynamicConvArgs args;
  args.shape = PackedShape(from.sizes().vec());
  args.plan = kernels::BestKernels().PlanWinograd(args.shape, 1, {tile[0], tile[1]});
  args.weight = from.const_data_ptr<float>();
  const auto packed = at::empty({args.plan.forward_weight}, from.options());
  args.packed_weight = packed.data_ptr<float>();
  InParallel(at::get_num_threads(), args.plan.forward_panels, [&](int64_t begin, int64_t end) {
    kernels::BestKernels().PackWinogradForward(args, begin, end);
  });
  return packed;
}

at::Tensor PackDepthwise(const at::Tensor& weight) {
  const auto from = weight.to(at::kFloat).contiguous();
  const auto shape = PackedShape(from.sizes().vec());
  const auto packed = at::empty({shape.kernel_size(), shape.out_channels}, from.options());
  kernels::BestKernels().PackNhwcDepthwise(shape, from.const_data_ptr<float>(), packed.data_ptr<float>(), 0,
                                           shape.out_channels);
  return packed;
}

at::Tensor PackBias(const OptionalTensor& bias, int64_t out_channels) {
  Require(!bias || bias->sizes() == at::IntArrayRef({out_channels}), ErrorKind::kShape, "Expected [",
          out_channels, "] for bias but received ", bias ? bias->sizes() : at::IntArrayRef());
  const auto packed = at::zeros({PackedBias(out_channels)}, at::kFloat);
  if (bias) packed.narrow(0, 0, out_channels).copy_(*bias);
  return packed;
}

at::Tensor FusedConv2d(const at::Tensor& input, const std::vector<int64_t>& size,
                       const std::string& activation, const OptionalTensor& residual, const Pair& stride,
                       const Pair& padding, const Pair& dilation, const Pair& tile, const at::Tensor& packed,
                       const OptionalTensor& winograd, const at::Tensor& bias) {
  const auto s = PackedShape(input, size, size[1], stride, padding, dilation);
  const auto output = EmptyChannelsLast({s.batch, s.out_channels, s.out_h, s.out_w}, input);
  if (output.numel() == 0) return output;
  // Images with few channels are always copied.
  const bool planes = !IsChannelsLast(input) && s.in_channels < 16 && input.is_contiguous();
  const auto image = planes ? input : AsChannelsLast(input);
  const auto added = AsResidual(residual, output);
  RequirePacked(bias, PackedBias(s.out_channels));
  const kernels::Epilogue epilogue{bias.const_data_ptr<float>(), FloatDataOf(added),
                                   ActivationOf(activation)};
  const kernels::ImageStrides strides =
      planes ? kernels::ImageStrides{s.in_channels * s.in_plane(), s.in_plane(), 1}
             : ChannelsLastStrides(s.in_channels, s.in_plane());
  if (winograd && WinogradApplies(s) && WinogradPays(s, tile)) {
    kernels::DynamicConvArgs args;
    args.shape = s;
    args.input = image.const_data_ptr<float>();
    args.input_strides = strides;
    args.bias = epilogue.bias;
    args.output = output.data_ptr<float>();
    args.output_strides = ChannelsLastStrides(s.out_channels, s.out_plane());
    args.epilogue = epilogue;
    if (RunWinograd(args, *winograd, tile)) return output;
  }
  kernels::NhwcConvArgs args;
  args.shape = s;
  args.input = image.const_data_ptr<float>();
  args.input_strides = strides;
  args.output = output.data_ptr<float>();
  args.epilogue = epilogue;
  RunDirect(args, packed, !planes);
  return output;
}

at::Tensor FusedDepthwiseConv2d(const at::Tensor& input, const std::vector<int64_t>& size,
                                const std::string& activation, const OptionalTensor& residual,
                                const Pair& stride, const Pair& padding, const Pair& dilation,
                                const at::Tensor& packed, const at::Tensor& bias) {
  auto s = PackedShape(input, size, size[0], stride, padding, dilation);
  s.groups = s.in_channels;
  const auto output = EmptyChannelsLast({s.batch, s.out_channels, s.out_h, s.out_w}, input);
  if (output.numel() == 0) return output;
  const auto image = AsChannelsLast(input);
  const auto added = AsResidual(residual, output);
  const int64_t count = bias.dim() == 2 ? s.batch : 1;  // kernels: one, or one for each sample
  RequirePacked(packed, count * s.kernel_size() * s.out_channels);
  RequirePacked(bias, count * PackedBias(s.out_channels));
  kernels::NhwcDepthwiseArgs args;
  args.shape = s;
  args.input = image.const_data_ptr<float>();
  args.packed = packed.const_data_ptr<float>();
  if (bias.dim() == 2) {
    args.packed_stride = packed.size(1);
    args.bias_stride = bias.size(1);
  }
  args.output = output.data_ptr<float>();
  args.epilogue = {bias.const_data_ptr<float>(), FloatDataOf(added), ActivationOf(activation)};
  InParallel(ThreadsForWork(0, static_cast<double>(output.numel() * s.kernel_size()) / 4), s.batch * s.out_h,
             [&](int64_t begin, int64_t end) { kernels::BestKernels().NhwcDepthwise(args, begin, end); });
  return output;
}

at::Tensor FusedLinear(const at::Tensor& input, const std::vector<int64_t>& size,
                       const std::string& activation, const OptionalTensor& residual,
                       const at::Tensor& packed, const at::Tensor& bias) {
  Require(input.dim() > 0 && input.size(-1) == size[1], ErrorKind::kShape, "Expected [..., ", size[1],
          "] for input but received ", input.sizes());
  Require(input.scalar_type() == at::kFloat && input.device().is_cpu(), ErrorKind::kDType,
          "Expected float32 on the CPU for input but received ", input.scalar_type(), " on ", input.device());
  auto sizes = input.sizes().vec();
  sizes.back() = size[0];
  const auto output = at::empty(sizes, input.options());
  if (output.numel() == 0) return output;
  const auto rows = input.contiguous();
  const auto added = AsResidual(residual, output);
  kernels::NhwcConvArgs args;
  args.shape = PackedShape(size, output.numel() / size[0]);
  args.input = rows.const_data_ptr<float>();
  args.output = output.data_ptr<float>();
  args.epilogue = {bias.const_data_ptr<float>(), FloatDataOf(added), ActivationOf(activation)};
  RequirePacked(bias, PackedBias(size[0]));
  RunDirect(args, packed, true);
  return output;
}

Pair WinogradTileFor(const std::vector<int64_t>& size, const Pair& image, const Pair& stride,
                     const Pair& padding, const Pair& dilation) {
  // As many samples as make reading the weights cheap.
  constexpr int64_t kSamples = 16;
  const auto s = ShapeOn(image, size, kSamples, stride, padding, dilation);
  if (!s || !WinogradApplies(*s)) return {0, 0};
  const auto tile = WinogradForwardCost(*s, Mixing::kNone).tile;
  return WinogradPays(*s, {tile.h, tile.w}) ? Pair{tile.h, tile.w} : Pair{0, 0};
}

bool WinogradPaysForOne(const std::vector<int64_t>& size, int64_t experts, const Pair& image,
                        const Pair& stride, const Pair& padding, const Pair& dilation, const Pair& tile) {
  auto s = ShapeOn(image, size, 1, stride, padding, dilation);
  if (!s || tile[0] == 0) return false;
  s->experts = experts;
  return WinogradPays(*s, tile);
}

}  // namespace dyconv
