#include "ops/max_unpool.h"

#include <ATen/ops/aminmax.h>
#include <ATen/ops/max_pool1d_with_indices.h>
#include <ATen/ops/max_pool2d_with_indices.h>
#include <ATen/ops/max_pool3d_with_indices.h>
#include <ATen/ops/max_unpool2d.h>
#include <ATen/ops/max_unpool3d.h>

#include "ops/pool.h"
#include "typed_error.h"

namespace dyconv {
namespace {

// Wrong sizes and options are left to libtorch to report.
void CheckReach(const at::Tensor& input, const WindowOptions& o) {
  const auto count = static_cast<int64_t>(o.kernel.size());
  if (input.dim() < count || input.numel() == 0) return;
  for (size_t i = 0; i < o.kernel.size(); ++i) {
    const WindowAxis axis{input.size(static_cast<int64_t>(i) - count), o.kernel[i], o.stride[i], o.padding[i],
                          o.dilation[i]};
    Require(MaxPoolFits(axis, o.ceil_mode), ErrorKind::kShape,
            "Expected windows that each reach the input, where maxima have indices, but one of kernelSize ",
            o.kernel[i], ", padding ", o.padding[i], " and dilation ", o.dilation[i],
            " does not in a size of ", axis.in);
  }
}

}  // namespace

std::tuple<at::Tensor, at::Tensor> MaxPoolWithIndices(const at::Tensor& input, const WindowOptions& o) {
  const size_t count = o.kernel.size();
  Require(count >= 1 && count <= 3 && o.stride.size() == count && o.padding.size() == count &&
              o.dilation.size() == count,
          ErrorKind::kArgument,
          "Expected one to three sizes for kernelSize, and as many for stride, padding and dilation");
  CheckWindows(o.kernel, o.stride, o.padding, o.dilation);
  CheckReach(input, o);
  if (o.kernel.size() == 1)
    return at::max_pool1d_with_indices(input, o.kernel, o.stride, o.padding, o.dilation, o.ceil_mode);
  if (o.kernel.size() == 2)
    return at::max_pool2d_with_indices(input, o.kernel, o.stride, o.padding, o.dilation, o.ceil_mode);
  return at::max_pool3d_with_indices(input, o.kernel, o.stride, o.padding, o.dilation, o.ceil_mode);
}

at::Tensor MaxUnpool(const at::Tensor& input, const at::Tensor& indices, const std::vector<int64_t>& size,
                     const std::vector<int64_t>& stride, const std::vector<int64_t>& padding) {
  CheckWindows({}, stride, padding, {});
  Require(indices.scalar_type() == at::kLong, ErrorKind::kDType, "Expected dtype int64 for indices");
  Require(indices.sizes() == input.sizes(), ErrorKind::kShape, "Expected the shape of input, ", input.sizes(),
          ", for indices but received ", indices.sizes());
  int64_t plane = 1;
  for (const int64_t length : size) {
    Require(length >= 0 && !__builtin_mul_overflow(plane, length, &plane), ErrorKind::kShape,
            "Expected sizes of a tensor that can exist for outputSize but received ", at::IntArrayRef(size));
  }
  // On a GPU the kernel checks: the values are not available here.
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
