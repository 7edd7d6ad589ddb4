// Pooling and scaling of channels-last images for inference: float32 on the CPU.
#pragma once

#include <ATen/core/Tensor.h>

#include "ops/max_pool.h"

namespace dyconv {

// max_pool2d; the output is channels last.
at::Tensor FusedMaxPool2d(const at::Tensor& input, const MaxPoolOptions& options);

// Means of planes: [B, C, H, W] -> [B, C, 1, 1].
at::Tensor ChannelMeans(const at::Tensor& input);

// input * scale for [B, C, H, W] and [B, C, 1, 1]; the output is channels last.
at::Tensor ScaleChannels(const at::Tensor& input, const at::Tensor& scale);

}  // namespace dyconv
