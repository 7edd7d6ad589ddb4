// Tensor cores: 16 x 16 tiles of 16-bit numbers, or of float32 with 10 bits of mantissa (TF32), summed in
// float32 by a warp.
#pragma once

#include "kernels/cuda/platform.cuh"

#if defined(__CUDACC__)
#include <mma.h>
#else
#include "kernels/cuda/emulation_mma.h"
#endif

namespace dyconv::kernels::cuda {

namespace wmma = nvcuda::wmma;

constexpr int kTensorSide = 16;

// How tiles of images of T are kept in shared memory and multiplied. Device code of a GPU without tensor
// cores for T (compute capability 7.5 has them for float16 alone) has no `Native`; nothing is launched there.
template <class T>
struct TensorElement {
  static constexpr bool kExists = false;
};

template <class T>
struct SixteenBits {
  static constexpr bool kExists = true;
  static constexpr int kDepth = 16;
  using Native = T;
  static __device__ __forceinline__ T Keep(float x) { return FromFloat<T>(x); }
};

template <>
struct TensorElement<Half> : SixteenBits<Half> {};

#if !defined(__CUDA_ARCH__) || __CUDA_ARCH__ >= 800
template <>
struct TensorElement<BFloat16> : SixteenBits<BFloat16> {};

template <>
struct TensorElement<float> {
  static constexpr bool kExists = true;
  static constexpr int kDepth = 8;
  using Native = wmma::precision::tf32;
  static __device__ __forceinline__ float Keep(float x) { return wmma::__float_to_tf32(x); }
};
#endif

template <class T>
using LeftTile = wmma::fragment<wmma::matrix_a, kTensorSide, kTensorSide, TensorElement<T>::kDepth,
                                typename TensorElement<T>::Native, wmma::row_major>;
template <class T, class Layout>
using RightTile = wmma::fragment<wmma::matrix_b, kTensorSide, kTensorSide, TensorElement<T>::kDepth,
                                 typename TensorElement<T>::Native, Layout>;
template <class T>
using SumTile = wmma::fragment<wmma::accumulator, kTensorSide, kTensorSide, TensorElement<T>::kDepth, float>;

// Rows in shared memory begin at multiples of 16 bytes, and in different banks.
template <class T>
__host__ __device__ constexpr int TensorPitch(int columns) {
  return columns + 16 / static_cast<int>(sizeof(T));
}

// Whether the current device has tensor cores for images of this type.
inline bool HasTensorCores(Element element) {
#if defined(__CUDACC__)
  int device = 0, major = 0;
  cudaGetDevice(&device);
  cudaDeviceGetAttribute(&major, cudaDevAttrComputeCapabilityMajor, device);
#else
  const int major = emulation::compute_capability;
#endif
  return major >= (element == Element::kHalf ? 7 : 8);
}

}  // namespace dyconv::kernels::cuda
