#include "ops/inference/packed_conv.h"

#include <ATen/ops/zeros.h>

#include <algorithm>

#include "dtype_name.h"
#include "ops/dynamic_conv/problem.h"
#include "ops/dynamic_conv/winograd_cost.h"
#include "ops/inference/images.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using kernels::DynamicConvShape;

double MultiplyAdds(const DynamicConvShape& s) {
  return static_cast<double>(s.batch * s.out_plane()) * static_cast<double>(s.expert_size());
}

}  // namespace

// The sizes of a convolution without groups. The image may be left out where only the weight counts.
DynamicConvShape PackedShape(const std::vector<int64_t>& size, int64_t batch, const Pair& image) {
  Require(size.size() == 4 || size.size() == 2, ErrorKind::kShape,
          "Expected [O, I, kh, kw] or [O, I] for size but received ", at::IntArrayRef(size));
  DynamicConvShape shape;
  shape.batch = batch;
  shape.in_h = image[0];
  shape.in_w = image[1];
  shape.experts = 1;
  shape.out_channels = size[0];
  shape.in_channels = size[1];
  shape.kernel_h = size.size() == 2 ? 1 : size[2];
  shape.kernel_w = size.size() == 2 ? 1 : size[3];
  shape.out_h = shape.out_w = 1;
  return shape;
}

// That of an input, checked against it. Throws a ShapeError.
DynamicConvShape PackedShape(const at::Tensor& input, const std::vector<int64_t>& size, int64_t channels,
                             const Pair& stride, const Pair& padding, const Pair& dilation,
                             at::ScalarType dtype) {
  Require(input.dim() == 4 && input.size(1) == channels, ErrorKind::kShape, "Expected [B, ", channels,
          ", H, W] for input but received ", input.sizes());
  Require(input.scalar_type() == dtype && input.device().is_cpu(), ErrorKind::kDType, "Expected ",
          DTypeName(dtype), " on the CPU for input but received ", DTypeName(input.scalar_type()), " on ",
          input.device());
  auto shape = PackedShape(size, input.size(0), {input.size(2), input.size(3)});
  shape.in_channels = channels;
  SetWindows(shape, stride, padding, dilation);
  Require(
      shape.out_h > 0 && shape.out_w > 0 && FitsKernels(shape), ErrorKind::kShape,
      "Expected height and width no smaller than the kernel's reach after padding for input but received ",
      input.sizes());
  return shape;
}

OptionalTensor AsResidual(const OptionalTensor& residual, const at::Tensor& output) {
  if (!residual) return std::nullopt;
  Require(residual->sizes() == output.sizes(), ErrorKind::kShape, "Expected ", output.sizes(),
          " for residual but received ", residual->sizes());
  return output.dim() == 4 && IsChannelsLast(output) ? AsChannelsLast(*residual) : residual->contiguous();
}

void RequirePacked(const at::Tensor& packed, int64_t floats) {
  Require(packed.numel() >= floats && packed.is_contiguous(), ErrorKind::kShape,
          "Expected packed weights of at least ", floats, " numbers but received ", packed.sizes());
}

void RequireExpertBias(const OptionalTensor& bias, int64_t experts, int64_t channels) {
  Require(!bias || bias->sizes() == at::IntArrayRef({experts, channels}), ErrorKind::kShape, "Expected [",
          experts, ", ", channels, "] for bias but received ", bias ? bias->sizes() : at::IntArrayRef());
}

at::Tensor MixBias(const OptionalTensor& bias, const at::Tensor& attention, int64_t channels) {
  const int64_t batch = attention.size(0), experts = attention.size(1);
  RequireExpertBias(bias, experts, channels);
  const int64_t padded = PackedBias(channels);
  const auto mixed = at::zeros({batch, padded}, attention.options());
  for (int64_t b = 0; bias && b < batch; ++b) {
    kernels::BestKernels().MixExperts(bias->const_data_ptr<float>(),
                                      attention.const_data_ptr<float>() + b * experts, experts, channels,
                                      mixed.data_ptr<float>() + b * padded, 0, channels);
  }
  return mixed;
}

void RunDirect(kernels::NhwcConvArgs& args, const at::Tensor& packed, bool channels_last) {
  const int64_t threads = ThreadsForWork(MultiplyAdds(args.shape));
  args.plan = kernels::BestKernels().PlanNhwcConv(args.shape, channels_last, threads);
  RequirePacked(packed, args.plan.packed * args.shape.experts);
  args.packed = packed.const_data_ptr<float>();
  const int64_t floats = Scratch::Rounded(args.plan.scratch);
  Scratch scratch(threads * floats);
  float* own = scratch.Take(threads * floats);
  InParallel(threads, args.plan.items, [&](int64_t begin, int64_t end) {
    kernels::BestKernels().NhwcConv(args, begin, end, own + at::get_thread_num() * floats);
  });
}

// Whether Winograd's form with packed weights is faster, in multiply-adds of one sample, input and output
// channel; measured: docs/dynamic-convolution.md. Reading a transformed weight costs more the less
// of them stay in the caches; a dynamic convolution reads those of all experts.
bool WinogradPays(const DynamicConvShape& s, const Pair& tile) {
  const auto of = [](int64_t n) { return static_cast<double>(n); };
  const auto tiling = kernels::WinogradTilingOf(s, {tile[0], tile[1]});
  const double bytes = of(tiling.points() * s.in_channels * s.out_channels) * sizeof(float);
  const double read = bytes < 1e6 ? 2 : 14;
  const double products = of(tiling.y.products() * tiling.x.products());
  const double move = 14 * (1 / of(s.in_channels) + 1 / of(s.out_channels));
  const double winograd = products * (1 + move) + of(tiling.points() * s.experts) * read / of(s.batch);
  const double direct =
      of(s.out_plane() * s.kernel_size()) * (1 + of(2 * s.experts) / of(s.batch * s.out_plane()));
  return winograd < 0.9 * direct;
}

// False where a number was not finite: Winograd's algorithm would spread it over its tile.
bool RunWinograd(kernels::DynamicConvArgs& args, const at::Tensor& packed, const Pair& tile) {
  Require(WinogradApplies(args.shape) && tile[0] > 1 && tile[1] > 1, ErrorKind::kArgument,
          "Expected a convolution of 3x3 or 5x5 with stride 1 for a Winograd tile");
  const int64_t threads = ThreadsForWork(MultiplyAdds(args.shape));
  auto& plan = args.plan;
  plan = kernels::BestKernels().PlanWinograd(args.shape, threads, {tile[0], tile[1]});
  RequirePacked(packed, plan.forward_weight);
  args.packed_weight = const_cast<float*>(packed.const_data_ptr<float>());
  if (plan.forward_items < threads) {
    plan.forward_panel_parts = std::min(plan.forward_panels, threads / plan.forward_items);
    plan.forward_items *= plan.forward_panel_parts;
  }
  uint8_t not_finite = 0;
  args.not_finite = &not_finite;
  const int64_t floats = Scratch::Rounded(plan.forward_scratch);
  Scratch scratch(threads * floats);
  float* own = scratch.Take(threads * floats);
  InParallel(threads, plan.forward_items, [&](int64_t begin, int64_t end) {
    kernels::BestKernels().WinogradForward(args, begin, end, own + at::get_thread_num() * floats);
  });
  return not_finite == 0;
}

kernels::ImageStrides ChannelsLastStrides(int64_t channels, int64_t plane) {
  return {channels * plane, 1, channels};
}

}  // namespace dyconv
