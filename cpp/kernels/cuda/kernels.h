// The CUDA kernels as plain functions on device pointers. No CUDA header is needed to call them, and none of
// them waits for the device: work is queued on `stream`.
//
// The same sources also compile for the host (emulation.h), where the pointers are host memory and `stream`
// is ignored; test/kernels runs them there.
#pragma once

#include <cstdint>

struct CUstream_st;

namespace dyconv::kernels::cuda {

using Stream = CUstream_st*;

// What images are made of. Attention, sums and gradients of attention are float32 for all dtypes of images.
enum class Element { kFloat, kBFloat16, kHalf };

// ---- Routing: attention [B, K] from an image in one launch
// ---------------------------------------------------------

// attention = kind((w2 relu(w1 mean(input) + b1) + b2) / temperature)
struct RoutingArgs {
  int64_t batch = 0;
  int64_t channels = 0;  // I
  int64_t plane = 0;     // height * width
  int64_t hidden = 0;    // H
  int64_t experts = 0;   // K
  bool channels_last = false;
  bool softmax = true;  // or sigmoid
  Element element = Element::kFloat;
  const void* input = nullptr;         // [B, I, P], or [B, P, I] where channels_last
  const float* w1 = nullptr;           // [H, I]
  const float* b1 = nullptr;           // [H] or null
  const float* w2 = nullptr;           // [K, H]
  const float* b2 = nullptr;           // [K] or null
  const float* temperature = nullptr;  // one number, on the device: a captured graph uses its current value
  float* pooled = nullptr;             // [B, I], kept for the backward
  float* hidden_units = nullptr;       // [B, H], kept for the backward
  float* attention = nullptr;          // [B, K]

  // Backward.
  const float* grad_attention = nullptr;  // [B, K]
  float* grad_logits = nullptr;           // [B, K], scratch
  float* grad_hidden = nullptr;           // [B, H], scratch
  float* grad_pixel = nullptr;            // [B, I]: the same for every pixel of a plane
  float* grad_w1 = nullptr;
  float* grad_b1 = nullptr;  // may be null
  float* grad_w2 = nullptr;
  float* grad_b2 = nullptr;  // may be null
};

// Floats of shared memory the forward needs; RoutingFits says whether a device has that much.
bool RoutingFits(const RoutingArgs& args);
void RoutingForward(const RoutingArgs& args, Stream stream);
// Two launches. Sums over the batch are taken in one fixed order.
void RoutingBackward(const RoutingArgs& args, Stream stream);

// ---- Mixing the outputs of one convolution with K x O output channels
// ----------------------------------------------

// How the work is divided among blocks. The defaults are estimates; measured values come from a table
// (ops/dynamic_conv/tuning.h). Positive numbers below 2^31.
struct MixSplits {
  int64_t forward_blocks = 1024;  // the maximum for a sample
  int64_t backward_pixels = 512;  // that a warp takes at least, of up to 16 planes; contiguous images only
};

// output[b, o] = sum_k attention[b, k] (convs[b, k, o] + bias[k, o])
struct MixArgs {
  int64_t batch = 0;
  int64_t groups = 1;
  int64_t experts = 0;
  int64_t out_per_group = 0;
  int64_t plane = 0;
  bool channels_last = false;
  Element element = Element::kFloat;
  MixSplits splits;
  const void* convs = nullptr;       // [B, groups, K, O / groups, P], or [B, P, groups, K, O / groups]
  const float* attention = nullptr;  // [B, K]
  const void* bias = nullptr;        // [K, O] or null
  void* output = nullptr;            // [B, O, P], or [B, P, O]

  // Backward.
  const void* grad_output = nullptr;  // like output
  void* grad_convs = nullptr;         // like convs: attention[b, k] * grad_output[b, o]
  float* sums = nullptr;              // [B, O]: grad_output summed over pixels
  float* partials = nullptr;          // [B, MixSlices(args), K], scratch
  float* grad_attention = nullptr;    // [B, K]
  float* grad_bias = nullptr;         // [K, O] or null

