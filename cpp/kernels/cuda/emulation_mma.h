// Tensor cores on the host: the part of CUDA's <mma.h> that the kernels use, 16 x 16 tiles shared by a warp.
//
// Loads and stores happen when a lane comes to them, without waiting for the other lanes: what one lane
// writes and another reads needs a __syncwarp() between, as it does on a GPU.
#pragma once

#include "kernels/cuda/emulation.h"

namespace nvcuda::wmma {

struct matrix_a {};
struct matrix_b {};
struct accumulator {};
struct row_major {};
struct col_major {};
enum layout_t { mem_row_major };
namespace precision {
struct tf32 {};
}  // namespace precision

// A lane has eight results, half a row of the tile, and here all that they are made of.
constexpr int kSide = 16, kOwn = 8;
inline int Lane() {
  return static_cast<int>((threadIdx.y * blockDim.x + threadIdx.x) % dyconv::kernels::cuda::emulation::kWarp);
}
inline int OwnRow() { return Lane() / 2; }
inline int OwnColumn() { return Lane() % 2 * kOwn; }

template <class Use, int M, int N, int K, class T, class Layout = void>
struct fragment;
template <int K, class T>
struct fragment<matrix_a, kSide, kSide, K, T, row_major> {
  float at[K];
};
template <int K, class T, class Layout>
struct fragment<matrix_b, kSide, kSide, K, T, Layout> {
  float at[K][kOwn];
};
template <int K>
struct fragment<accumulator, kSide, kSide, K, float> {
  float at[kOwn];
};

template <class T>
void CheckTile(const T* from, unsigned pitch) {
  if (reinterpret_cast<uintptr_t>(from) % 32 != 0 || pitch * sizeof(T) % 16 != 0) {
    throw std::logic_error("a misaligned tile");
  }
}

// What a tensor core uses of a number: of a float32, 10 bits of mantissa.
inline float Seen(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits &= ~0x1fffu;
  std::memcpy(&x, &bits, sizeof bits);
  return x;
}
template <class T>
float Seen(T x) {
  return ToFloat(x);
}

// Rounded to nearest, halves away from zero.
inline float __float_to_tf32(float x) {
  if (!std::isfinite(x)) return x;
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof bits);
  bits += 0x1000;
  std::memcpy(&x, &bits, sizeof bits);
  return Seen(x);
}

template <int K, class T>
void fill_fragment(fragment<accumulator, kSide, kSide, K, T>& tile, float value) {
  std::fill_n(tile.at, kOwn, value);
}

template <int K, class T, class S>
void load_matrix_sync(fragment<matrix_a, kSide, kSide, K, T, row_major>& tile, const S* from,
                      unsigned pitch) {
  CheckTile(from, pitch);
  for (int k = 0; k < K; ++k) tile.at[k] = Seen(from[OwnRow() * pitch + k]);
}

template <int K, class T, class Layout, class S>
void load_matrix_sync(fragment<matrix_b, kSide, kSide, K, T, Layout>& tile, const S* from, unsigned pitch) {
  CheckTile(from, pitch);
  for (int k = 0; k < K; ++k) {
    for (int j = 0; j < kOwn; ++j) {
      const unsigned n = OwnColumn() + j;
      tile.at[k][j] = Seen(std::is_same_v<Layout, row_major> ? from[k * pitch + n] : from[n * pitch + k]);
    }
  }
}

template <int K, class T, class Layout>
void mma_sync(fragment<accumulator, kSide, kSide, K, float>& to,
              const fragment<matrix_a, kSide, kSide, K, T, row_major>& a,
              const fragment<matrix_b, kSide, kSide, K, T, Layout>& b,
              const fragment<accumulator, kSide, kSide, K, float>& plus) {
  dyconv::kernels::cuda::emulation::Block::current->Exchange(0u, 0);  // every lane has to come here
  for (int j = 0; j < kOwn; ++j) {
    float sum = plus.at[j];
    for (int k = 0; k < K; ++k) sum += a.at[k] * b.at[k][j];
    to.at[j] = sum;
  }
}

template <int K>
void store_matrix_sync(float* to, const fragment<accumulator, kSide, kSide, K, float>& tile, unsigned pitch,
                       layout_t) {
  CheckTile(to, pitch);
  std::copy_n(tile.at, kOwn, to + OwnRow() * pitch + OwnColumn());
}

}  // namespace nvcuda::wmma
