// The arguments of the inference kernels. Images are channels last, [batch, height, width, channels] without
// gaps, so that the channels of a pixel are one row. Weights are packed once, and what follows a sum (bias,
// residual, activation) is done before the sum is stored.
#pragma once

#include "kernels/kernel.h"

namespace dyconv::kernels {

// How the kernels of one instruction set cut a convolution without groups. Sizes are in floats. Columns of
// the packed weights are output channels, in panels of whole vectors; rows are (tap, input channel).
struct NhwcConvPlan {
  int64_t panels = 0;
  int64_t packed = 0;  // packed weights
  int64_t bias = 0;    // the bias of all panels, zeros beyond the last channel
  // Whether the input is copied, with its padding, before it is multiplied: a row of the kernel is then one
  // run of floats, which pays where channels are few. A block is output rows of one sample, else any pixels,
  // of one sample where there are several experts.
  bool copies_input = false;
  int64_t block_pixels = 0;
  int64_t blocks = 0;
  bool panels_first = false;  // all blocks of a panel follow each other, not all panels of a block
  int64_t items = 0;          // blocks x panels
  int64_t scratch = 0;        // of one thread
};

// A convolution (groups = 1), or a linear map as one of 1x1 pixels. With several experts the plan does not
// copy the input.
struct NhwcConvArgs {
  DynamicConvShape shape;
  NhwcConvPlan plan;
  const float* input = nullptr;
  // Channels last, except where the plan copies the input.
  ImageStrides input_strides;
  const float* packed = nullptr;     // of one expert after the other
  const float* attention = nullptr;  // with several experts: [batch, experts], their shares in the kernel
  int64_t bias_stride = 0;           // floats from the bias of a sample to that of the next
  float* output = nullptr;
  Epilogue epilogue;
};

// A depthwise convolution: groups = in_channels = out_channels. Packed weights are [taps, channels]; strides
// are the floats from what is of one sample to what is of the next, 0 where all have the same.
struct NhwcDepthwiseArgs {
  DynamicConvShape shape;
  const float* input = nullptr;
  const float* packed = nullptr;
  int64_t packed_stride = 0;
  int64_t bias_stride = 0;
  float* output = nullptr;
  Epilogue epilogue;  // the bias has as many floats as there are channels
};

// Max pooling, or the mean over the taps that are not padding (or over all of them).
struct NhwcPoolArgs {
  MaxPoolShape shape;
  int64_t channels = 0;
  const float* input = nullptr;
  float* output = nullptr;
};

}  // namespace dyconv::kernels
