// Max pooling with the positions of the maxima, and its inverse; both with the checks that libtorch lacks.
#pragma once

#include <ATen/core/Tensor.h>

#include <tuple>
#include <vector>

namespace dyconv {

struct WindowOptions {
  std::vector<int64_t> kernel;
  std::vector<int64_t> stride;
  std::vector<int64_t> padding;
  std::vector<int64_t> dilation;
  bool ceil_mode = false;
};

// As at::max_pool{1,2,3}d_with_indices by the number of entries of `kernel`. Rejects windows that are
// entirely in the padding: the maximum of such a window has no position, and libtorch would return one
// outside of the input.
std::tuple<at::Tensor, at::Tensor> MaxPoolWithIndices(const at::Tensor& input, const WindowOptions& options);

// As at::max_unpool2d and at::max_unpool3d by the number of entries of `size`, the spatial sizes of the
// result. Every index must be within a plane of the result.
at::Tensor MaxUnpool(const at::Tensor& input, const at::Tensor& indices, const std::vector<int64_t>& size,
                     const std::vector<int64_t>& stride, const std::vector<int64_t>& padding);

}  // namespace dyconv
