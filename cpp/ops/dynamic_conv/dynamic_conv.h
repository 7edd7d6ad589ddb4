// Dynamic convolution (Chen et al., CVPR 2020, arXiv:1912.03458): every sample is convolved with its own
// attention-weighted mixture of K expert kernels. ATen level: no N-API, no JS.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <vector>

#include "ops/dynamic_conv/algorithm.h"

namespace dyconv {

// [height, width] where there are two numbers.
struct DynamicConvOptions {
  std::array<int64_t, 2> stride{1, 1};
  std::array<int64_t, 2> padding{0, 0};
  std::array<int64_t, 2> dilation{1, 1};
  int64_t groups = 1;
  DynamicConvAlgorithm algorithm = DynamicConvAlgorithm::kAuto;
};

// y[b] = conv2d(input[b], sum_k attention[b,k] * weight[k]) + sum_k attention[b,k] * bias[k]
//
//   input      [B, I, H, W], contiguous or channels_last; float32, float64, bfloat16 or float16
//   weight     [K, O, I / groups, kh, kw], dtype and device of input
//   attention  [B, K], dtype of input, or float32 (better for a 16-bit input)
//   bias       [K, O] or none
//   returns    [B, O, H', W'], dtype and memory format of input
//
// Differentiable in all four. Throws c10::ValueError for sizes, c10::TypeError for dtypes, a TypedError for
// an algorithm that cannot compute the problem or that this machine cannot run, c10::Error otherwise.
at::Tensor DynamicConv2d(const at::Tensor& input, const at::Tensor& weight, const at::Tensor& attention,
                         const std::optional<at::Tensor>& bias, const DynamicConvOptions& options);

// The algorithms that this machine can run, in the order of kAuto; kReference is the last.
std::vector<DynamicConvAlgorithm> DynamicConvAlgorithms();

// What kAuto chooses for these arguments.
DynamicConvAlgorithm DynamicConvChoice(const at::Tensor& input, const at::Tensor& weight,
                                       const at::Tensor& attention, const std::optional<at::Tensor>& bias,
                                       const DynamicConvOptions& options);

}  // namespace dyconv
