// The dynamic convolution's gradients of weights, bias and attention: one tile of the weights a block,
// samples in order. A sample's weight gradient exists tile by tile only: it goes at once into the gradients
// of the experts and into the sample's attention gradient.
#include "kernels/cuda/dynamic_conv.cuh"
#include "kernels/cuda/tensor_cores.cuh"

namespace dyconv::kernels::cuda {
namespace {

constexpr int kSquare = 32;                         // output channels, and columns, of a tile
constexpr int kPixels = 64;                         // pixels summed at once
constexpr int kExpertsAtOnce = 8;                   // of which a thread keeps gradients in registers
constexpr int kOwn = kSquare * kSquare / kThreads;  // elements of the tile a thread owns: a column of it,
constexpr int kRowStep = kThreads / kSquare;        // and every so many rows

// tile [kSquare, kSquare] += a [kSquare, kPixels] times b [kSquare, kPixels] transposed, in float32
// arithmetic.
class ArithmeticSquare {
 public:
  static constexpr bool kExists = true;
  using Stored = float;
  static constexpr int kPitch = kPixels + 1;
  static constexpr int kAtOnce = 1;  // of a thread's pixels: as many as there are registers for
  static __device__ __forceinline__ float Keep(float x) { return x; }

  __device__ __forceinline__ void Multiply(const float* a, const float* b) {
    const int row = threadIdx.x / kSquare, column = threadIdx.x % kSquare;
#pragma unroll 2
    for (int t = 0; t < kPixels; ++t) {
      const float right = b[column * kPitch + t];
#pragma unroll
      for (int j = 0; j < kOwn; ++j) sums_[j] += a[(row + j * kRowStep) * kPitch + t] * right;
    }
  }

  // The elements that the thread owns.
  __device__ __forceinline__ void Own(float*, float (&sums)[kOwn]) const {
#pragma unroll
    for (int j = 0; j < kOwn; ++j) sums[j] = sums_[j];
  }

 private:
  float sums_[kOwn] = {};
};

// The same on tensor cores: four warps have a tile of theirs each for one half of the pixels, four for the
// other.
template <class T>
struct TensorSquareSizes {
  using Stored = T;
  static constexpr int kPitch = TensorPitch<T>(kPixels);
};
template <class T, bool = TensorElement<T>::kExists>
class TensorSquare : public TensorSquareSizes<T> {
 public:
  static constexpr bool kExists = false;
};
template <class T>
class TensorSquare<T, true> : public TensorSquareSizes<T> {
 public:
  static constexpr bool kExists = true;
  using TensorSquareSizes<T>::kPitch;
  static constexpr int kAtOnce = 2;
  static __device__ __forceinline__ T Keep(float x) { return TensorElement<T>::Keep(x); }

  __device__ __forceinline__ TensorSquare() { wmma::fill_fragment(sums_, 0.0f); }

  __device__ __forceinline__ void Multiply(const T* a, const T* b) {
    const int first = Half() * (kPixels / 2);
#pragma unroll
    for (int t = first; t < first + kPixels / 2; t += TensorElement<T>::kDepth) {
      LeftTile<T> left;
      RightTile<T, wmma::col_major> right;
      wmma::load_matrix_sync(left, a + Row() * kPitch + t, kPitch);
      wmma::load_matrix_sync(right, b + Column() * kPitch + t, kPitch);
      wmma::mma_sync(sums_, left, right, sums_);
    }
  }

  // By way of shared memory; the whole block has to come here.
  __device__ __forceinline__ void Own(float* scratch, float (&sums)[kOwn]) {
    constexpr int kTile = kSquare * kSquare;
    wmma::store_matrix_sync(scratch + Half() * kTile + Row() * kSquare + Column(), sums_, kSquare,
                            wmma::mem_row_major);
    __syncthreads();
#pragma unroll
    for (int j = 0; j < kOwn; ++j) {
      const int e = threadIdx.x + j * kThreads;
      sums[j] = scratch[e] + scratch[kTile + e];
    }
  }

