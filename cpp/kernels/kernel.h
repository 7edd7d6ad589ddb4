// The arguments of every kernel: plain numbers and plain pointers. Kernels use neither ATen nor autograd nor
// JS.
#pragma once

#include <cstdint>

// Kernel sources are compiled once per instruction set. A function of a shared header must not be emitted
// from one of those objects and then be picked by the linker for everybody, so such functions are always
// inlined.
#define DYCONV_ALWAYS_INLINE __attribute__((always_inline))
#define DYCONV_INLINE inline DYCONV_ALWAYS_INLINE

namespace dyconv::kernels {

// Most taps the depthwise kernels take.
constexpr int64_t kMaxDepthwiseTaps = 256;
// Most taps the max pooling kernels take: a tap is one byte.
constexpr int64_t kMaxPoolTaps = 256;
// Most phases (stride_h * stride_w) that those two split a plane into: each is rounded up to whole vectors.
constexpr int64_t kMaxPhases = 64;
// Most experts the tiled kernels take.
constexpr int64_t kMaxExperts = 64;

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

  DYCONV_INLINE int64_t in_per_group() const { return in_channels / groups; }
  DYCONV_INLINE int64_t out_per_group() const { return out_channels / groups; }
  DYCONV_INLINE int64_t kernel_size() const { return kernel_h * kernel_w; }
  // Weights of one expert.
  DYCONV_INLINE int64_t expert_size() const { return out_channels * in_per_group() * kernel_size(); }
  DYCONV_INLINE int64_t in_plane() const { return in_h * in_w; }
  DYCONV_INLINE int64_t out_plane() const { return out_h * out_w; }
};

// Most outputs of a tile of a Winograd convolution along one axis, of which the kernel has 3 or 5 taps. The
// least is 2.
DYCONV_INLINE constexpr int MostWinogradTile(int64_t kernel) { return kernel == 5 ? 3 : 4; }

// Outputs of a tile along each axis.
struct WinogradTile {
  int64_t h = 0;
  int64_t w = 0;
};

// One axis of such a convolution: tiles of `tile` outputs from kernel - 1 more inputs, transformed to as many
// points. The last tile may have fewer outputs, and then has only the first of the same points.
struct WinogradAxis {
  int64_t kernel = 0;
  int64_t outputs = 0;
  int64_t tile = 0;

  DYCONV_INLINE int64_t inputs() const { return outputs + kernel - 1; }
  DYCONV_INLINE int64_t points() const { return tile + kernel - 1; }
  DYCONV_INLINE int64_t count() const { return (outputs + tile - 1) / tile; }
  DYCONV_INLINE int64_t outputs_of(int64_t i) const {
    const int64_t left = outputs - i * tile;
    return left < tile ? left : tile;
  }
  DYCONV_INLINE int64_t points_of(int64_t i) const { return outputs_of(i) + kernel - 1; }
  // Whether the last tile has that point; all others do.
  DYCONV_INLINE bool all_have(int64_t point) const { return point < points_of(count() - 1); }
  // The tiles that have the points, together.
  DYCONV_INLINE int64_t products() const { return (count() - 1) * points() + points_of(count() - 1); }
};

// Tiles and points, row by row.
struct WinogradTiling {
  WinogradAxis y, x;

  // Whether there is one.
  DYCONV_INLINE explicit operator bool() const { return y.tile > 0; }
  DYCONV_INLINE int64_t count() const { return y.count() * x.count(); }
  DYCONV_INLINE int64_t points() const { return y.points() * x.points(); }
  DYCONV_INLINE int64_t input_pixels() const { return y.inputs() * x.inputs(); }
  DYCONV_INLINE int64_t output_pixels() const { return y.outputs * x.outputs; }
  // The tiles that have the point `point`: the first rows and columns of them.
  DYCONV_INLINE int64_t high_at(int64_t point) const { return y.count() - !y.all_have(point / x.points()); }
  DYCONV_INLINE int64_t wide_at(int64_t point) const { return x.count() - !x.all_have(point % x.points()); }
  // Lists them for each of `samples` samples of count() tiles. Returns how many a sample has.
  DYCONV_INLINE int64_t TilesAt(int64_t point, int64_t samples, int32_t* tiles) const {
    const int64_t high = high_at(point), wide = wide_at(point);
    for (int64_t sample = 0; sample < samples; ++sample) {
      for (int64_t row = 0; row < high; ++row) {
        const int64_t first = (sample * y.count() + row) * x.count();
        for (int64_t i = 0; i < wide; ++i) *tiles++ = static_cast<int32_t>(first + i);
      }
    }
    return high * wide;
  }
};

DYCONV_INLINE WinogradTiling WinogradTilingOf(const DynamicConvShape& s, const WinogradTile& tile) {
  return {{s.kernel_h, s.out_h, tile.h}, {s.kernel_w, s.out_w, tile.w}};
}

// Padding between the points, in floats: at powers of two apart they would fight for the same cache
// lines.
constexpr int64_t kWinogradGap = 16;

