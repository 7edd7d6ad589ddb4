#include "ops/dynamic_conv/problem.h"

#include <c10/util/Exception.h>

#include "dtype_name.h"

namespace dyconv {
namespace {

void CheckPair(const Pair& values, const char* name, int64_t least) {
  Require(values[0] >= least && values[1] >= least, ErrorKind::kArgument, "Expected integers of at least ",
          least, " for ", name, " but received [", values[0], ", ", values[1], "]");
}

void CheckLike(const at::Tensor& tensor, const char* name, const at::Tensor& input, bool or_float) {
  Require(tensor.device() == input.device(), ErrorKind::kDevice, "Expected device ", input.device(),
          " of input for ", name, " but received ", tensor.device());
  const bool same = tensor.scalar_type() == input.scalar_type();
  Require(same || (or_float && tensor.scalar_type() == at::kFloat), ErrorKind::kDType, "Expected dtype ",
          DTypeName(input.scalar_type()), " of input", or_float ? " or float32" : "", " for ", name,
          " but received ", DTypeName(tensor.scalar_type()));
}

void CheckDims(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& attention,
               const std::optional<at::Tensor>& bias) {
  Require(input.dim() == 4, ErrorKind::kShape, "Expected shape [B, I, H, W] for input but received ",
          input.sizes());
  Require(input.size(2) > 0 && input.size(3) > 0, ErrorKind::kShape,
          "Expected at least one row and column for input but received ", input.sizes());
  Require(weight.dim() == 5, ErrorKind::kShape,
          "Expected shape [K, O, I / groups, kh, kw] for weight but received ", weight.sizes());
  Require(weight.size(0) > 0 && weight.size(1) > 0 && weight.size(3) > 0 && weight.size(4) > 0,
          ErrorKind::kShape, "Expected at least one expert, output channel and tap for weight but received ",
          weight.sizes());
  const int64_t batch = input.size(0), experts = weight.size(0), out = weight.size(1);
  Require(attention.dim() == 2 && attention.size(0) == batch && attention.size(1) == experts,
          ErrorKind::kShape, "Expected shape [B, K] = [", batch, ", ", experts,
          "] for attention but received ", attention.sizes());
  Require(!bias || (bias->dim() == 2 && bias->size(0) == experts && bias->size(1) == out), ErrorKind::kShape,
          "Expected shape [K, O] = [", experts, ", ", out, "] for bias but received ",
          bias ? bias->sizes() : at::IntArrayRef());
}

void CheckGroups(const at::Tensor& input, const at::Tensor& weight, int64_t groups) {
  Require(groups >= 1, ErrorKind::kArgument, "Expected an integer of at least 1 for groups but received ",
          groups);
  Require(input.size(1) > 0 && input.size(1) % groups == 0, ErrorKind::kShape,
          "Expected input channels divisible by groups = ", groups, " for input but received ",
          input.sizes());
  Require(weight.size(1) % groups == 0, ErrorKind::kShape,
          "Expected output channels divisible by groups = ", groups, " for weight but received ",
          weight.sizes());
  Require(weight.size(2) == input.size(1) / groups, ErrorKind::kShape,
          "Expected I / groups = ", input.size(1) / groups, " at dimension 2 for weight but received ",
          weight.sizes());
}

}  // namespace

void SetWindows(kernels::DynamicConvShape& shape, const Pair& stride, const Pair& padding,
                const Pair& dilation) {
  const auto axis = [&](size_t i, int64_t in, int64_t kernel) {
    return WindowAxis{in, kernel, stride[i], padding[i], dilation[i]}.Checked().Reduced();
  };
  const auto y = axis(0, shape.in_h, shape.kernel_h), x = axis(1, shape.in_w, shape.kernel_w);
  shape.stride_h = y.stride;
  shape.stride_w = x.stride;
  shape.padding_h = y.padding;
  shape.padding_w = x.padding;
  shape.dilation_h = y.dilation;
  shape.dilation_w = x.dilation;
  shape.out_h = y.count();
  shape.out_w = x.count();
}

kernels::DynamicConvShape ShapeOf(const at::Tensor& input, const at::Tensor& weight,
                                  const DynamicConvOptions& options) {
  kernels::DynamicConvShape shape;
  shape.batch = input.size(0);
  shape.in_channels = input.size(1);
  shape.in_h = input.size(2);
  shape.in_w = input.size(3);
  shape.experts = weight.size(0);
  shape.out_channels = weight.size(1);
  shape.kernel_h = weight.size(3);
  shape.kernel_w = weight.size(4);
  SetWindows(shape, options.stride, options.padding, options.dilation);
  shape.groups = options.groups;
  CheckedNumel({shape.experts, shape.batch, shape.out_channels, shape.out_h, shape.out_w},
               "a number of outputs");
  return shape;
}

bool FitsKernels(const kernels::DynamicConvShape& s) {
  // Images that are mostly padding would need too much memory; pixels are counted in 32 bits.
  constexpr int64_t kSmall = 1 << 14, kLarge = 1 << 30, kMostPadding = 16;
  int64_t padded;
  return !c10::mul_overflows(s.in_h + 2 * s.padding_h, s.in_w + 2 * s.padding_w, &padded) &&
         padded < kLarge && padded <= std::max(kSmall, kMostPadding * std::max(s.in_plane(), s.out_plane()));
}

DynamicConvProblem MakeDynamicConvProblem(const at::Tensor& input, const at::Tensor& weight,
                                          const at::Tensor& attention, const std::optional<at::Tensor>& bias,
                                          const DynamicConvOptions& options) {
  CheckDims(input, weight, attention, bias);
  CheckPair(options.stride, "stride", 1);
  CheckPair(options.padding, "padding", 0);
  CheckPair(options.dilation, "dilation", 1);
  CheckGroups(input, weight, options.groups);
  const auto dtype = input.scalar_type();
  Require(dtype == at::kFloat || dtype == at::kDouble || dtype == at::kBFloat16 || dtype == at::kHalf,
          ErrorKind::kDType, "Expected dtype float32, float64, bfloat16 or float16 for input but received ",
          DTypeName(dtype));
  CheckLike(weight, "weight", input, false);
  CheckLike(attention, "attention", input, true);
  if (bias) CheckLike(*bias, "bias", input, false);

  const auto shape = ShapeOf(input, weight, options);
  Require(shape.out_h > 0 && shape.out_w > 0, ErrorKind::kShape,
          "Expected height and width no smaller than the kernel's reach ",
          "after padding for input but received ", input.sizes(), " for weight ", weight.sizes());
  return {input, weight, attention, bias, options, shape, kernels::BestIsa()};
}

std::vector<int64_t> PackGeometry(const DynamicConvOptions& o) {
  return {o.stride[0], o.stride[1], o.padding[0], o.padding[1], o.dilation[0], o.dilation[1], o.groups};
}

DynamicConvOptions UnpackGeometry(at::IntArrayRef packed) {
  TORCH_INTERNAL_ASSERT(packed.size() == 7);
  DynamicConvOptions options;
  options.stride = {packed[0], packed[1]};
  options.padding = {packed[2], packed[3]};
  options.dilation = {packed[4], packed[5]};
  options.groups = packed[6];
  return options;
}

}  // namespace dyconv
