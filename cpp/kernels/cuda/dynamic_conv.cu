// Dynamic convolution as products of matrices (input columns gathered on the fly), the sample's kernel mixed
// tile by tile in shared memory. Sums are float32 whatever the images are made of.
#include "finish.cuh"
#include "platform.cuh"

namespace dyconv::kernels::cuda {
namespace {

// ---- Forward and input gradient: [M, R] weights times [R, N] columns
// ------------------------------------------------

constexpr int kTileM = 64, kTileN = 64, kTileR = 16;
constexpr int kPerThread = 4;  // rows, and columns, of a thread's part of a tile
constexpr int kSide = kTileM / kPerThread;
static_assert(kSide * kSide == kThreads && kTileN / kPerThread == kSide);

struct Geometry {
  int batch, in_per_group, out_per_group, in_h, in_w, out_h, out_w, kernel_w, taps, experts, groups;
  int stride_h, stride_w, padding_h, padding_w, dilation_h, dilation_w;

  explicit Geometry(const FusedConvArgs& a)
      : batch(static_cast<int>(a.batch)),
        in_per_group(static_cast<int>(a.in_channels / a.groups)),
        out_per_group(static_cast<int>(a.out_channels / a.groups)),
        in_h(static_cast<int>(a.in_h)),
        in_w(static_cast<int>(a.in_w)),
        out_h(static_cast<int>(a.out_h)),
        out_w(static_cast<int>(a.out_w)),
        kernel_w(static_cast<int>(a.kernel_w)),
        taps(static_cast<int>(a.kernel_h * a.kernel_w)),
        experts(static_cast<int>(a.experts)),
        groups(static_cast<int>(a.groups)),
        stride_h(static_cast<int>(a.stride_h)),
        stride_w(static_cast<int>(a.stride_w)),
        padding_h(static_cast<int>(a.padding_h)),
        padding_w(static_cast<int>(a.padding_w)),
        dilation_h(static_cast<int>(a.dilation_h)),
        dilation_w(static_cast<int>(a.dilation_w)) {}

  __host__ __device__ __forceinline__ int in_plane() const { return in_h * in_w; }
  __host__ __device__ __forceinline__ int out_plane() const { return out_h * out_w; }
  __host__ __device__ __forceinline__ int64_t expert_size() const {
    return static_cast<int64_t>(groups) * out_per_group * in_per_group * taps;
  }

