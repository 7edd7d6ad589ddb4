#include "ops/conv_nd.h"

#include <ATen/core/grad_mode.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/conv1d.h>
#include <ATen/ops/conv2d.h>
#include <ATen/ops/conv3d.h>
#include <ATen/ops/conv_transpose1d.h>
#include <ATen/ops/conv_transpose2d.h>
#include <ATen/ops/conv_transpose3d.h>
#include <ATen/ops/convolution_backward.h>
#include <c10/util/SmallVector.h>

#include "ops/optional_tensor.h"
#include "typed_error.h"

namespace dyconv {
namespace {

// A number for each axis.
using AxisList = c10::SmallVector<int64_t, 3>;

// The largest stride, padding and dilation passed to oneDNN. From 32768 on it ends the process.
constexpr int64_t kLargestStep = 8192;

struct Geometry {
  AxisList stride, padding, dilation, output_padding;
  bool fits_library = true;
  // Whether only oneDNN's kernels for contiguous float32 are correct. The others read outside of tensors if a
  // window may lie outside of the image, and those of 16 bits return undefined values for a single window
  // with a stride.
  bool plain_only = false;
  // Whether there is padding: in three dimensions, oneDNN's bfloat16 gradient of the weight may then write
  // outside of tensors or omit terms of sums.
  bool padded = false;

