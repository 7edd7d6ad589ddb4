// What every kernel is told: plain numbers and plain pointers. Kernels know neither ATen nor autograd nor JS.
#pragma once

#include <cstdint>

namespace dyconv::kernels {

// One dynamic convolution. Tensors are row-major in the order of the indices named here:
// input [batch, in_channels, in_h, in_w], weight [experts, out_channels, in_channels / groups, kernel_h,
// kernel_w], attention [batch, experts], bias [experts, out_channels], output [batch, out_channels, out_h,
// out_w].
struct DynamicConvShape {
  int64_t batch = 0;
  int64_t in_channels = 0;
  int64_t in_h = 0;
  int64_t in_w = 0;
  int64_t experts = 0;
  int64_t out_channels = 0;
  int64_t kernel_h = 0;
  int64_t kernel_w = 0;
  int64_t stride_h = 1;
  int64_t stride_w = 1;
  int64_t padding_h = 0;
  int64_t padding_w = 0;
  int64_t dilation_h = 1;
  int64_t dilation_w = 1;
  int64_t groups = 1;
  int64_t out_h = 0;
  int64_t out_w = 0;

  int64_t in_per_group() const { return in_channels / groups; }
  int64_t out_per_group() const { return out_channels / groups; }
  int64_t kernel_size() const { return kernel_h * kernel_w; }
  // Weights of one expert.
  int64_t expert_size() const { return out_channels * in_per_group() * kernel_size(); }
  int64_t in_plane() const { return in_h * in_w; }
  int64_t out_plane() const { return out_h * out_w; }
};

}  // namespace dyconv::kernels
