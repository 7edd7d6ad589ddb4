// What the kernels of the dynamic convolution share: sizes, and which pixels meet which taps.
#pragma once

#include "kernels/cuda/finish.cuh"
#include "kernels/cuda/platform.cuh"

namespace dyconv::kernels::cuda {
namespace {

struct Geometry {
  int batch, in_per_group, out_per_group, in_h, in_w, out_h, out_w, kernel_w, taps, experts, groups;
  int stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;

  explicit Geometry(const FusedConvArgs& a)
      : batch(static_cast<int>(a.batch)),
        in_per_group(static_cast<int>(a.in_channels / a.groups)),
        out_per_group(static_cast<int>(a.out_channels / a.groups)),
        in_h(static_cast<int>(a.in_h)),
        in_w(static_cast<int>(a.in_w)),
        out_h(static_cast<int>(a.out_h)),
        out_w(static_cast<int>(a.out_w)),
        kernel_w(static_cast<int>(a.kernel_w)),
        taps(static_cast<int>(a.kernel_h * a.kernel_w)),
        experts(static_cast<int>(a.experts)),
        groups(static_cast<int>(a.groups)),
        stride_h(static_cast<int>(a.stride_h)),
        stride_w(static_cast<int>(a.stride_w)),
        padding_h(static_cast<int>(a.padding_h)),
        padding_w(static_cast<int>(a.padding_w)),
        dilation_h(static_cast<int>(a.dilation_h)),
        dilation_w(static_cast<int>(a.dilation_w)) {}

  __host__ __device__ __forceinline__ int in_plane() const { return in_h * in_w; }
  __host__ __device__ __forceinline__ int out_plane() const { return out_h * out_w; }
  __host__ __device__ __forceinline__ int64_t expert_size() const {
    return static_cast<int64_t>(groups) * out_per_group * in_per_group * taps;
  }
};

// A column of the matrix that weights are multiplied with: a channel and a tap.
struct Tap {
  int offset;  // where the channel's plane begins, or -1 beyond the last column
  int dy, dx;  // how far from its first tap the kernel's tap is
};

// Columns are read from the input; for the input's gradient, from the output's.
template <bool kGradInput>
__device__ __forceinline__ Tap TapOf(const Geometry& s, int column) {
  if (column >= (kGradInput ? s.out_per_group : s.in_per_group) * s.taps) return {-1, 0, 0};
  const int tap = column % s.taps;
  return {column / s.taps * (kGradInput ? s.out_plane() : s.in_plane()), tap / s.kernel_w * s.dilation_h,
          tap % s.kernel_w * s.dilation_w};
}

// Where pixel (y, x) of the results meets the first tap.
struct Corner {
  int y, x;
};

template <bool kGradInput>
__device__ __forceinline__ Corner CornerOf(const Geometry& s, int pixel) {
  const int width = kGradInput ? s.in_w : s.out_w;
  const int y = pixel / width, x = pixel - y * width;
  if (kGradInput) return {y + s.padding_h, x + s.padding_w};
  return {y * s.stride_h - s.padding_h, x * s.stride_w - s.padding_w};
}

// The number that a pixel of the results meets at a tap: 0 in the padding, and between strides.
template <class T, bool kGradInput>
__device__ __forceinline__ float Meet(const Geometry& s, const T* image, const Corner& corner,
                                      const Tap& tap) {
  if (tap.offset < 0) return 0;
  int y = corner.y + (kGradInput ? -tap.dy : tap.dy), x = corner.x + (kGradInput ? -tap.dx : tap.dx);
  if (y < 0 || x < 0) return 0;
  if (kGradInput && (s.stride_h != 1 || s.stride_w != 1)) {
    if (y % s.stride_h != 0 || x % s.stride_w != 0) return 0;
    y /= s.stride_h, x /= s.stride_w;
  }
  const int height = kGradInput ? s.out_h : s.in_h, width = kGradInput ? s.out_w : s.in_w;
  return y >= height || x >= width ? 0.0f : ToFloat(image[tap.offset + y * width + x]);
}

}  // namespace

// Whether the products of this problem are taken on tensor cores of the current device.
bool OnTensorCores(const FusedConvArgs& a);
// The gradients of weights, bias and attention: dynamic_conv_weights.cu.
void FusedConvWeightGrads(const FusedConvArgs& a, Stream stream);

}  // namespace dyconv::kernels::cuda
