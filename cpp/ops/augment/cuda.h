// The geometry of augment.h in one kernel launch on a GPU.
#pragma once

#include <ATen/core/Tensor.h>

#include <vector>

#include "kernels/augment/augment.h"

namespace dyconv {

// Selects, resizes, crops, flips and optionally normalizes images of a set [N, C, H, W] (uint8) on its
// device. Returns [indices, C, out_h, out_w] in the format. Returns an undefined tensor if the kernel cannot
// be used: images on the CPU, a build without nvcc, or images that are too wide. The caller has checked
// `choices` and `indices`.
at::Tensor ResampleWithKernel(const AugmentConfig& config, const std::vector<SampleChoices>& choices,
                              const at::Tensor& images, const std::vector<int64_t>& indices, bool normalise,
                              const BatchFormat& format);

}  // namespace dyconv
