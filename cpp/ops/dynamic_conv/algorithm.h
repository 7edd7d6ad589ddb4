// The algorithms of dynamic convolution and their names. Plain C++.
#pragma once

#include <array>
#include <utility>

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

}  // namespace dyconv
