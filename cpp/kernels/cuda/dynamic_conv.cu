// Dynamic convolution as products of matrices (input columns gathered on the fly), the sample's kernel mixed
// tile by tile in shared memory. Sums are float32 for all dtypes of the images.
#include "kernels/cuda/dynamic_conv.cuh"
#include "kernels/cuda/tensor_cores.cuh"

namespace dyconv::kernels::cuda {
namespace {

// ---- Forward and input gradient: [M, R] weights times [R, N] columns
// ------------------------------------------------

constexpr int kTileM = 64, kTileN = 128, kTileR = 32;

// A block's product of tiles in float32 arithmetic: a thread has 4 rows, and 4 columns of either half.
class ArithmeticProduct {
 public:
  static constexpr bool kExists = true;
  using Stored = float;
  static constexpr int kPitchA = kTileR + 1, kPitchB = kTileN + 4;
  static __device__ __forceinline__ float Keep(float x) { return x; }

  __device__ __forceinline__ void Multiply(const float* a, const float* b) {
#pragma unroll 8
    for (int t = 0; t < kTileR; ++t) {
      const auto low = Load<float, 4>(b + t * kPitchB + Column());
      const auto high = Load<float, 4>(b + t * kPitchB + kTileN / 2 + Column());
#pragma unroll
      for (int i = 0; i < 4; ++i) {
        const float w = a[(Row() + i) * kPitchA + t];
#pragma unroll
        for (int j = 0; j < 4; ++j) {
          sums_[i][j] += w * low.at[j];
          sums_[i][4 + j] += w * high.at[j];
        }
      }
    }
  }

  // Calls visit(row, column, sum) for every element of the tile, each in one thread.
  template <class Visit>
  __device__ __forceinline__ void Each(float*, const Visit& visit) const {
#pragma unroll
    for (int i = 0; i < 4; ++i) {
#pragma unroll
      for (int j = 0; j < 8; ++j) {
        visit(Row() + i, Column() + (j < 4 ? j : kTileN / 2 + j - 4), sums_[i][j]);
      }
    }
  }

 private:
  static __device__ __forceinline__ int Row() { return threadIdx.x / 16 * 4; }
  static __device__ __forceinline__ int Column() { return threadIdx.x % 16 * 4; }

  float sums_[4][8] = {};
};

// The same on tensor cores: a warp has 2 x 2 of their tiles.
template <class T>
struct TensorProductSizes {
  using Stored = T;
  static constexpr int kPitchA = TensorPitch<T>(kTileR), kPitchB = TensorPitch<T>(kTileN);
};
template <class T, bool = TensorElement<T>::kExists>
class TensorProduct : public TensorProductSizes<T> {
 public:
  static constexpr bool kExists = false;
};
template <class T>
class TensorProduct<T, true> : public TensorProductSizes<T> {
 public:
  static constexpr bool kExists = true;
  using TensorProductSizes<T>::kPitchA, TensorProductSizes<T>::kPitchB;
  static __device__ __forceinline__ T Keep(float x) { return TensorElement<T>::Keep(x); }

  __device__ __forceinline__ TensorProduct() {
#pragma unroll
    for (int n = 0; n < 4; ++n) wmma::fill_fragment(sums_[n / 2][n % 2], 0.0f);
  }

  __device__ __forceinline__ void Multiply(const T* a, const T* b) {
#pragma unroll 2
    for (int t = 0; t < kTileR; t += TensorElement<T>::kDepth) {
      LeftTile<T> left[2];
      RightTile<T, wmma::row_major> right[2];
#pragma unroll
      for (int i = 0; i < 2; ++i) {
        wmma::load_matrix_sync(left[i], a + (Row() + i * kTensorSide) * kPitchA + t, kPitchA);
        wmma::load_matrix_sync(right[i], b + t * kPitchB + Column() + i * kTensorSide, kPitchB);
      }
#pragma unroll
      for (int n = 0; n < 4; ++n) {
        wmma::mma_sync(sums_[n / 2][n % 2], left[n / 2], right[n % 2], sums_[n / 2][n % 2]);
      }
    }
  }

