// Depthwise convolutions of channels-last images, for inference. A register tile is adjacent output pixels of
// one row x one vector of channels: an input that several of them use is read once.
#include "kernels/cpu/epilogue.h"
#include "kernels/nhwc.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// Output pixels of the two register tiles. The sums of the wide one, a row of a kernel and one input fit in
// 16 registers, and there are enough independent sums to hide the latency of a multiply-add.
constexpr int kWide = 7, kNarrow = 4;

// One vector of channels, of which `lanes` exist.
struct Channels {
  int64_t first, lanes;
};

template <bool kWhole>
DYCONV_INLINE Vec LoadChannels(const float* from, int64_t lanes) {
  if constexpr (kWhole) return Load(from);
  return LoadPart(from, lanes);
}

// Adds one row of the kernel to kOutputs outputs. `row` is the input at the column of the first output's
// first tap, `left` that column; columns outside of the image are zeros.
template <int kOutputs, int kKernel, int kStride, bool kInside, bool kWhole>
DYCONV_INLINE void AddRow(const DynamicConvShape& s, const float* row, int64_t left, const float* weights,
                          int64_t lanes, Vec* sums) {
  Vec w[kKernel];
#pragma GCC unroll 8
  for (int k = 0; k < kKernel; ++k) w[k] = LoadChannels<kWhole>(weights + k * s.in_channels, lanes);
  constexpr int kColumns = (kOutputs - 1) * kStride + kKernel;
#pragma GCC unroll 32
  for (int j = 0; j < kColumns; ++j) {
    if (!kInside && (left + j < 0 || left + j >= s.in_w)) continue;
    const Vec x = LoadChannels<kWhole>(row + j * s.in_channels, lanes);
#pragma GCC unroll 8
    for (int n = 0; n < kOutputs; ++n) {
      const int k = j - n * kStride;
      if (k >= 0 && k < kKernel) sums[n] += x * w[k];
    }
  }
}

// The same for any kernel, stride and dilation.
template <int kOutputs, bool kWhole>
DYCONV_INLINE void AddAnyRow(const DynamicConvShape& s, const float* row, int64_t left, const float* weights,
                             int64_t lanes, Vec* sums) {
  for (int64_t k = 0; k < s.kernel_w; ++k) {
    const Vec w = LoadChannels<kWhole>(weights + k * s.in_channels, lanes);
#pragma GCC unroll 8
    for (int n = 0; n < kOutputs; ++n) {
      const int64_t x = n * s.stride_w + k * s.dilation_w;
      if (left + x >= 0 && left + x < s.in_w)
        sums[n] += LoadChannels<kWhole>(row + x * s.in_channels, lanes) * w;
    }
  }
}

// kKernel = 0: any kernel, stride and dilation.
template <int kOutputs, int kKernel, int kStride, bool kInside, bool kWhole>
void MultiplyPixels(const NhwcDepthwiseArgs& args, int64_t sample, int64_t y, int64_t x, Channels c) {
  const auto& s = args.shape;
  Vec sums[kOutputs][1];
  const Vec bias = LoadChannels<kWhole>(args.epilogue.bias + sample * args.bias_stride + c.first, c.lanes);
#pragma GCC unroll 8
  for (int n = 0; n < kOutputs; ++n) sums[n][0] = bias;
  const int64_t left = x * s.stride_w - s.padding_w;
  for (int64_t k = 0; k < s.kernel_h; ++k) {
    const int64_t in_y = y * s.stride_h - s.padding_h + k * s.dilation_h;
    if (in_y < 0 || in_y >= s.in_h) continue;
    const float* row = args.input + ((sample * s.in_h + in_y) * s.in_w + left) * s.in_channels + c.first;
    const float* weights =
        args.packed + sample * args.packed_stride + k * s.kernel_w * s.in_channels + c.first;
    if constexpr (kKernel == 0) {
      AddAnyRow<kOutputs, kWhole>(s, row, left, weights, c.lanes, &sums[0][0]);
    } else {
      AddRow<kOutputs, kKernel, kStride, kInside, kWhole>(s, row, left, weights, c.lanes, &sums[0][0]);
    }
  }
  StoreSums<kOutputs, 1>(sums, args.epilogue,
                         ((sample * s.out_h + y) * s.out_w + x) * s.out_channels + c.first, s.out_channels,
                         kWhole ? kLanes : c.lanes, args.output);
}

// All channels of kOutputs adjacent pixels.
template <int kOutputs, int kKernel, int kStride>
void MultiplyTile(const NhwcDepthwiseArgs& args, int64_t sample, int64_t y, int64_t x) {
  const auto& s = args.shape;
  const int64_t left = x * s.stride_w - s.padding_w;
  const int64_t right = left + (kOutputs - 1) * s.stride_w + (s.kernel_w - 1) * s.dilation_w;
  const bool inside = kOutputs > 1 && left >= 0 && right < s.in_w;
  int64_t c = 0;
  for (; c + kLanes <= s.in_channels; c += kLanes) {
    const Channels channels{c, kLanes};
    inside ? MultiplyPixels<kOutputs, kKernel, kStride, (kOutputs > 1), true>(args, sample, y, x, channels)
           : MultiplyPixels<kOutputs, kKernel, kStride, false, true>(args, sample, y, x, channels);
  }
  if (c < s.in_channels) {
    MultiplyPixels<kOutputs, kKernel, kStride, false, false>(args, sample, y, x, {c, s.in_channels - c});
  }
}

// A last tile that would exceed the row begins further to the left, and computes some pixels again. A
// narrower tile would have too few sums.
template <int kKernel, int kStride>
void MultiplyRow(const NhwcDepthwiseArgs& args, int64_t sample, int64_t y) {
  const int64_t width = args.shape.out_w;
  for (int64_t x = 0; x < width;) {
    const int64_t rest = width - x;
    if (width >= kWide && rest > kNarrow) {
      MultiplyTile<kWide, kKernel, kStride>(args, sample, y, Min(x, width - kWide));
      x += kWide;
    } else if (width >= kNarrow) {
      MultiplyTile<kNarrow, kKernel, kStride>(args, sample, y, Min(x, width - kNarrow));
      x += kNarrow;
    } else {
      MultiplyTile<1, kKernel, kStride>(args, sample, y, x++);
    }
  }
}

}  // namespace

void PackNhwcDepthwise(const DynamicConvShape& s, const float* weight, float* packed, int64_t begin,
                       int64_t end) {
  const int64_t taps = s.kernel_size();
  for (int64_t c = begin; c < end; ++c) {
    for (int64_t t = 0; t < taps; ++t) packed[t * s.out_channels + c] = weight[c * taps + t];
  }
}

void NhwcDepthwise(const NhwcDepthwiseArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  auto* multiply = MultiplyRow<0, 0>;
  if (s.dilation_w == 1 && (s.kernel_w == 3 || s.kernel_w == 5) && s.stride_w <= 2) {
    const bool three = s.kernel_w == 3;
    multiply = s.stride_w == 1 ? (three ? MultiplyRow<3, 1> : MultiplyRow<5, 1>)
                               : (three ? MultiplyRow<3, 2> : MultiplyRow<5, 2>);
  }
  for (int64_t row = begin; row < end; ++row) multiply(args, row / s.out_h, row % s.out_h);
}

}  // namespace dyconv::kernels::DYCONV_ISA
