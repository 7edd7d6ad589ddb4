// The geometry of augment.h in one launch on a GPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "kernels/augment/augment.h"

namespace dyconv {

// Picks, resizes, crops, flips and, if asked to, normalises images of a set [N, C, H, W] (uint8) where they
// lie. Returns [indices, C, out_h, out_w] of the format. An undefined tensor where no kernel does it: images
// on the CPU, a build without nvcc, images too wide. `choices` and `indices` are checked by the caller.
at::Tensor ResampleWithKernel(const AugmentConfig& config, const std::vector<SampleChoices>& choices,
                              const at::Tensor& images, const std::vector<int64_t>& indices, bool normalise,
                              const BatchFormat& format);

}  // namespace dyconv
