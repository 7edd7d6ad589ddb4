// The arguments of the kernels for int8: activations are uint8 with a zero point, weights int8 with a scale
// for each output channel, sums int32. All instruction sets give the same numbers: sums are exact, and what
// follows them is float32 without fused multiply-adds. Images are channels last.
#pragma once

#include "kernels/kernel.h"

namespace dyconv::kernels {

// Most products of a sum: (255 * 127) times as many fit into int32.
constexpr int64_t kMostInt8Products = 66311;

// How the kernels of one instruction set cut a convolution without groups. A run is what is contiguous in the
// input: the channels of a tap, or a row of the kernel where the input is copied. Its numbers are multiplied
// in groups of four. Columns are output channels, in panels of whole vectors.
struct Int8ConvPlan {
  // Whether the input is copied, with its padding, before it is multiplied.
  bool copies_input = false;
  int64_t runs = 0;
  int64_t length = 0;   // numbers of a run
  int64_t groups = 0;   // of a run, the last one filled up with weights that are 0
  int64_t vectors = 0;  // of columns
  int64_t columns = 0;  // output channels, filled up to whole vectors
  int64_t panels = 0;
  int64_t packed = 0;   // bytes of the packed weights
  int64_t experts = 0;  // numbers of all packed experts
  int64_t block_pixels = 0;
  int64_t blocks = 0;
  bool panels_first = false;  // all blocks of a panel follow each other, not all panels of a block
  int64_t items = 0;
  int64_t scratch = 0;  // bytes of one thread
};

// Packed weights: int8, the scale of each column, and the sum of its int8 weights.
struct Int8Weights {
  int8_t* packed = nullptr;
  float* scales = nullptr;
  int32_t* sums = nullptr;
};

// activation((input - zero point) * weights * scales + bias + residual), stored as floats or as uint8. A
// linear map is a convolution of one image with a pixel for each row.
struct Int8ConvArgs {
  DynamicConvShape shape;
  Int8ConvPlan plan;
  const uint8_t* input = nullptr;
  float input_scale = 0;
  int32_t input_zero = 0;
  Int8Weights weights;  // where shape.experts is 0
  // Else of PackInt8Experts, with a scale for each column, and [batch, experts]. Each sample has the weights
  // that are mixed from them, and its own scales.
  const int16_t* experts = nullptr;
  const float* expert_scales = nullptr;
  const float* attention = nullptr;
  const float* bias = nullptr;  // `plan.columns` floats
  int64_t bias_stride = 0;      // from the bias of a sample to that of the next
  // One of the two, or none.
  const float* residual = nullptr;
  const uint8_t* residual8 = nullptr;
  float residual_scale = 0;
  int32_t residual_zero = 0;
  Activation activation = Activation::kNone;
  // One of the two.
  float* output = nullptr;
  uint8_t* output8 = nullptr;
  float output_factor = 0;  // 1 / scale
  int32_t output_zero = 0;
};

}  // namespace dyconv::kernels
