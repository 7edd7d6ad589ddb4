// libtorch's pools and unfolding, kept from arguments that they do not survive. ATen level.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/window.h"

namespace dyconv {

// As at::max_pool1d, max_pool2d and max_pool3d, by the length of `kernel`. A window that covers no pixel has
// the maximum of nothing, -infinity or the dtype's lowest number, and no gradient.
at::Tensor MaxPoolNd(const at::Tensor& input, at::IntArrayRef kernel, at::IntArrayRef stride,
                     at::IntArrayRef padding, at::IntArrayRef dilation, bool ceil_mode);

// Whether libtorch's max pools compute such windows: those that cover no pixel have an index outside of the
// image, where the backward would write, and all taps are walked through, however few meet the image.
bool MaxPoolFits(const WindowAxis& axis, bool ceil_mode);

// Throws c10::ValueError where the sizes of an average pool, or of unfolding an image of such sizes, do not
// fit into 64 bits.
void CheckPool(const at::Tensor& input, at::IntArrayRef kernel, at::IntArrayRef stride,
               at::IntArrayRef padding);
void CheckUnfold(at::IntArrayRef sizes, at::IntArrayRef kernel, at::IntArrayRef dilation,
                 at::IntArrayRef padding, at::IntArrayRef stride);

}  // namespace dyconv