  // The input pixel that output pixel (y, x) meets at a tap, or -1 in the padding.
  __device__ __forceinline__ int InputPixel(int y, int x, int tap) const {
    const int row = y * stride_h - padding_h + tap / kernel_w * dilation_h;
    const int column = x * stride_w - padding_w + tap % kernel_w * dilation_w;
    return row < 0 || row >= in_h || column < 0 || column >= in_w ? -1 : row * in_w + column;
  }
  // The output pixel that input pixel (y, x) takes part in at a tap, or -1 if there is none.
  __device__ __forceinline__ int OutputPixel(int y, int x, int tap) const {
    const int row = y + padding_h - tap / kernel_w * dilation_h;
    const int column = x + padding_w - tap % kernel_w * dilation_w;
    if (row < 0 || column < 0 || row % stride_h != 0 || column % stride_w != 0) return -1;
    const int out_y = row / stride_h, out_x = column / stride_w;
    return out_y >= out_h || out_x >= out_w ? -1 : out_y * out_w + out_x;
  }
};

// weights [kTileR, kTileM]: the experts' tile from row `m` and column `r` on, mixed.
template <class T, bool kGradInput>
__device__ void MixTile(const Geometry& s, const T* weight, const float* attention, int group, int m, int r,
                        float* tile) {
  const int rows = kGradInput ? s.in_per_group : s.out_per_group;
  const int sum_over = (kGradInput ? s.out_per_group : s.in_per_group) * s.taps;
  for (int e = threadIdx.x; e < kTileR * kTileM; e += kThreads) {
    const int row = m + e / kTileR, column = r + e % kTileR;
    float mixed = 0;
    if (row < rows && column < sum_over) {
      const int64_t first = static_cast<int64_t>(group) * s.out_per_group;
      const int64_t at = kGradInput
                             ? ((first + column / s.taps) * s.in_per_group + row) * s.taps + column % s.taps
                             : (first + row) * sum_over + column;
      const T* from = weight + at;
      for (int k = 0; k < s.experts; ++k) mixed += attention[k] * ToFloat(from[k * s.expert_size()]);
    }
    tile[e % kTileR * kTileM + e / kTileR] = mixed;
  }
}

// columns [kTileR, kTileN]: what the pixels from `n` on are multiplied with. `image` is the group's channels.
template <class T, bool kGradInput>
__device__ void GatherTile(const Geometry& s, const T* image, int n, int r, float* tile) {
  const int pixels = kGradInput ? s.in_plane() : s.out_plane();
  const int width = kGradInput ? s.in_w : s.out_w;
  const int plane = kGradInput ? s.out_plane() : s.in_plane();
  const int sum_over = (kGradInput ? s.out_per_group : s.in_per_group) * s.taps;
  for (int e = threadIdx.x; e < kTileR * kTileN; e += kThreads) {
    const int pixel = n + e % kTileN, column = r + e / kTileN;
    float value = 0;
    if (pixel < pixels && column < sum_over) {
      const int tap = column % s.taps, y = pixel / width, x = pixel % width;
      const int at = kGradInput ? s.OutputPixel(y, x, tap) : s.InputPixel(y, x, tap);
      if (at >= 0) value = ToFloat(image[static_cast<int64_t>(column / s.taps) * plane + at]);
    }
    tile[e] = value;
  }
}

template <class T, bool kGradInput>
__global__ void __launch_bounds__(kThreads, 2) ProductKernel(FusedConvArgs a, Geometry s) {
  float* weights = Shared<float>();              // [kTileR, kTileM]
  float* columns = weights + kTileR * kTileM;    // [kTileR, kTileN]
  float* attention = columns + kTileR * kTileN;  // [K]
  const int rows = kGradInput ? s.in_per_group : s.out_per_group;
  const int other_rows = kGradInput ? s.out_per_group : s.in_per_group;
  const int pixels = kGradInput ? s.in_plane() : s.out_plane();
  const int other_pixels = kGradInput ? s.out_plane() : s.in_plane();
  const int tiles = (rows + kTileM - 1) / kTileM;
  const int group = blockIdx.y / tiles, m = blockIdx.y % tiles * kTileM, n = blockIdx.x * kTileN;
  const int row = threadIdx.x / kSide * kPerThread, column = threadIdx.x % kSide * kPerThread;
  const T* images = static_cast<const T*>(kGradInput ? a.grad_output : a.input);
  T* results = static_cast<T*>(kGradInput ? a.grad_input : a.output);
  const T* bias = kGradInput ? nullptr : static_cast<const T*>(a.bias);

  for (int b = blockIdx.z; b < s.batch; b += gridDim.z) {
    for (int k = threadIdx.x; k < s.experts; k += kThreads) attention[k] = a.attention[b * s.experts + k];
    __syncthreads();
    const int64_t place = static_cast<int64_t>(b) * s.groups + group;
    const T* image = images + place * other_rows * other_pixels;
    float sums[kPerThread][kPerThread] = {};
    for (int r = 0; r < other_rows * s.taps; r += kTileR) {
      MixTile<T, kGradInput>(s, static_cast<const T*>(a.weight), attention, group, m, r, weights);
      GatherTile<T, kGradInput>(s, image, n, r, columns);
      __syncthreads();
#pragma unroll
      for (int t = 0; t < kTileR; ++t) {
        const auto w = Load<float, kPerThread>(weights + t * kTileM + row);
        const auto c = Load<float, kPerThread>(columns + t * kTileN + column);
#pragma unroll
        for (int i = 0; i < kPerThread; ++i) {
#pragma unroll
          for (int j = 0; j < kPerThread; ++j) sums[i][j] += w.at[i] * c.at[j];
        }
      }
      __syncthreads();
    }
#pragma unroll
    for (int i = 0; i < kPerThread; ++i) {
      const int channel = m + row + i;
      if (channel >= rows) continue;
      float shift = 0;
      if (bias != nullptr) {
        for (int k = 0; k < s.experts; ++k) {
          shift += attention[k] * ToFloat(bias[(k * s.groups + group) * s.out_per_group + channel]);
        }
      }
      T* plane = results + (place * rows + channel) * pixels;
#pragma unroll
      for (int j = 0; j < kPerThread; ++j) {
        const int pixel = n + column + j;
        if (pixel < pixels) plane[pixel] = FromFloat<T>(sums[i][j] + shift);
      }
    }
    __syncthreads();  // the next sample's attention replaces this one's
  }
}

// ---- Weight and attention gradient: one tile of the weights a block, samples in order
// -------------------------------

constexpr int kSquare = 32;                         // output channels, and columns, of a tile
constexpr int kPixels = 32;                         // pixels summed at once
constexpr int kExpertsAtOnce = 8;                   // of which a thread keeps gradients in registers
constexpr int kOwn = kSquare * kSquare / kThreads;  // elements of the tile a thread owns
constexpr int kPitch = kSquare + 1;                 // keeps the lanes of a warp in different banks

// A sample's weight gradient, a tile of it, is in registers only: it goes at once into the gradients of the
// experts and into the sample's attention gradient.
template <class T>
__global__ void __launch_bounds__(kThreads, 2) WeightGradKernel(FusedConvArgs a, Geometry s) {
  float* grads = Shared<float>();               // [kPixels, kPitch]: output channels
  float* columns = grads + kPixels * kPitch;    // [kPixels, kPitch]
  float* by_warp = columns + kPixels * kPitch;  // [kWarps, kExpertsAtOnce]
  const int sum_over = s.in_per_group * s.taps;
  const int tiles_r = (sum_over + kSquare - 1) / kSquare, tiles_o = (s.out_per_group + kSquare - 1) / kSquare;
  const int group = blockIdx.x / (tiles_r * tiles_o);
  const int first_o = blockIdx.x / tiles_r % tiles_o * kSquare, first_r = blockIdx.x % tiles_r * kSquare;
  const int first_k = blockIdx.y * kExpertsAtOnce, count = min(kExpertsAtOnce, s.experts - first_k);
  const int r = threadIdx.x % kSquare, o = threadIdx.x / kSquare;  // and o + 8, o + 16, o + 24
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;

  // Where this thread's elements stand in an expert, or -1 outside.
  int places[kOwn];
  float own_weights[kExpertsAtOnce][kOwn] = {}, own_grads[kExpertsAtOnce][kOwn] = {};
#pragma unroll
  for (int j = 0; j < kOwn; ++j) {
    const int channel = first_o + o + j * (kThreads / kSquare);
    const bool inside = channel < s.out_per_group && first_r + r < sum_over;
    places[j] = inside ? (group * s.out_per_group + channel) * sum_over + first_r + r : -1;
#pragma unroll
    for (int k = 0; k < kExpertsAtOnce; ++k) {
      if (inside && k < count) {
        own_weights[k][j] =
            ToFloat(static_cast<const T*>(a.weight)[(first_k + k) * s.expert_size() + places[j]]);
      }
    }
  }

  for (int b = 0; b < s.batch; ++b) {
    const int64_t place = static_cast<int64_t>(b) * s.groups + group;
    const T* image = static_cast<const T*>(a.input) + place * s.in_per_group * s.in_plane();
    const T* grad = static_cast<const T*>(a.grad_output) + place * s.out_per_group * s.out_plane();
    float sums[kOwn] = {};
    for (int p = 0; p < s.out_plane(); p += kPixels) {
      for (int e = threadIdx.x; e < kPixels * kSquare; e += kThreads) {
        const int pixel = p + e % kPixels, n = e / kPixels;
        const bool inside = pixel < s.out_plane();
        float g = 0, c = 0;
        if (inside && first_o + n < s.out_per_group) {
          g = ToFloat(grad[static_cast<int64_t>(first_o + n) * s.out_plane() + pixel]);
        }
        if (inside && first_r + n < sum_over) {
          const int at = s.InputPixel(pixel / s.out_w, pixel % s.out_w, (first_r + n) % s.taps);
          if (at >= 0) c = ToFloat(image[static_cast<int64_t>((first_r + n) / s.taps) * s.in_plane() + at]);
        }
        grads[e % kPixels * kPitch + n] = g;
        columns[e % kPixels * kPitch + n] = c;
      }
      __syncthreads();
#pragma unroll 4
      for (int t = 0; t < kPixels; ++t) {
        const float c = columns[t * kPitch + r];
#pragma unroll
        for (int j = 0; j < kOwn; ++j) sums[j] += grads[t * kPitch + o + j * (kThreads / kSquare)] * c;
      }
      __syncthreads();
    }
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
      if (lane == 0) by_warp[warp * kExpertsAtOnce + k] = dot;
    }
    __syncthreads();
    if (static_cast<int>(threadIdx.x) < count) {
      float dot = 0;
      for (int w = 0; w < kWarps; ++w) dot += by_warp[w * kExpertsAtOnce + threadIdx.x];
      a.partials[(static_cast<int64_t>(b) * gridDim.x + blockIdx.x) * s.experts + first_k + threadIdx.x] =
          dot;
    }
    // The barriers of the next sample's pixels keep by_warp until it has been read.
  }
#pragma unroll
  for (int k = 0; k < kExpertsAtOnce; ++k) {
#pragma unroll
    for (int j = 0; j < kOwn; ++j) {
      if (k < count && places[j] >= 0)
        a.grad_weight[(first_k + k) * s.expert_size() + places[j]] = own_grads[k][j];
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

template <class T, bool kGradInput>
void LaunchProduct(const FusedConvArgs& a, Stream stream) {
  const Geometry s(a);
  const int64_t rows = kGradInput ? s.in_per_group : s.out_per_group;
  const int64_t pixels = kGradInput ? s.in_plane() : s.out_plane();
  const dim3 grid{GridSize(DivideUp(pixels, kTileN)),
                  static_cast<unsigned>(DivideUp(rows, kTileM) * s.groups),
                  static_cast<unsigned>(a.batch < kMaxGridY ? a.batch : kMaxGridY)};
  const size_t shared = (kTileR * (kTileM + kTileN) + a.experts) * sizeof(float);
  Launch(ProductKernel<T, kGradInput>, grid, dim3{kThreads}, shared, stream, a, s);
}

}  // namespace

int64_t FusedConvTiles(const FusedConvArgs& a) {
  const Geometry s(a);
  return s.groups * DivideUp(s.out_per_group, kSquare) * DivideUp(s.in_per_group * s.taps, kSquare);
}

void FusedConvForward(const FusedConvArgs& a, Stream stream) {
  if (a.batch == 0) return;
  WithElement(a.element,
              [&](auto* type) { LaunchProduct<std::remove_pointer_t<decltype(type)>, false>(a, stream); });
}

void FusedConvBackward(const FusedConvArgs& a, Stream stream) {
  WithElement(a.element, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    if (a.batch > 0) {
      if (a.grad_input != nullptr) LaunchProduct<T, true>(a, stream);
      const int64_t planes = a.batch * a.out_channels;
      Launch(SumPlanesKernel<T>, dim3{GridSize(DivideUp(planes, kWarps))}, dim3{kThreads}, 0, stream,
             static_cast<const T*>(a.grad_output), planes, static_cast<int>(a.out_h * a.out_w), a.sums);
    }
    // Of an empty batch too: the gradients of the weights are then zeros.
    const dim3 grid{GridSize(FusedConvTiles(a)), static_cast<unsigned>(DivideUp(a.experts, kExpertsAtOnce))};
    const size_t shared = (2 * kPixels * kPitch + kWarps * kExpertsAtOnce) * sizeof(float);
    Launch(WeightGradKernel<T>, grid, dim3{kThreads}, shared, stream, a, Geometry(a));
    FinishSums<T>({.batch = a.batch,
                   .experts = a.experts,
                   .out_channels = a.out_channels,
                   .slices = FusedConvTiles(a),
                   .attention = a.attention,
                   .bias = a.bias,
                   .sums = a.sums,
                   .partials = a.partials,
                   .grad_attention = a.grad_attention,
                   .grad_bias = a.grad_bias},
                  stream);
  });
}

}  // namespace dyconv::kernels::cuda