  void Add(const WindowAxis& axis) {
    stride.push_back(axis.stride);
    padding.push_back(axis.padding);
    dilation.push_back(axis.dilation);
    fits_library &= FitsLibrary(axis);
    plain_only |=
        axis.padding > axis.reach() || axis.dilation > axis.in || (axis.stride > 1 && axis.count() == 1);
    padded |= axis.padding > 0;
  }
};

// Whether lists and dimensions fit together; libtorch reports it if not.
bool ConvArgumentsAgree(const at::Tensor& input, const at::Tensor& weight,
                        std::initializer_list<at::IntArrayRef> lists) {
  const int64_t axes = weight.dim() - 2;
  if (axes < 1 || axes > 3 || (input.dim() != axes + 1 && input.dim() != axes + 2)) return false;
  return std::all_of(lists.begin(), lists.end(),
                     [axes](at::IntArrayRef list) { return static_cast<int64_t>(list.size()) == axes; });
}

void CheckKernel(const at::Tensor& weight) {
  for (int64_t i = 2; i < weight.dim(); ++i) {
    Require(weight.size(i) > 0, ErrorKind::kShape,
            "Expected kernel sizes of at least 1 for weight but received ", weight.sizes());
  }
}

WindowAxis AxisOf(const at::Tensor& input, const at::Tensor& weight, int64_t i, int64_t stride,
                  int64_t padding, int64_t dilation) {
  const int64_t axes = weight.dim() - 2;
  return {input.size(input.dim() - axes + i), weight.size(2 + i), stride, padding, dilation};
}

// Checks the sizes of a convolution and reduces them to equivalent smaller ones.
Geometry Reduced(const at::Tensor& input, const at::Tensor& weight, at::IntArrayRef stride,
                 at::IntArrayRef padding, at::IntArrayRef dilation) {
  Geometry g;
  AxisList output{input.dim() == weight.dim() ? input.size(0) : 1, weight.size(0)};
  for (int64_t i = 0; i < weight.dim() - 2; ++i) {
    const auto axis = AxisOf(input, weight, i, stride[i], padding[i], dilation[i]).Checked().Reduced();
    g.Add(axis);
    output.push_back(axis.count());
  }
  CheckedNumel(output, "a number of outputs");
  return g;
}

// The same for a transposed convolution, whose windows lie in the output. Here the stride of a single input
// and the dilation of a single tap only limit the output padding.
Geometry ReducedTransposed(const at::Tensor& input, const at::Tensor& weight, at::IntArrayRef stride,
                           at::IntArrayRef padding, at::IntArrayRef output_padding, int64_t groups,
                           at::IntArrayRef dilation) {
  constexpr auto kSize = "an output size";
  Geometry g;
  AxisList output{input.dim() == weight.dim() ? input.size(0) : 1,
                  CheckedMultiply(weight.size(1), groups, "a number of output channels")};
  for (int64_t i = 0; i < weight.dim() - 2; ++i) {
    auto axis = AxisOf(input, weight, i, stride[i], padding[i], dilation[i]).Checked();
    CheckAtLeast(output_padding[i], 0, "outputPadding");
    const int64_t span = axis.in > 0 ? CheckedMultiply(axis.in - 1, axis.stride, kSize) : 0;
    const int64_t full =
        CheckedAdd(CheckedAdd(span, axis.reach(), kSize), CheckedAdd(output_padding[i], 1, kSize), kSize);
    const int64_t size = full - CheckedMultiply(axis.padding, 2, "2 * padding");
    Require(size > 0, ErrorKind::kShape,
            "Expected padding that leaves an output but received an output size of ", size, " for input ",
            input.sizes(), " and weight ", weight.sizes());
    const int64_t least = output_padding[i] + 1;
    if (axis.in == 1) axis.stride = std::min(axis.stride, least);
    if (axis.kernel == 1) axis.dilation = std::min(axis.dilation, least);
    axis.in = size;
    g.Add(axis);
    // Or an output between the windows.
    g.plain_only |= axis.stride > axis.reach() + 1;
    g.output_padding.push_back(output_padding[i]);
    output.push_back(size);
  }
  CheckedNumel(output, "a number of outputs");
  return g;
}

bool OfType(const at::Tensor& t, at::ScalarType type) { return t.scalar_type() == type; }

// How the library is called: with the tensors unchanged, or as contiguous float32, or as float64.
enum class Route { kAsGiven, kContiguous, kExact };

Route RouteOf(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias,
              const Geometry& g) {
  const auto type = input.scalar_type();
  const bool narrow = type == at::kFloat || type == at::kBFloat16 || type == at::kHalf;
  const bool alike = OfType(weight, type) && (!bias || OfType(*bias, type));
  if (!input.device().is_cpu() || !narrow || !alike) return Route::kAsGiven;
  if (!g.fits_library) return Route::kExact;
  const bool plain = g.plain_only || (g.padded && weight.dim() == 5 && type == at::kBFloat16);
  return plain ? Route::kContiguous : Route::kAsGiven;
}

at::Tensor On(Route route, const at::Tensor& t) {
  if (route == Route::kAsGiven) return t;
  const auto wanted = t.to(route == Route::kExact ? at::kDouble : at::kFloat);
  // Strides of dimensions of size 1 are arbitrary; they must not look like channels last either.
  const bool plain = wanted.is_contiguous() && wanted.suggest_memory_format() == at::MemoryFormat::Contiguous;
  return plain ? wanted : wanted.clone(at::MemoryFormat::Contiguous);
}

// Whether oneDNN's gradient of the weight (3.11) would read and write outside of tensors, or omit terms of
// sums: in three dimensions, if the padding along the first exceeds a stride above 1. Axes are reduced, so
// this is rare; the caller then pads or crops separately.
bool SplitsPadding(const at::Tensor& input, const at::Tensor& weight, const Geometry& g) {
  return weight.dim() == 5 && g.stride[0] > 1 && g.padding[0] > g.stride[0] && input.device().is_cpu() &&
         !OfType(input, at::kDouble) && at::GradMode::is_enabled() && weight.requires_grad();
}

// Calls `convolution`, a function of input, weight and bias.
template <typename Convolution>
at::Tensor Call(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias,
                const Geometry& g, const Convolution& convolution) {
  const Route route = RouteOf(input, weight, bias, g);
  if (route == Route::kAsGiven) return convolution(input, weight, bias);
  return convolution(On(route, input), On(route, weight), bias ? OptionalTensor(On(route, *bias)) : bias)
      .to(input.scalar_type());
}

}  // namespace

bool FitsLibrary(const WindowAxis& axis) {
  return axis.stride <= kLargestStep && axis.padding <= kLargestStep && axis.dilation <= kLargestStep;
}

at::Tensor ConvNd(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias,
                  at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups) {
  const auto call = [&](const auto& x, const auto& w, const auto& b, at::IntArrayRef s, at::IntArrayRef p,
                        at::IntArrayRef d) {
    if (weight.dim() == 3) return at::conv1d(x, w, b, s, p, d, groups);
    if (weight.dim() == 5) return at::conv3d(x, w, b, s, p, d, groups);
    return at::conv2d(x, w, b, s, p, d, groups);
  };
  if (!ConvArgumentsAgree(input, weight, {stride, padding, dilation}))
    return call(input, weight, bias, stride, padding, dilation);
  CheckKernel(weight);
  const auto g = Reduced(input, weight, stride, padding, dilation);
  return Call(input, weight, bias, g, [&](const auto& x, const auto& w, const auto& b) {
    if (!SplitsPadding(x, w, g)) return call(x, w, b, g.stride, g.padding, g.dilation);
    const int64_t depth = g.padding[0];
    const auto padded = at::constant_pad_nd(x, {0, 0, 0, 0, depth, depth});
    return call(padded, w, b, g.stride, AxisList{0, g.padding[1], g.padding[2]}, g.dilation);
  });
}

std::tuple<at::Tensor, at::Tensor, at::Tensor> ConvBackwardNd(
    const at::Tensor& grad_output, const at::Tensor& input, const at::Tensor& weight, at::IntArrayRef stride,
    at::IntArrayRef padding, at::IntArrayRef dilation, int64_t groups, std::array<bool, 3> needs) {
  const auto g = Reduced(input, weight, stride, padding, dilation);
  const Route route = RouteOf(input, weight, std::nullopt, g);
  const auto type = input.scalar_type();
  const AxisList none(weight.dim() - 2, 0);
  const auto [of_input, of_weight, of_bias] = at::convolution_backward(
      On(route, grad_output), On(route, input), On(route, weight), at::OptionalIntArrayRef({weight.size(0)}),
      g.stride, g.padding, g.dilation, /*transposed=*/false, none, groups, needs);
  const auto back = [&](const at::Tensor& grad) { return grad.defined() ? grad.to(type) : grad; };
  return {back(of_input), back(of_weight), back(of_bias)};
}

at::Tensor ConvTransposeNd(const at::Tensor& input, const at::Tensor& weight, const OptionalTensor& bias,
                           at::IntArrayRef stride, at::IntArrayRef padding, at::IntArrayRef output_padding,
                           int64_t groups, at::IntArrayRef dilation) {
  const auto call = [&](const auto& x, const auto& w, const auto& b, at::IntArrayRef s, at::IntArrayRef p,
                        at::IntArrayRef o, at::IntArrayRef d) {
    if (weight.dim() == 3) return at::conv_transpose1d(x, w, b, s, p, o, groups, d);
    if (weight.dim() == 5) return at::conv_transpose3d(x, w, b, s, p, o, groups, d);
    return at::conv_transpose2d(x, w, b, s, p, o, groups, d);
  };
  if (!ConvArgumentsAgree(input, weight, {stride, padding, output_padding, dilation}))
    return call(input, weight, bias, stride, padding, output_padding, dilation);
  CheckKernel(weight);
  const auto g = ReducedTransposed(input, weight, stride, padding, output_padding, groups, dilation);
  return Call(input, weight, bias, g, [&](const auto& x, const auto& w, const auto& b) {
    if (!SplitsPadding(x, w, g)) return call(x, w, b, g.stride, g.padding, g.output_padding, g.dilation);
    const int64_t depth = g.padding[0];
    const auto whole =
        call(x, w, b, g.stride, AxisList{0, g.padding[1], g.padding[2]}, g.output_padding, g.dilation);
    return whole.narrow(-3, depth, whole.size(-3) - 2 * depth);
  });
}

}  // namespace dyconv
