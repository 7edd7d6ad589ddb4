#include "ops/pool.h"

#include <ATen/Dispatch.h>
#include <ATen/ops/constant_pad_nd.h>
#include <ATen/ops/max_pool1d.h>
#include <ATen/ops/max_pool2d.h>
#include <ATen/ops/max_pool3d.h>
#include <c10/util/SmallVector.h>

#include <limits>

#include "typed_error.h"

namespace dyconv {
namespace {

// One or two numbers for each axis.
using PoolList = c10::SmallVector<int64_t, 6>;

// More taps than this beyond the pixels of the image are not worth a separate implementation.
constexpr int64_t kSpareTaps = 64;

int64_t CeilDiv(int64_t a, int64_t b) { return (a + b - 1) / b; }

// Windows along an axis, as PyTorch counts them; 0 or less where libtorch reports an error.
int64_t Windows(const WindowAxis& axis, bool ceil_mode) {
  const int64_t room = axis.padded() - axis.reach() - 1;
  if (room < 0 && (!ceil_mode || room + axis.stride <= 0)) return 0;
  int64_t count = 1 + (ceil_mode ? CheckedAdd(room, axis.stride - 1, "a padded size") : room) / axis.stride;
  // The last window starts within the image or its left padding.
  if (ceil_mode &&
      CheckedMultiply(count - 1, axis.stride, "(windows - 1) * stride") >= axis.in + axis.padding)
    --count;
  return count;
}

// Whether a window is outside of the image: none of its taps is a pixel.
bool HasWindowOutside(const WindowAxis& axis, int64_t windows) {
  if (axis.dilation <= axis.in) return false;
  for (int64_t i = 0; i < windows && i * axis.stride < axis.padding; ++i) {
    const int64_t before = axis.padding - i * axis.stride;
    const int64_t tap = CeilDiv(before, axis.dilation);
    if (tap >= axis.kernel || tap * axis.dilation - before >= axis.in) return true;
  }
  return false;
}

// The padding or cropping of an axis, and the windows on the result, without further padding.
struct PaddedAxis {
  int64_t before, after, kernel, stride;
};

// Omits taps that no window has inside the image.
PaddedAxis Pad(const WindowAxis& axis, int64_t windows) {
  const int64_t last = (windows - 1) * axis.stride;  // from the first window to the last
  const int64_t first_tap =
      last < axis.padding ? std::min(CeilDiv(axis.padding - last, axis.dilation), axis.kernel - 1) : 0;
  const int64_t last_tap =
      std::max(first_tap, std::min(axis.kernel, CeilDiv(axis.in + axis.padding, axis.dilation)) - 1);
  const int64_t taps = last_tap - first_tap + 1, before = axis.padding - first_tap * axis.dilation;
  // No window contains a pixel: only padding remains.
  if (-before >= axis.in || (taps == 1 && before > last))
    return {last + 1, -axis.in, 1, windows == 1 ? 1 : axis.stride};
  return {before, last + (taps - 1) * axis.dilation + 1 - axis.in - before, taps,
          windows == 1 ? 1 : axis.stride};
}

at::Scalar Lowest(at::ScalarType type) {
  if (at::isFloatingType(type)) return -std::numeric_limits<double>::infinity();
  return AT_DISPATCH_INTEGRAL_TYPES(type, "max_pool", [] {
    return at::Scalar(static_cast<int64_t>(std::numeric_limits<scalar_t>::lowest()));
  });
}

at::Tensor Library(const at::Tensor& x, at::IntArrayRef kernel, at::IntArrayRef stride,
                   at::IntArrayRef padding, at::IntArrayRef dilation, bool ceil_mode) {
  if (kernel.size() == 1) return at::max_pool1d(x, kernel, stride, padding, dilation, ceil_mode);
  if (kernel.size() == 3) return at::max_pool3d(x, kernel, stride, padding, dilation, ceil_mode);
  return at::max_pool2d(x, kernel, stride, padding, dilation, ceil_mode);
}

// Whether lists and dimensions fit together and no image is empty; libtorch reports it if not.
bool PoolArgumentsAgree(at::IntArrayRef sizes, size_t axes, std::initializer_list<at::IntArrayRef> lists) {
  if (axes < 1 || axes > 3 || sizes.size() < axes) return false;
  for (const auto list : lists) {
    if (list.size() != axes) return false;
  }
  const auto spatial = sizes.slice(sizes.size() - axes);
  return std::all_of(spatial.begin(), spatial.end(), [](int64_t size) { return size > 0; });
}

}  // namespace

bool MaxPoolFits(const WindowAxis& axis, bool ceil_mode) {
  // Cases that libtorch rejects.
  if (axis.padding > axis.kernel / 2) return true;
  const int64_t windows = Windows(axis, ceil_mode);
  if (windows <= 0) return true;
  return axis.kernel <= axis.in + kSpareTaps && !HasWindowOutside(axis, windows);
}

void CheckWindows(at::IntArrayRef kernel, at::IntArrayRef stride, at::IntArrayRef padding,
                  at::IntArrayRef dilation) {
  CheckAtLeast(kernel, 1, "kernelSize");
  CheckAtLeast(stride, 1, "stride");
  CheckAtLeast(padding, 0, "padding");
  CheckAtLeast(dilation, 1, "dilation");
}

at::Tensor MaxPoolNd(const at::Tensor& input, at::IntArrayRef kernel, at::IntArrayRef stride,
                     at::IntArrayRef padding, at::IntArrayRef dilation, bool ceil_mode) {
  CheckWindows(kernel, stride, padding, dilation);
  const int64_t axes = static_cast<int64_t>(kernel.size());
  const auto axis_of = [&](int64_t i) {
    return WindowAxis{input.size(input.dim() - axes + i), kernel[i], stride[i], padding[i], dilation[i]};
  };
  bool fits = true;
  if (PoolArgumentsAgree(input.sizes(), axes, {stride, padding, dilation})) {
    for (int64_t i = 0; i < axes; ++i) fits &= MaxPoolFits(axis_of(i), ceil_mode);
  }
  if (fits) return Library(input, kernel, stride, padding, dilation, ceil_mode);

  PoolList pads, kernels, strides;
  for (int64_t i = 0; i < axes; ++i) {
    const auto axis = axis_of(i);
    const int64_t windows = Windows(axis, ceil_mode);
    Require(windows > 0 && axis.padding <= axis.kernel / 2, ErrorKind::kShape,
            "Expected windows that fit into the input, with padding of at most half their size, for "
            "kernel size ",
            kernel, " but received input ", input.sizes(), " and padding ", padding);
    const auto padded = Pad(axis, windows);
    kernels.push_back(padded.kernel);
    strides.push_back(padded.stride);
    // The last axis comes first.
    pads.insert(pads.begin(), {padded.before, padded.after});
  }
  const auto padded = at::constant_pad_nd(input, pads, Lowest(input.scalar_type()));
  return Library(padded, kernels, strides, PoolList(axes, 0), dilation, /*ceil_mode=*/false);
}

void CheckPool(const at::Tensor& input, at::IntArrayRef kernel, at::IntArrayRef stride,
               at::IntArrayRef padding) {
  CheckWindows(kernel, stride, padding, {});
  if (!PoolArgumentsAgree(input.sizes(), kernel.size(), {stride, padding})) return;
  CheckedNumel(kernel, "a number of taps");
  for (size_t i = 0; i < kernel.size(); ++i) {
    const WindowAxis axis{input.size(input.dim() - kernel.size() + i), kernel[i], stride[i], padding[i], 1};
    CheckedAdd(axis.padded(), CheckedAdd(axis.stride, axis.kernel, "kernel size + stride"), "a padded size");
  }
}

void CheckUnfold(at::IntArrayRef sizes, at::IntArrayRef kernel, at::IntArrayRef dilation,
                 at::IntArrayRef padding, at::IntArrayRef stride) {
  CheckWindows(kernel, stride, padding, dilation);
  if (!PoolArgumentsAgree(sizes, kernel.size(), {dilation, padding, stride})) return;
  PoolList columns(kernel.begin(), kernel.end());
  for (size_t i = 0; i < kernel.size(); ++i) {
    columns.push_back(
        WindowAxis{sizes[sizes.size() - kernel.size() + i], kernel[i], stride[i], padding[i], dilation[i]}
            .count());
  }
  CheckedNumel(columns, "a number of columns");
}

}  // namespace dyconv
