// What kernel sources are written in: CUDA where nvcc compiles them, the host emulation elsewhere.
#pragma once

#include <cstdint>
#include <cstring>
#include <stdexcept>
#include <string>

#include "kernels/cuda/kernels.h"

#if defined(__CUDACC__)
#include <cuda_bf16.h>
#include <cuda_fp16.h>
#include <cuda_runtime.h>
#else
#include "kernels/cuda/emulation.h"
#endif

namespace dyconv::kernels::cuda {

constexpr int kWarpSize = 32;
// What every GPU gives a block without being asked.
constexpr size_t kSharedBytes = 48 * 1024;

#if defined(__CUDACC__)

// Most blocks along y and z; kernels go on with the rest in a loop.
constexpr int64_t kMaxGridY = 65535;

using BFloat16 = __nv_bfloat16;
using Half = __half;

__device__ __forceinline__ float ToFloat(float x) { return x; }
__device__ __forceinline__ float ToFloat(BFloat16 x) { return __bfloat162float(x); }
__device__ __forceinline__ float ToFloat(Half x) { return __half2float(x); }
template <class T>
__device__ __forceinline__ T FromFloat(float x) {
  if constexpr (sizeof(T) == 4) {
    return x;
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    return __float2bfloat16(x);
  } else {
    return __float2half(x);
  }
}

template <class T>
__device__ __forceinline__ T* Shared() {
  extern __shared__ __align__(32) unsigned char dyconv_shared[];
  return reinterpret_cast<T*>(dyconv_shared);
}

template <class... Params, class... Args>
void Launch(void (*kernel)(Params...), dim3 grid, dim3 block, size_t shared, Stream stream, Args&&... args) {
  kernel<<<grid, block, shared, stream>>>(static_cast<Params>(args)...);
  const cudaError_t error = cudaGetLastError();
  if (error != cudaSuccess) {
    throw std::runtime_error(std::string("CUDA: a kernel could not be started: ") +
                             cudaGetErrorString(error));
  }
}

#else

// So few that the loops over the rest are run by small tests.
constexpr int64_t kMaxGridY = 2;

// The upper half of a float32, rounded to nearest even.
struct BFloat16 {
  uint16_t bits;
};
struct Half {
  _Float16 value;
};

inline float ToFloat(float x) { return x; }
inline float ToFloat(BFloat16 x) {
  const uint32_t bits = static_cast<uint32_t>(x.bits) << 16;
  float value;
  std::memcpy(&value, &bits, sizeof value);
  return value;
}
inline float ToFloat(Half x) { return static_cast<float>(x.value); }
template <class T>
T FromFloat(float x) {
  if constexpr (sizeof(T) == 4) {
    return x;
  } else if constexpr (std::is_same_v<T, BFloat16>) {
    uint32_t bits;
    std::memcpy(&bits, &x, sizeof bits);
    if (std::isnan(x)) return {0x7fff};
    return {static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16)};
  } else {
    return {static_cast<_Float16>(x)};
  }
}

template <class T>
T* Shared() {
  return reinterpret_cast<T*>(emulation::Block::current->shared());
}

template <class... Params, class... Args>
void Launch(void (*kernel)(Params...), dim3 grid, dim3 block, size_t shared, Stream, Args&&... args) {
  emulation::RunGrid(grid, block, shared, [&] { kernel(args...); });
}

#endif

template <class T>
__host__ __device__ bool Aligned(const T* pointer, size_t bytes) {
  return reinterpret_cast<uintptr_t>(pointer) % bytes == 0;
}

// A GPU stops with an error at an address that is no multiple of what is read there; so does the emulation.
template <class T>
__device__ __forceinline__ void CheckAligned(const T* pointer, size_t bytes) {
#if !defined(__CUDACC__)
  if (!Aligned(pointer, bytes)) throw std::logic_error("a misaligned address");
#endif
}

// N elements that are read and written at once.
template <class T, int N>
struct alignas(sizeof(T) * N) Vec {
  T at[N];
};

template <class T, int N>
__device__ __forceinline__ Vec<T, N> Load(const T* from) {
  CheckAligned(from, sizeof(Vec<T, N>));
  return *reinterpret_cast<const Vec<T, N>*>(from);
}
template <class T, int N>
__device__ __forceinline__ void Store(T* to, const Vec<T, N>& value) {
  CheckAligned(to, sizeof(Vec<T, N>));
  *reinterpret_cast<Vec<T, N>*>(to) = value;
}

// The sum over a warp, the same in every lane.
__device__ __forceinline__ float WarpSum(float value) {
  for (int mask = kWarpSize / 2; mask > 0; mask /= 2) value += __shfl_xor_sync(0xffffffffu, value, mask);
  return value;
}

inline int64_t DivideUp(int64_t a, int64_t b) { return (a + b - 1) / b; }

inline unsigned GridSize(int64_t blocks) {
  constexpr int64_t kMost = int64_t{1} << 31;
  if (blocks >= kMost) throw std::runtime_error("CUDA: the problem is too large for one launch");
  return static_cast<unsigned>(blocks);
}

// Calls visit with a null pointer of the element's type.
template <class Visit>
void WithElement(Element element, const Visit& visit) {
  if (element == Element::kFloat) return visit(static_cast<float*>(nullptr));
  if (element == Element::kBFloat16) return visit(static_cast<BFloat16*>(nullptr));
  visit(static_cast<Half*>(nullptr));
}

}  // namespace dyconv::kernels::cuda