  // By way of shared memory: which lane holds what of a tile is not known.
  template <class Visit>
  __device__ __forceinline__ void Each(float* scratch, const Visit& visit) {
    constexpr int kTile = kTensorSide * kTensorSide;
    float* own = scratch + threadIdx.x / kWarpSize * kTile;
#pragma unroll
    for (int n = 0; n < 4; ++n) {
      wmma::store_matrix_sync(own, sums_[n / 2][n % 2], kTensorSide, wmma::mem_row_major);
      __syncwarp();
      for (int e = threadIdx.x % kWarpSize; e < kTile; e += kWarpSize) {
        visit(Row() + n / 2 * kTensorSide + e / kTensorSide, Column() + n % 2 * kTensorSide + e % kTensorSide,
              own[e]);
      }
      __syncwarp();
    }
  }

 private:
  static __device__ __forceinline__ int Row() { return threadIdx.x / kWarpSize / 4 * 32; }
  static __device__ __forceinline__ int Column() { return threadIdx.x / kWarpSize % 4 * 32; }

  SumTile<T> sums_[2][2];
};

template <class T, bool kTensor>
using Product = std::conditional_t<kTensor, TensorProduct<T>, ArithmeticProduct>;

// tile [kTileM, kTileR]: the experts' weights from row `m` and column `r` on, mixed; N columns at once.
template <class T, class Math, bool kGradInput, int N>
__device__ __forceinline__ void MixTile(const Geometry& s, const T* weight, const float* attention, int group,
                                        int m, int r, typename Math::Stored* tile) {
  constexpr int kAcross = kTileR / N;
  const int across = threadIdx.x % kAcross * N, column = r + across;
  const int rows = kGradInput ? s.in_per_group : s.out_per_group;
  const int sum_over = (kGradInput ? s.out_per_group : s.in_per_group) * s.taps;
  const int64_t first = static_cast<int64_t>(group) * s.out_per_group;
  const int64_t at = kGradInput ? (first + column / s.taps) * s.in_per_group * s.taps + column % s.taps
                                : first * sum_over + column;
  const int64_t step = kGradInput ? s.taps : sum_over;
  for (int row = threadIdx.x / kAcross; row < kTileM; row += kThreads / kAcross) {
    float mixed[N] = {};
    if (m + row < rows && column < sum_over) {
      const T* from = weight + at + (m + row) * step;
#pragma unroll 4
      for (int k = 0; k < s.experts; ++k) {
        const auto values = Load<T, N>(from + k * s.expert_size());
#pragma unroll
        for (int j = 0; j < N; ++j) mixed[j] += attention[k] * ToFloat(values.at[j]);
      }
    }
#pragma unroll
    for (int j = 0; j < N; ++j) tile[row * Math::kPitchA + across + j] = Math::Keep(mixed[j]);
  }
}

// tile [kTileR, kTileN]: what a thread's pixel meets at the taps. `image` is the group's channels.
template <class T, class Math, bool kGradInput>
__device__ __forceinline__ void GatherTile(const Geometry& s, const T* image, bool inside,
                                           const Corner& corner, const Tap* taps,
                                           typename Math::Stored* tile) {
  const int pixel = threadIdx.x % kTileN;
#pragma unroll 4
  for (int r = threadIdx.x / kTileN; r < kTileR; r += kThreads / kTileN) {
    const float value = inside ? Meet<T, kGradInput>(s, image, corner, taps[r]) : 0.0f;
    tile[r * Math::kPitchB + pixel] = Math::Keep(value);
  }
}

template <class Math>
struct ProductShared {
  alignas(32) typename Math::Stored weights[kTileM * Math::kPitchA];
  alignas(32) typename Math::Stored columns[kTileR * Math::kPitchB];
  Tap taps[2][kTileR];  // of this step, and the next
  float shifts[kTileM];
  // and the attention, [K]
};

template <class T, bool kTensor, bool kGradInput>
__global__ void __launch_bounds__(kThreads, 2) ProductKernel(FusedConvArgs a, Geometry s, bool wide) {
  using Math = Product<T, kTensor>;
  if constexpr (Math::kExists) {
    auto& shared = *Shared<ProductShared<Math>>();
    float* attention = reinterpret_cast<float*>(&shared + 1);
    const int rows = kGradInput ? s.in_per_group : s.out_per_group;
    const int other_rows = kGradInput ? s.out_per_group : s.in_per_group;
    const int pixels = kGradInput ? s.in_plane() : s.out_plane();
    const int other_pixels = kGradInput ? s.out_plane() : s.in_plane();
    const int tiles = (rows + kTileM - 1) / kTileM;
    const int group = blockIdx.y / tiles, m = blockIdx.y % tiles * kTileM, n = blockIdx.x * kTileN;
    const T* images = static_cast<const T*>(kGradInput ? a.grad_output : a.input);
    const T* weight = static_cast<const T*>(a.weight);
    const T* bias = kGradInput ? nullptr : static_cast<const T*>(a.bias);
    T* results = static_cast<T*>(kGradInput ? a.grad_input : a.output);
    const int thread = threadIdx.x, own_pixel = n + thread % kTileN;
    const Corner corner = CornerOf<kGradInput>(s, own_pixel);

    for (int64_t b = blockIdx.z; b < s.batch; b += gridDim.z) {
      for (int k = thread; k < s.experts; k += kThreads) attention[k] = a.attention[b * s.experts + k];
      if (thread < kTileR) shared.taps[0][thread] = TapOf<kGradInput>(s, thread);
      __syncthreads();
      if (thread < kTileM) {
        float shift = 0;
        for (int k = 0; bias != nullptr && m + thread < rows && k < s.experts; ++k) {
          shift += attention[k] * ToFloat(bias[(k * s.groups + group) * rows + m + thread]);
        }
        shared.shifts[thread] = shift;
      }
      const int64_t place = b * s.groups + group;
      const T* image = images + place * other_rows * other_pixels;
      Math math;
      int turn = 0;
      for (int r = 0; r < other_rows * s.taps; r += kTileR, turn ^= 1) {
        if (wide) {
          MixTile<T, Math, kGradInput, kGradInput ? 1 : 16 / sizeof(T)>(s, weight, attention, group, m, r,
                                                                        shared.weights);
        } else {
          MixTile<T, Math, kGradInput, 1>(s, weight, attention, group, m, r, shared.weights);
        }
        GatherTile<T, Math, kGradInput>(s, image, own_pixel < pixels, corner, shared.taps[turn],
                                        shared.columns);
        if (thread < kTileR) shared.taps[turn ^ 1][thread] = TapOf<kGradInput>(s, r + kTileR + thread);
        __syncthreads();
        math.Multiply(shared.weights, shared.columns);
        __syncthreads();
      }
      math.Each(reinterpret_cast<float*>(shared.weights), [&](int row, int column, float sum) {
        if (m + row >= rows || n + column >= pixels) return;
        results[(place * rows + m + row) * pixels + n + column] = FromFloat<T>(sum + shared.shifts[row]);
      });
      // The barrier at the next sample's beginning keeps the tiles and shifts until they have been read.
    }
  }
}

// ---- Launchers
// -----------------------------------------------------------------------------------------------------

template <class T, bool kTensor, bool kGradInput>
void LaunchProduct(const FusedConvArgs& a, Stream stream) {
  using Math = Product<T, kTensor>;
  static_assert(sizeof(Math) > 0 && offsetof(ProductShared<Math>, taps) >= kWarps * 256 * sizeof(float));
  const Geometry s(a);
  const int64_t rows = kGradInput ? s.in_per_group : s.out_per_group;
  const int64_t pixels = kGradInput ? s.in_plane() : s.out_plane();
  const dim3 grid{GridSize(DivideUp(pixels, kTileN)),
                  static_cast<unsigned>(DivideUp(rows, kTileM) * s.groups),
                  static_cast<unsigned>(a.batch < kMaxGridY ? a.batch : kMaxGridY)};
  const size_t shared = sizeof(ProductShared<Math>) + a.experts * sizeof(float);
  const bool wide = !kGradInput && s.in_per_group * s.taps % (16 / sizeof(T)) == 0 &&
                    Aligned(static_cast<const T*>(a.weight), 16);
  Launch(ProductKernel<T, kTensor, kGradInput>, grid, dim3{kThreads}, shared, stream, a, s, wide);
}

template <bool kGradInput>
void LaunchProductOf(const FusedConvArgs& a, Stream stream) {
  WithElement(a.element, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    OnTensorCores(a) ? LaunchProduct<T, true, kGradInput>(a, stream)
                     : LaunchProduct<T, false, kGradInput>(a, stream);
  });
}

}  // namespace

bool OnTensorCores(const FusedConvArgs& a) {
  return (a.element != Element::kFloat || a.tf32) && HasTensorCores(a.element);
}

void FusedConvForward(const FusedConvArgs& a, Stream stream) {
  if (a.batch > 0) LaunchProductOf<false>(a, stream);
}

void FusedConvBackward(const FusedConvArgs& a, Stream stream) {
  if (a.batch > 0 && a.grad_input != nullptr) LaunchProductOf<true>(a, stream);
  FusedConvWeightGrads(a, stream);
}

}  // namespace dyconv::kernels::cuda
