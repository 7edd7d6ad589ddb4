// Mixing the K x O outputs of one convolution with a sample's attention, and back.
#include "kernels/cuda/finish.cuh"
#include "kernels/cuda/platform.cuh"

namespace dyconv::kernels::cuda {
namespace {

struct Sizes {
  int64_t batch;
  int experts;
  int out_per_group;
  int out;    // all groups
  int plane;  // pixels

  explicit Sizes(const MixArgs& a)
      : batch(a.batch),
        experts(static_cast<int>(a.experts)),
        out_per_group(static_cast<int>(a.out_per_group)),
        out(static_cast<int>(a.out_channels())),
        plane(static_cast<int>(a.plane)) {}

  // The position of channel `o` of expert 0 among the K x O channels, which are [groups, K, O / groups].
  __device__ __forceinline__ int ConvChannel(int o) const {
    const int group = o / out_per_group;
    return group * experts * out_per_group + (o - group * out_per_group);
  }
};

// ---- Forward: N elements a thread
// ----------------------------------------------------------------------------------

template <class T, int N, bool kChannelsLast>
__global__ void __launch_bounds__(kThreads) ForwardKernel(MixArgs a, Sizes s) {
  const int64_t sample = static_cast<int64_t>(s.out) * s.plane;
  const T* bias = static_cast<const T*>(a.bias);
  for (int64_t b = blockIdx.y; b < s.batch; b += gridDim.y) {
    const float* attention = a.attention + b * s.experts;
    const T* convs = static_cast<const T*>(a.convs) + b * s.experts * sample;
    T* output = static_cast<T*>(a.output) + b * sample;
    for (int64_t e = (static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x) * N; e < sample;
         e += static_cast<int64_t>(gridDim.x) * kThreads * N) {
      // A sample has fewer than 2^31 elements (checked by the launcher), so 32-bit division does.
      const int at = static_cast<int>(e);
      const int o = kChannelsLast ? at % s.out : at / s.plane;
      const int pixel = kChannelsLast ? at / s.out : at - o * s.plane;
      const int64_t first = kChannelsLast ? static_cast<int64_t>(pixel) * s.experts * s.out + s.ConvChannel(o)
                                          : static_cast<int64_t>(s.ConvChannel(o)) * s.plane + pixel;
      const int64_t step = kChannelsLast ? s.out_per_group : static_cast<int64_t>(s.out_per_group) * s.plane;
      float sums[N] = {};
      for (int k = 0; k < s.experts; ++k) {
        const float weight = attention[k];
        const Vec<T, N> values = Load<T, N>(convs + first + k * step);
#pragma unroll
        for (int j = 0; j < N; ++j) {
          float value = ToFloat(values.at[j]);
          if (bias != nullptr) value += ToFloat(bias[k * s.out + o + (kChannelsLast ? j : 0)]);
          sums[j] += weight * value;
        }
      }
      Vec<T, N> result;
#pragma unroll
      for (int j = 0; j < N; ++j) result.at[j] = FromFloat<T>(sums[j]);
      Store<T, N>(output + e, result);
    }
  }
}

// ---- Backward: the gradient is read once a chunk of experts, scaled, and multiplied with the outputs
// ---------------

// What one vector of N gradients gives for experts [first, first + kChunk).
template <class T, int N, int kChunk>
__device__ __forceinline__ void ScaleAndMultiply(const Vec<T, N>& grad, const T* convs, T* grad_convs,
                                                 int64_t step, const float* attention, int count,
                                                 float (&dots)[kChunk]) {
#pragma unroll
  for (int c = 0; c < kChunk; ++c) {
    if (c >= count) break;
    const Vec<T, N> values = Load<T, N>(convs + c * step);
    Vec<T, N> scaled;
#pragma unroll
    for (int j = 0; j < N; ++j) {
      const float g = ToFloat(grad.at[j]);
      dots[c] += g * ToFloat(values.at[j]);
      scaled.at[j] = FromFloat<T>(attention[c] * g);
    }
    Store<T, N>(grad_convs + c * step, scaled);
  }
}

// partials[chunk of experts] = sum of dots over the block.
template <int kChunk>
__device__ void SumOverBlock(const float (&dots)[kChunk], int count, float* by_warp, float* partials) {
  const int thread = threadIdx.y * blockDim.x + threadIdx.x;
  const int warp = thread / kWarpSize, lane = thread % kWarpSize;
#pragma unroll
  for (int c = 0; c < kChunk; ++c) {
    const float sum = WarpSum(dots[c]);
    if (lane == 0) by_warp[warp * kChunk + c] = sum;
  }
  __syncthreads();
  if (thread < count) {
    float sum = 0;
    for (int w = 0; w < kWarps; ++w) sum += by_warp[w * kChunk + thread];
    partials[thread] = sum;
  }
  __syncthreads();
}

// Contiguous images: a warp takes planes, one after the other.
template <class T, int N, int kChunk>
__global__ void __launch_bounds__(kThreads, 3)
    PlanesBackwardKernel(MixArgs a, Sizes s, int planes_per_block) {
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  const int64_t sample = static_cast<int64_t>(s.out) * s.plane;
  const int64_t step = static_cast<int64_t>(s.out_per_group) * s.plane;
  const int first = blockIdx.x * planes_per_block, last = min(first + planes_per_block, s.out);
  for (int64_t b = blockIdx.y; b < s.batch; b += gridDim.y) {
    const T* grads = static_cast<const T*>(a.grad_output) + b * sample;
    for (int k = 0; k < s.experts; k += kChunk) {
      const int count = min(kChunk, s.experts - k);
      const float* attention = a.attention + b * s.experts + k;
      float dots[kChunk] = {};
      for (int o = first + warp; o < last; o += kWarps) {
        const int64_t at =
            b * s.experts * sample + k * step + static_cast<int64_t>(s.ConvChannel(o)) * s.plane;
        const T* convs = static_cast<const T*>(a.convs) + at;
        T* grad_convs = static_cast<T*>(a.grad_convs) + at;
        const T* plane = grads + static_cast<int64_t>(o) * s.plane;
        float sum = 0;
        for (int p = lane * N; p < s.plane; p += kWarpSize * N) {
          const Vec<T, N> grad = Load<T, N>(plane + p);
#pragma unroll
          for (int j = 0; j < N; ++j) sum += ToFloat(grad.at[j]);
          ScaleAndMultiply<T, N, kChunk>(grad, convs + p, grad_convs + p, step, attention, count, dots);
        }
        sum = WarpSum(sum);
        if (lane == 0 && k == 0) a.sums[b * s.out + o] = sum;
      }
      SumOverBlock(dots, count, Shared<float>(), a.partials + (b * gridDim.x + blockIdx.x) * s.experts + k);
    }
  }
}

// channels_last images: a warp takes 32 N neighboring channels of a pixel, the warps of a block share the
// pixels.
template <class T, int N, int kChunk>
__global__ void __launch_bounds__(kThreads, 3) PixelsBackwardKernel(MixArgs a, Sizes s) {
  const int o = (blockIdx.x * kWarpSize + threadIdx.x) * N;
  const bool inside = o < s.out;
  const int64_t sample = static_cast<int64_t>(s.out) * s.plane;
  float* by_warp = Shared<float>();
  float* by_channel = by_warp + kWarps * kChunk;  // [kWarps, 32 N]
  for (int64_t b = blockIdx.y; b < s.batch; b += gridDim.y) {
    for (int k = 0; k < s.experts; k += kChunk) {
      const int count = min(kChunk, s.experts - k);
      const float* attention = a.attention + b * s.experts + k;
      float dots[kChunk] = {}, sums[N] = {};
      for (int p = threadIdx.y; inside && p < s.plane; p += kWarps) {
        const Vec<T, N> grad = Load<T, N>(static_cast<const T*>(a.grad_output) + b * sample +
                                          static_cast<int64_t>(p) * s.out + o);
#pragma unroll
        for (int j = 0; j < N; ++j) sums[j] += ToFloat(grad.at[j]);
        const int64_t at = (b * s.plane + p) * s.experts * s.out + s.ConvChannel(o) + k * s.out_per_group;
        ScaleAndMultiply<T, N, kChunk>(grad, static_cast<const T*>(a.convs) + at,
                                       static_cast<T*>(a.grad_convs) + at, s.out_per_group, attention, count,
                                       dots);
      }
      for (int j = 0; j < N; ++j) by_channel[(threadIdx.y * kWarpSize + threadIdx.x) * N + j] = sums[j];
      SumOverBlock(dots, count, by_warp, a.partials + (b * gridDim.x + blockIdx.x) * s.experts + k);
      if (k == 0 && inside && threadIdx.y == 0) {
        for (int j = 0; j < N; ++j) {
          float sum = 0;
          for (int w = 0; w < kWarps; ++w) sum += by_channel[(w * kWarpSize + threadIdx.x) * N + j];
          a.sums[b * s.out + o + j] = sum;
        }
      }
      __syncthreads();
    }
  }
}

// ---- Launchers
// -----------------------------------------------------------------------------------------------------

void CheckSizes(const MixArgs& a) {
  if (a.out_channels() * a.plane >= int64_t{1} << 31) {
    throw std::runtime_error("CUDA: an image of 2^31 elements is too large to be mixed");
  }
}

// How many neighboring elements a thread may take: 16 bytes of a contiguous plane; of channels, 8 bytes, and
// few enough that a warp still finds 32 of them.
template <class T>
int Width(const MixArgs& a, bool backward) {
  const void* const pointers[] = {a.convs, a.output, a.grad_output, a.grad_convs};
  const auto fits = [&](int n) {
    const int64_t run = a.channels_last ? a.out_per_group : a.plane;
    if (run % n != 0) return false;
    for (const void* pointer : pointers) {
      if (!Aligned(pointer, n * sizeof(T))) return false;
    }
    return !(backward && a.channels_last) || a.out_channels() / n >= kWarpSize;
  };
  if (!a.channels_last) return fits(16 / sizeof(T)) ? 16 / sizeof(T) : 1;
  return fits(4) ? 4 : fits(2) ? 2 : 1;
}

int PlanesPerBlock(const MixArgs& a) {
  // Small planes do not cost a block each.
  const int64_t planes = DivideUp(a.splits.backward_pixels, a.plane > 0 ? a.plane : 1);
  return static_cast<int>(kWarps * (planes < 16 ? planes : 16));
}

template <class T>
int64_t SlicesOf(const MixArgs& a) {
  if (a.channels_last) return DivideUp(a.out_channels(), static_cast<int64_t>(kWarpSize) * Width<T>(a, true));
  return DivideUp(a.out_channels(), PlanesPerBlock(a));
}

dim3 GridOver(int64_t blocks, int64_t batch) {
  return dim3{GridSize(blocks), static_cast<unsigned>(batch < kMaxGridY ? batch : kMaxGridY)};
}

template <class T, int N>
void ForwardWith(const MixArgs& a, Stream stream) {
  const int64_t blocks = DivideUp(a.out_channels() * a.plane, static_cast<int64_t>(kThreads) * N);
  const int64_t most = a.splits.forward_blocks;
  const dim3 grid = GridOver(blocks < most ? blocks : most, a.batch);
  const auto kernel = a.channels_last ? ForwardKernel<T, N, true> : ForwardKernel<T, N, false>;
  Launch(kernel, grid, dim3{kThreads}, 0, stream, a, Sizes(a));
}

template <class T, int N, int kChunk>
void BackwardWith(const MixArgs& a, Stream stream) {
  const dim3 grid = GridOver(SlicesOf<T>(a), a.batch);
  if (a.channels_last) {
    constexpr size_t kShared = (kWarps * kChunk + kThreads * N) * sizeof(float);
    Launch(PixelsBackwardKernel<T, N, kChunk>, grid, dim3{kWarpSize, kWarps}, kShared, stream, a, Sizes(a));
  } else {
    Launch(PlanesBackwardKernel<T, N, kChunk>, grid, dim3{kThreads}, kWarps * kChunk * sizeof(float), stream,
           a, Sizes(a), PlanesPerBlock(a));
  }
}

template <class T, int N>
void BackwardChunked(const MixArgs& a, Stream stream) {
  a.experts <= 2 ? BackwardWith<T, N, 2>(a, stream) : BackwardWith<T, N, 4>(a, stream);
}

}  // namespace

int64_t MixSlices(const MixArgs& a) {
  int64_t slices = 0;
  WithElement(a.element, [&](auto* type) { slices = SlicesOf<std::remove_pointer_t<decltype(type)>>(a); });
  return slices;
}

void MixForward(const MixArgs& a, Stream stream) {
  if (a.batch == 0) return;
  CheckSizes(a);
  WithElement(a.element, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const int width = Width<T>(a, false);
    if (width == 16 / sizeof(T)) return ForwardWith<T, 16 / sizeof(T)>(a, stream);
    if (width == 4) return ForwardWith<T, 4>(a, stream);
    if (width == 2) return ForwardWith<T, 2>(a, stream);
    ForwardWith<T, 1>(a, stream);
  });
}

void MixBackward(const MixArgs& a, Stream stream) {
  CheckSizes(a);
  WithElement(a.element, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    const int width = Width<T>(a, true);
    if (a.batch > 0) {
      if (width == 16 / sizeof(T)) {
        BackwardChunked<T, 16 / sizeof(T)>(a, stream);
      } else if (width == 4) {
        BackwardChunked<T, 4>(a, stream);
      } else if (width == 2) {
        BackwardChunked<T, 2>(a, stream);
      } else {
        BackwardChunked<T, 1>(a, stream);
      }
    }
    FinishSums<T>(a, a.out_channels(), SlicesOf<T>(a), stream);
  });
}

}  // namespace dyconv::kernels::cuda
