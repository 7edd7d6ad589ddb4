// The augmentation of augment.h for images on a device: the same choices and definition, equal up to
// rounding. Uses the CUDA kernel where possible, and libtorch's operations for the rest.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <vector>

#include "kernels/augment/augment.h"

namespace dyconv {

// images: uint8 [N, C, H, W]. Returns [indices, C, out_h, out_w] on their device, without synchronization.
// The caller has checked `config`; throws as CheckAugmentFit does.
at::Tensor AugmentOnDevice(const AugmentConfig& config, const at::Tensor& images,
                           const std::vector<int64_t>& indices, uint64_t seed, uint64_t epoch,
                           const BatchFormat& format, const std::optional<Mix>& mix);

at::ScalarType ScalarTypeOf(ElementType type);

// Copies to another device, asynchronously where that is safe: from page-locked memory to CUDA.
at::Tensor ToDevice(const at::Tensor& tensor, const at::Device& device);

}  // namespace dyconv