// A convolution of stride 1 without groups as what it is at the points: a 1x1 convolution of tiles with a
// group a point.
DYCONV_INLINE DynamicConvShape WinogradProducts(const DynamicConvShape& s, const WinogradTiling& tiling) {
  DynamicConvShape inner;
  inner.batch = s.batch;
  inner.experts = s.experts;
  inner.groups = tiling.points();
  inner.in_channels = inner.groups * s.in_channels;
  inner.out_channels = inner.groups * s.out_channels;
  inner.kernel_h = inner.kernel_w = 1;
  inner.in_h = inner.out_h = tiling.y.count();
  inner.in_w = inner.out_w = tiling.x.count();
  return inner;
}

// A [batch, channels, height * width] tensor: one of the last two strides is 1 (contiguous or channels_last).
struct ImageStrides {
  int64_t batch = 0;
  int64_t channel = 0;
  int64_t pixel = 0;

  DYCONV_INLINE bool operator==(const ImageStrides& other) const {
    return batch == other.batch && channel == other.channel && pixel == other.pixel;
  }
};

// How the kernels of one instruction set cut a problem. Sizes are in floats. docs/dynamic-convolution.md.
struct DynamicConvPlan {
  // Forward: columns are output channels, rows are (tap, input channel). Items are blocks of samples x rows
  // of pixels.
  int64_t forward_panels = 0;
  int64_t forward_weight = 0;  // packed experts
  int64_t forward_samples = 1;
  int64_t forward_out_rows = 1;
  int64_t forward_items = 0;
  // Of Winograd's: parts of the panels that are items of their own, where there are fewer blocks than
  // threads.
  int64_t forward_panel_parts = 1;
  int64_t forward_scratch = 0;    // of one thread
  int64_t forward_scratch16 = 0;  // the part at its end that holds the input in bfloat16
  // Backward: columns are input channels, rows are (tap, output channel).
  int64_t backward_panels = 0;
  int64_t backward_weight = 0;  // packed experts, and as much for their gradients
  int64_t backward_samples = 1;
  int64_t backward_items = 0;    // of the input gradient, per chunk of samples
  int64_t backward_units = 0;    // of the weight gradient: tiles of rows x one panel
  int64_t backward_scratch = 0;  // of one thread
  int64_t packed_input = 0;      // of one sample
  int64_t packed_grad = 0;       // of one sample
  int64_t weight_samples = 1;    // samples of the weight gradient that stay in the cache
  int64_t attention_lanes = 0;   // partial sums of one attention gradient
  WinogradTiling winograd;
};

// One max pooling of planes [planes, in_h, in_w].
struct MaxPoolShape {
  int64_t in_h = 0;
  int64_t in_w = 0;
  int64_t out_h = 0;
  int64_t out_w = 0;
  int64_t kernel_h = 0;
  int64_t kernel_w = 0;
  int64_t stride_h = 1;
  int64_t stride_w = 1;
  int64_t padding_h = 0;
  int64_t padding_w = 0;
  int64_t dilation_h = 1;
  int64_t dilation_w = 1;

  DYCONV_INLINE int64_t in_plane() const { return in_h * in_w; }
  DYCONV_INLINE int64_t out_plane() const { return out_h * out_w; }
};

// One routing: attention over experts from an input [batch, channels, plane].
struct RoutingArgs {
  int64_t batch = 0;
  int64_t channels = 0;
  int64_t plane = 0;
  int64_t hidden_size = 0;
  int64_t experts = 0;
  float temperature = 1;
  bool softmax = true;                 // else sigmoid
  const float* planes = nullptr;       // contiguous; null where the means are given
  const uint16_t* planes16 = nullptr;  // or these, bfloat16
  const float* w1 = nullptr;           // [hidden_size, channels]
  const float* b1 = nullptr;           // [hidden_size] or null
  const float* w2 = nullptr;           // [experts, hidden_size]
  const float* b2 = nullptr;           // [experts] or null
  float* means = nullptr;              // [batch, channels]
  float* hidden = nullptr;             // [batch, hidden_size]
  float* attention = nullptr;          // [batch, experts]
  const float* grad_attention = nullptr;
  float* grad_logits = nullptr;  // before their temperature
  float* grad_hidden = nullptr;  // before its ReLU
  float* grad_means = nullptr;   // divided by the plane: what every number of it gets
  float* grad_w1 = nullptr;
  float* grad_b1 = nullptr;
  float* grad_w2 = nullptr;
};

// What an MT19937 generator draws from: its numbers before `next` are used up.
struct RandomState {
  static constexpr int kSize = 624;
  uint32_t state[kSize];
  int64_t next;
};

// Functions of each number that kernels apply to their results. ops/activation.h has their names. kGelu is
// the exact form, without tanh.
enum class Activation : int32_t { kNone, kRelu, kRelu6, kHardswish, kHardsigmoid, kSigmoid, kSilu, kGelu };

