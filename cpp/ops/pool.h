// libtorch's pools and unfolding, protected from arguments that crash them. ATen level.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/window.h"

namespace dyconv {

// Throws a TypedError for numbers that windows cannot have. libtorch does not check all of them, and divides
// by a stride of 0.
void CheckWindows(at::IntArrayRef kernel, at::IntArrayRef stride, at::IntArrayRef padding,
                  at::IntArrayRef dilation);

// As at::max_pool1d, max_pool2d and max_pool3d, by the length of `kernel`. The maximum of a window without
// pixels is -infinity or the lowest number of the dtype, and has no gradient.
at::Tensor MaxPoolNd(const at::Tensor& input, at::IntArrayRef kernel, at::IntArrayRef stride,
                     at::IntArrayRef padding, at::IntArrayRef dilation, bool ceil_mode);

// Whether libtorch's max pools can compute such windows: windows without pixels have an index outside of the
// image, to which the backward pass would write, and all taps are visited, even if few are pixels.
bool MaxPoolFits(const WindowAxis& axis, bool ceil_mode);

// CheckWindows(), and throws c10::ValueError if the sizes of an average pool, or of unfolding an image of
// such sizes, exceed 64 bits.
void CheckPool(const at::Tensor& input, at::IntArrayRef kernel, at::IntArrayRef stride,
               at::IntArrayRef padding);
void CheckUnfold(at::IntArrayRef sizes, at::IntArrayRef kernel, at::IntArrayRef dilation,
                 at::IntArrayRef padding, at::IntArrayRef stride);

}  // namespace dyconv
