#include "max_unpool.h"

#include <ATen/native/Pool.h>
#include <ATen/ops/aminmax.h>
#include <ATen/ops/max_pool1d_with_indices.h>
#include <ATen/ops/max_pool2d_with_indices.h>
#include <ATen/ops/max_pool3d_with_indices.h>
#include <ATen/ops/max_unpool2d.h>
#include <ATen/ops/max_unpool3d.h>

#include "../typed_error.h"

namespace dyconv {
namespace {

// Whether some window has no pixel of `size`: one that lies in the padding, or, with a dilation, has the
// whole of a small input between two of its pixels.
bool HasEmptyWindow(int64_t size, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation,
                    bool ceil_mode) {
  const int64_t count =
      at::native::pooling_output_shape<int64_t>(size, kernel, padding, stride, dilation, ceil_mode);
  for (int64_t out = 0; out < count; ++out) {
    const int64_t start = out * stride - padding;
    const int64_t skipped = start < 0 ? (-start + dilation - 1) / dilation : 0;
    if (skipped >= kernel || start + skipped * dilation >= size) return true;
  }
  return false;
}

// What libtorch takes: it refuses the rest itself, but for a reach beyond 64 bits, which it would wrap
// around.
bool Valid(const WindowOptions& o, size_t i) {
  if (o.kernel[i] <= 0 || o.stride[i] <= 0 || o.dilation[i] <= 0) return false;
  int64_t reach = 0;
  Require(!__builtin_mul_overflow(o.dilation[i], o.kernel[i], &reach), ErrorKind::kShape,
          "Expected a window of less than 2^63 pixels but kernelSize is ", o.kernel[i], " and dilation ",
          o.dilation[i]);
  return o.padding[i] >= 0 && o.padding[i] <= o.kernel[i] / 2;
}

// Wrong sizes and options are left to libtorch to report.
void CheckWindows(const at::Tensor& input, const WindowOptions& o) {
  const auto count = static_cast<int64_t>(o.kernel.size());
  if (input.dim() < count || input.numel() == 0) return;
  for (size_t i = 0; i < o.kernel.size(); ++i) {
    if (!Valid(o, i)) return;
    const int64_t size = input.size(static_cast<int64_t>(i) - count);
    Require(!HasEmptyWindow(size, o.kernel[i], o.stride[i], o.padding[i], o.dilation[i], o.ceil_mode),
            ErrorKind::kShape, "Expected windows that each reach the input but one of kernelSize ",
            o.kernel[i], ", padding ", o.padding[i], " and dilation ", o.dilation[i],
            " lies outside of a size of ", size);
  }
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> MaxPoolWithIndices(const at::Tensor& input, const WindowOptions& o) {
  const size_t count = o.kernel.size();
  Require(count >= 1 && count <= 3 && o.stride.size() == count && o.padding.size() == count &&
              o.dilation.size() == count,
          ErrorKind::kArgument,
          "Expected one to three sizes for kernelSize, and as many for stride, padding and dilation");
  CheckWindows(input, o);
  if (o.kernel.size() == 1)
    return at::max_pool1d_with_indices(input, o.kernel, o.stride, o.padding, o.dilation, o.ceil_mode);
  if (o.kernel.size() == 2)
    return at::max_pool2d_with_indices(input, o.kernel, o.stride, o.padding, o.dilation, o.ceil_mode);
  return at::max_pool3d_with_indices(input, o.kernel, o.stride, o.padding, o.dilation, o.ceil_mode);
}

at::Tensor MaxUnpool(const at::Tensor& input, const at::Tensor& indices, const std::vector<int64_t>& size,
                     const std::vector<int64_t>& stride, const std::vector<int64_t>& padding) {
  Require(indices.scalar_type() == at::kLong, ErrorKind::kDType, "Expected dtype int64 for indices");
  Require(indices.sizes() == input.sizes(), ErrorKind::kShape, "Expected the shape of input, ", input.sizes(),
          ", for indices but received ", indices.sizes());
  int64_t plane = 1;
  for (const int64_t length : size) {
    Require(length >= 0 && !__builtin_mul_overflow(plane, length, &plane), ErrorKind::kShape,
            "Expected sizes of a tensor that can exist for outputSize but received ", at::IntArrayRef(size));
  }
  // On a GPU the kernel checks: the values are not here.
  if (indices.device().is_cpu() && indices.numel() > 0) {
    const auto [low, high] = at::aminmax(indices);
    Require(low.item<int64_t>() >= 0 && high.item<int64_t>() < plane, ErrorKind::kShape,
            "Expected indices from 0 to ", plane - 1, " but received indices from ", low.item<int64_t>(),
            " to ", high.item<int64_t>());
  }
  return size.size() == 3 ? at::max_unpool3d(input, indices, size, stride, padding)
                          : at::max_unpool2d(input, indices, size);
}

}  // namespace dyconv