// One batch normalization of contiguous planes [batch, channels, plane]:
// output = activation((input - mean) inv_std weight + bias + residual).
struct BatchNormArgs {
  int64_t batch = 0;
  int64_t channels = 0;
  int64_t plane = 0;
  double eps = 0;
  const float* input = nullptr;
  const float* weight = nullptr;  // of every channel, as all that follows; null: ones
  const float* bias = nullptr;    // null: zeros
  float* mean = nullptr;
  float* inv_std = nullptr;         // 1 / sqrt(variance + eps), the variance divided by all numbers
  float* variance = nullptr;        // divided by one less
  const float* residual = nullptr;  // planes; null: zeros
  Activation activation = Activation::kNone;
  float* output = nullptr;
  // Of the backward pass, for which mean and inv_std are given; gradients that are null are not wanted.
  const float* gradient = nullptr;  // of the output
  float* grad_input = nullptr;
  float* grad_weight = nullptr;
  float* grad_bias = nullptr;
  float* grad_residual = nullptr;
};

// Parts of a batch normalization whose statistics several processes share; planes are contiguous. Values of
// every channel are float64 where they are sums, and float32 where they are applied.
struct SharedBatchNormArgs {
  int64_t batch = 0;
  int64_t channels = 0;
  int64_t plane = 0;
  const float* input = nullptr;
  const float* gradient = nullptr;  // of the output
  const float* mean = nullptr;
  const float* scale = nullptr;  // 1 / sqrt(variance + eps), times the weight
  const float* shift = nullptr;  // the bias; in the backward the mean of the gradient
  const float* along = nullptr;  // in the backward: the part of input - mean in the gradient
  double* sums = nullptr;        // [2, channels]
  float* output = nullptr;
};

// The memory layout of a packed chunk of samples: floats from one group, sample and pixel to the next.
struct PackedStrides {
  int64_t group = 0;
  int64_t sample = 0;
  int64_t pixel = 0;
};

// What inference kernels do with a sum before they store it: activation(sum + bias + residual).
struct Epilogue {
  const float* bias = nullptr;      // zeros beyond the last channel, as far as whole vectors read
  const float* residual = nullptr;  // an image of the output's sizes and strides, or null
  Activation activation = Activation::kNone;

  DYCONV_INLINE bool any() const {
    return bias != nullptr || residual != nullptr || activation != Activation::kNone;
  }
};

// How samples mix their experts.
struct Mixture {
  const float* attention = nullptr;  // [samples, experts]; null: one expert, which is not mixed
  int64_t experts = 0;
  // The attention of every sample sums to 1, and experts but the first are packed less the first, which then
  // needs no product: a mixture is first + sum over the others of attention times difference.
  bool relative = false;

  DYCONV_INLINE const float* of(int64_t sample) const { return attention + sample * experts; }
  DYCONV_INLINE Mixture from(int64_t sample) const {
    return {attention == nullptr ? nullptr : of(sample), experts, relative};
  }
};

// Everything a dynamic convolution kernel may read or write. Null where a kernel does not need it.
struct DynamicConvArgs {
  DynamicConvShape shape;
  DynamicConvPlan plan;
  const float* input = nullptr;
  const uint16_t* input16 = nullptr;  // in its place, where a forward's input is bfloat16
  ImageStrides input_strides;
  const float* weight = nullptr;
  const float* attention = nullptr;  // null: a static convolution, of one expert that is never mixed
  const float* bias = nullptr;
  float* output = nullptr;
  uint16_t* output16 = nullptr;  // the same
  ImageStrides output_strides;
  const float* grad_output = nullptr;
  ImageStrides grad_output_strides;
  float* grad_input = nullptr;
  ImageStrides grad_input_strides;
  float* grad_weight = nullptr;
  // As in Mixture. Experts are packed with `first_expert` first and expert 0 in its place, in which order
  // their attention is given too.
  bool relative = false;
  int64_t first_expert = 0;
  // The attention's gradient leaves out the first expert, and is relative to it.
  bool skip_first_dot = false;

  float* packed_weight = nullptr;
  float* packed_weight_grad = nullptr;
  // Backward works on samples [chunk_begin, chunk_begin + chunk_size) at a time; these hold that chunk.
  int64_t chunk_begin = 0;
  int64_t chunk_size = 0;
  float* packed_input = nullptr;
  PackedStrides packed_input_strides;
  float* packed_grad = nullptr;
  PackedStrides packed_grad_strides;
  // [batch, out_channels], sums of grad_output over pixels.
  float* grad_output_sums = nullptr;
  // Of a forward whose output is channels last and float32; the bias is that of the experts.
  Epilogue epilogue;
  // Set to 1 by Winograd's kernels where a result is not finite: a tile spreads one such pixel over all of
  // it.
  uint8_t* not_finite = nullptr;

  DYCONV_INLINE bool is_static() const { return attention == nullptr; }
  DYCONV_INLINE Mixture mixture_of(int64_t sample) const {
    return Mixture{attention, shape.experts, relative}.from(sample);
  }
  // The expert that is packed at place `i`; and the place of an expert.
  DYCONV_INLINE int64_t expert_at(int64_t i) const {
    return i == 0 ? first_expert : i == first_expert ? 0 : i;
  }
};

}  // namespace dyconv::kernels