  int64_t out_channels() const { return groups * out_per_group; }
};

// Partial sums per sample and expert that the backward writes in its first stage.
int64_t MixSlices(const MixArgs& args);
void MixForward(const MixArgs& args, Stream stream);
// Reads the images once. Sums are taken in two stages, in an order that depends on the sizes and the splits
// only.
void MixBackward(const MixArgs& args, Stream stream);

// ---- Augmentation of images that are on the device
// -----------------------------------------------------------------

// One image of a batch: which it is of the set, the window of it (after the first resize) that is kept, and
// whether it is turned over. Chosen on the CPU, by cpp/kernels/augment/choices.cc.
struct AugmentSample {
  int64_t index = 0;
  int64_t top = 0, left = 0, height = 0, width = 0;  // may extend beyond the image, which is black there
  int64_t flip = 0, vertical_flip = 0;               // 0 or 1
};

// The geometry of cpp/kernels/augment/augment.h, and a line through the bytes: value = scale * byte + bias.
struct AugmentArgs {
  const uint8_t* images = nullptr;  // [count, channels, height, width]
  int64_t channels = 0, height = 0, width = 0;
  const AugmentSample* samples = nullptr;  // [batch], on the device
  int64_t batch = 0;
  int64_t resize_h = 0, resize_w = 0;
  int64_t out_h = 0, out_w = 0;
  const float* scale = nullptr;  // [channels], on the device
  const float* bias = nullptr;   // [channels], on the device
  bool channels_last = false;
  Element element = Element::kFloat;
  void* output = nullptr;  // [batch, channels, out_h, out_w], or [batch, out_h, out_w, channels]
};

// Whether a block's shared memory holds the tables for images of this width.
bool AugmentFits(const AugmentArgs& args);
void Augment(const AugmentArgs& args, Stream stream);

// ---- Dynamic convolution with the experts mixed in shared memory
// ---------------------------------------------------

// Images are contiguous [B, C, H, W]. Every block mixes the tile of weights it needs for its sample, so there
// is no kernel per sample in memory.
// Most (groups x tiles of 64 channels) of a FusedConvArgs.
constexpr int64_t kMostGroups = 65535;

struct FusedConvArgs {
  int64_t batch = 0;
  int64_t in_channels = 0, in_h = 0, in_w = 0;
  int64_t experts = 0;
  int64_t out_channels = 0, out_h = 0, out_w = 0;
  int64_t kernel_h = 0, kernel_w = 0;
  int64_t stride_h = 1, stride_w = 1;
  int64_t padding_h = 0, padding_w = 0;
  int64_t dilation_h = 1, dilation_w = 1;
  int64_t groups = 1;
  Element element = Element::kFloat;
  // Products of float32 on tensor cores, with 10 bits of mantissa. Those of 16-bit images always are, where
  // the device can; mixed weights are then rounded to their dtype.
  bool tf32 = false;
  const void* input = nullptr;
  const void* weight = nullptr;      // [K, O, I / groups, kh, kw]
  const float* attention = nullptr;  // [B, K]
  const void* bias = nullptr;        // [K, O] or null
  void* output = nullptr;

  // Backward.
  const void* grad_output = nullptr;
  void* grad_input = nullptr;
  float* grad_weight = nullptr;     // [K, O, I / groups, kh, kw]
  float* sums = nullptr;            // [B, O]
  float* partials = nullptr;        // [B, FusedConvTiles(args), K], scratch
  float* grad_attention = nullptr;  // [B, K]
  float* grad_bias = nullptr;       // [K, O] or null
};

// Tiles of one expert's weights, each of which leaves a partial attention gradient.
int64_t FusedConvTiles(const FusedConvArgs& args);
void FusedConvForward(const FusedConvArgs& args, Stream stream);
void FusedConvBackward(const FusedConvArgs& args, Stream stream);

}  // namespace dyconv::kernels::cuda
