// The arguments of the kernels for 1x1 convolutions of stride 1 over contiguous planes: matrix products with
// the pixels of every sample, without any copy of the images.
#pragma once

#include "kernels/kernel.h"

namespace dyconv::kernels {

// output[b] = matrix input[b] + bias: the forward pass, and the input gradient with the transposed weight.
struct PointwiseArgs {
  int64_t batch = 0;
  int64_t rows = 0;   // channels of the output
  int64_t depth = 0;  // channels of the input
  int64_t plane = 0;
  const float* packed = nullptr;  // rows * depth, by PackPointwise
  const float* input = nullptr;   // [batch, depth, plane]
  const float* bias = nullptr;    // [rows], or null
  float* output = nullptr;        // [batch, rows, plane]
};

// The weight's gradient [rows, depth]: the sum over samples and pixels of grad_output[b, r, p] * input[b, d,
// p].
struct PointwiseGradArgs {
  int64_t rows = 0;
  int64_t depth = 0;
  int64_t plane = 0;
  const float* grad_output = nullptr;  // [batch, rows, plane]
  const float* input = nullptr;        // [batch, depth, plane]
};

}  // namespace dyconv::kernels