 private:
  static __device__ __forceinline__ int Half() { return threadIdx.x / kWarpSize / 4; }
  static __device__ __forceinline__ int Row() { return threadIdx.x / kWarpSize / 2 % 2 * kTensorSide; }
  static __device__ __forceinline__ int Column() { return threadIdx.x / kWarpSize % 2 * kTensorSide; }

  SumTile<T> sums_;
};

template <class T, bool kTensor>
using Square = std::conditional_t<kTensor, TensorSquare<T>, ArithmeticSquare>;

template <class Math>
struct SquareShared {
  alignas(32) typename Math::Stored grads[kSquare * Math::kPitch];
  alignas(32) typename Math::Stored columns[kSquare * Math::kPitch];
  float by_warp[kWarps * kExpertsAtOnce];
  Tap taps[kSquare];
};

// grads [kSquare, kPixels]: the sample's gradient of the output; columns [kSquare, kPixels]: what these
// pixels meet. `grad` and `image` are the group's channels.
template <class T, class Math>
__device__ __forceinline__ void GatherPixels(const Geometry& s, const T* grad, const T* image, int first_o,
                                             int first_pixel, SquareShared<Math>& shared) {
  const int lane = threadIdx.x % kPixels, pixel = first_pixel + lane;
  const bool inside = pixel < s.out_plane();
  const Corner corner = CornerOf<false>(s, pixel);
#pragma unroll Math::kAtOnce
  for (int n = threadIdx.x / kPixels; n < kSquare; n += kThreads / kPixels) {
    float g = 0, c = 0;
    if (inside && first_o + n < s.out_per_group) {
      g = ToFloat(grad[static_cast<int64_t>(first_o + n) * s.out_plane() + pixel]);
    }
    if (inside) c = Meet<T, false>(s, image, corner, shared.taps[n]);
    shared.grads[n * Math::kPitch + lane] = Math::Keep(g);
    shared.columns[n * Math::kPitch + lane] = Math::Keep(c);
  }
}

template <class T, bool kTensor>
__global__ void __launch_bounds__(kThreads, 2) WeightGradKernel(FusedConvArgs a, Geometry s) {
  using Math = Square<T, kTensor>;
  if constexpr (Math::kExists) {
    auto& shared = *Shared<SquareShared<Math>>();
    const int sum_over = s.in_per_group * s.taps;
    const int tiles_r = (sum_over + kSquare - 1) / kSquare,
              tiles_o = (s.out_per_group + kSquare - 1) / kSquare;
    const int group = blockIdx.x / (tiles_r * tiles_o);
    const int first_o = blockIdx.x / tiles_r % tiles_o * kSquare, first_r = blockIdx.x % tiles_r * kSquare;
    const int first_k = blockIdx.y * kExpertsAtOnce, count = min(kExpertsAtOnce, s.experts - first_k);
    const int thread = threadIdx.x, r = thread % kSquare, o = thread / kSquare;
    const int warp = thread / kWarpSize, lane = thread % kWarpSize;
    if (thread < kSquare) shared.taps[thread] = TapOf<false>(s, first_r + thread);
    __syncthreads();

    // The position of this thread's first element in an expert, and the distance of its elements.
    const int first_place = (group * s.out_per_group + first_o + o) * sum_over + first_r + r;
    const int apart = kRowStep * sum_over;
    const auto inside = [&](int j) {
      return first_o + o + j * kRowStep < s.out_per_group && first_r + r < sum_over;
    };
    float own_weights[kExpertsAtOnce][kOwn] = {}, own_grads[kExpertsAtOnce][kOwn] = {};
#pragma unroll
    for (int k = 0; k < kExpertsAtOnce; ++k) {
      const T* weight = static_cast<const T*>(a.weight) + (first_k + k) * s.expert_size();
#pragma unroll
      for (int j = 0; j < kOwn; ++j) {
        if (k < count && inside(j)) own_weights[k][j] = ToFloat(weight[first_place + j * apart]);
      }
    }

    for (int64_t b = 0; b < s.batch; ++b) {
      const int64_t place = b * s.groups + group;
      const T* image = static_cast<const T*>(a.input) + place * s.in_per_group * s.in_plane();
      const T* grad = static_cast<const T*>(a.grad_output) + place * s.out_per_group * s.out_plane();
      Math math;
      for (int p = 0; p < s.out_plane(); p += kPixels) {
        GatherPixels<T, Math>(s, grad, image, first_o, p, shared);
        __syncthreads();
        math.Multiply(shared.grads, shared.columns);
        __syncthreads();
      }
      float sums[kOwn];
      math.Own(reinterpret_cast<float*>(shared.grads), sums);
#pragma unroll
      for (int k = 0; k < kExpertsAtOnce; ++k) {
        const float weight = k < count ? a.attention[b * s.experts + first_k + k] : 0.0f;
        float dot = 0;
#pragma unroll
        for (int j = 0; j < kOwn; ++j) {
          own_grads[k][j] += weight * sums[j];
          dot += own_weights[k][j] * sums[j];
        }
        dot = WarpSum(dot);
        if (lane == 0) shared.by_warp[warp * kExpertsAtOnce + k] = dot;
      }
      __syncthreads();
      if (thread < count) {
        float dot = 0;
        for (int w = 0; w < kWarps; ++w) dot += shared.by_warp[w * kExpertsAtOnce + thread];
        a.partials[(b * gridDim.x + blockIdx.x) * s.experts + first_k + thread] = dot;
      }
      // The barriers of the next sample's pixels keep by_warp until it has been read.
    }
#pragma unroll
    for (int k = 0; k < kExpertsAtOnce; ++k) {
      float* grads = a.grad_weight + (first_k + k) * s.expert_size();
#pragma unroll
      for (int j = 0; j < kOwn; ++j) {
        if (k < count && inside(j)) grads[first_place + j * apart] = own_grads[k][j];
      }
    }
  }
}

// sums[b, o] = grad_output summed over pixels, a warp a plane.
template <class T>
__global__ void __launch_bounds__(kThreads)
    SumPlanesKernel(const T* planes, int64_t count, int size, float* sums) {
  const int64_t n = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarpSize;
  if (n >= count) return;  // a whole warp
  float sum = 0;
  for (int p = threadIdx.x % kWarpSize; p < size; p += kWarpSize) sum += ToFloat(planes[n * size + p]);
  sum = WarpSum(sum);
  if (threadIdx.x % kWarpSize == 0) sums[n] = sum;
}

template <class T, bool kTensor>
void LaunchWeightGrad(const FusedConvArgs& a, Stream stream) {
  using Math = Square<T, kTensor>;
  static_assert(offsetof(SquareShared<Math>, by_warp) >= 2 * kSquare * kSquare * sizeof(float));
  const dim3 grid{GridSize(FusedConvTiles(a)), static_cast<unsigned>(DivideUp(a.experts, kExpertsAtOnce))};
  Launch(WeightGradKernel<T, kTensor>, grid, dim3{kThreads}, sizeof(SquareShared<Math>), stream, a,
         Geometry(a));
}

}  // namespace

int64_t FusedConvTiles(const FusedConvArgs& a) {
  const Geometry s(a);
  return s.groups * DivideUp(s.out_per_group, kSquare) * DivideUp(s.in_per_group * s.taps, kSquare);
}

void FusedConvWeightGrads(const FusedConvArgs& a, Stream stream) {
  WithElement(a.element, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    if (a.batch > 0) {
      const int64_t planes = a.batch * a.out_channels;
      Launch(SumPlanesKernel<T>, dim3{GridSize(DivideUp(planes, kWarps))}, dim3{kThreads}, 0, stream,
             static_cast<const T*>(a.grad_output), planes, static_cast<int>(a.out_h * a.out_w), a.sums);
    }
    // Of an empty batch too: the gradients of the weights are then zeros.
    OnTensorCores(a) ? LaunchWeightGrad<T, true>(a, stream) : LaunchWeightGrad<T, false>(a, stream);
    FinishSums<T>(a, a.out_channels, FusedConvTiles(a), stream);
  });
}

}  // namespace dyconv::kernels::cuda
