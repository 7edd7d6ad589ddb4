// Dynamic convolution (Chen et al., CVPR 2020, arXiv:1912.03458): every sample is convolved with its own
// attention-weighted mixture of K expert kernels. ATen level: no N-API, no JS.
#pragma once

#include <ATen/core/Tensor.h>

#include <array>
#include <cstdint>
#include <optional>
#include <utility>
#include <vector>

namespace dyconv {

// The variants with a number or an instruction set in their name, and kGrouped, are never chosen by kAuto.
enum class DynamicConvAlgorithm {
  kAuto,
  kMixOnce,
  kDepthwise,
  kWinograd,
  kWinogradForward,
  kFused,
  kFusedCuda,
  kMixCuda,
  kMixAfter,
  kGrouped,
  kDepthwiseAvx2,
  kDepthwisePortable,
  kFusedAvx2,
  kFusedPortable,
  kWinograd2x3,
  kWinograd3x4,
  kWinograd4x2,
  kWinogradAvx2,
  kWinogradPortable,
  kReference,
};

// Their public names.
inline constexpr auto kDynamicConvAlgorithmNames =
    std::to_array<std::pair<const char*, DynamicConvAlgorithm>>({
        {"auto", DynamicConvAlgorithm::kAuto},
        {"mix-once", DynamicConvAlgorithm::kMixOnce},
        {"depthwise", DynamicConvAlgorithm::kDepthwise},
        {"winograd", DynamicConvAlgorithm::kWinograd},
        {"winograd-forward", DynamicConvAlgorithm::kWinogradForward},
        {"fused", DynamicConvAlgorithm::kFused},
        {"fused-cuda", DynamicConvAlgorithm::kFusedCuda},
        {"mix-cuda", DynamicConvAlgorithm::kMixCuda},
        {"mix-after", DynamicConvAlgorithm::kMixAfter},
        {"grouped", DynamicConvAlgorithm::kGrouped},
        {"depthwise-avx2", DynamicConvAlgorithm::kDepthwiseAvx2},
        {"depthwise-portable", DynamicConvAlgorithm::kDepthwisePortable},
        {"fused-avx2", DynamicConvAlgorithm::kFusedAvx2},
        {"fused-portable", DynamicConvAlgorithm::kFusedPortable},
        {"winograd-2x3", DynamicConvAlgorithm::kWinograd2x3},
        {"winograd-3x4", DynamicConvAlgorithm::kWinograd3x4},
        {"winograd-4x2", DynamicConvAlgorithm::kWinograd4x2},
        {"winograd-avx2", DynamicConvAlgorithm::kWinogradAvx2},
        {"winograd-portable", DynamicConvAlgorithm::kWinogradPortable},
        {"reference", DynamicConvAlgorithm::kReference},
    });

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
