// Routing: pooling, two layers and the softmax of one sample in one block.
#include "kernels/cuda/platform.cuh"

namespace dyconv::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;

// pooled[i] = mean over the plane, for a contiguous image: a warp a plane.
template <class T>
__device__ void PoolPlanes(const T* image, int channels, int plane, float* pooled) {
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  for (int i = warp; i < channels; i += kWarps) {
    float sum = 0;
    for (int p = lane; p < plane; p += kWarpSize) sum += ToFloat(image[static_cast<int64_t>(i) * plane + p]);
    sum = WarpSum(sum);
    if (lane == 0) pooled[i] = sum / plane;
  }
}

// The same for channels_last: neighboring threads take neighboring channels, rows of them share the pixels.
template <class T>
__device__ void PoolPixels(const T* image, int channels, int plane, float* pooled, float* rows_of_sums) {
  int lanes = kThreads;
  while (lanes / 2 >= channels && lanes > kWarpSize) lanes /= 2;
  const int rows = kThreads / lanes, row = threadIdx.x / lanes, lane = threadIdx.x % lanes;
  for (int first = 0; first < channels; first += lanes) {
    const int i = first + lane;
    float sum = 0;
    if (i < channels) {
      for (int p = row; p < plane; p += rows) sum += ToFloat(image[static_cast<int64_t>(p) * channels + i]);
    }
    rows_of_sums[threadIdx.x] = sum;
    __syncthreads();
    if (row == 0 && i < channels) {
      for (int r = 1; r < rows; ++r) sum += rows_of_sums[r * lanes + lane];
      pooled[i] = sum / plane;
    }
    // Several rows only where one round takes all channels: no round overwrites what another still reads.
  }
}

// out[n] = weight[n] . in + bias[n], a warp a row.
__device__ void Layer(const float* weight, const float* bias, const float* in, int size, int outputs,
                      bool relu, float* out) {
  const int warp = threadIdx.x / kWarpSize, lane = threadIdx.x % kWarpSize;
  for (int n = warp; n < outputs; n += kWarps) {
    float sum = 0;
    for (int i = lane; i < size; i += kWarpSize) sum += weight[static_cast<int64_t>(n) * size + i] * in[i];
    sum = WarpSum(sum);
    if (bias != nullptr) sum += bias[n];
    if (lane == 0) out[n] = relu ? fmaxf(sum, 0.0f) : sum;
  }
}

// K is small: one thread is enough.
__device__ void Activate(const float* logits, int experts, float temperature, bool softmax,
                         float* attention) {
  if (!softmax) {
    for (int k = 0; k < experts; ++k) attention[k] = 1 / (1 + expf(-logits[k] / temperature));
    return;
  }
  float most = logits[0];
  for (int k = 1; k < experts; ++k) most = fmaxf(most, logits[k]);
  float sum = 0;
  for (int k = 0; k < experts; ++k) sum += expf((logits[k] - most) / temperature);
  for (int k = 0; k < experts; ++k) attention[k] = expf((logits[k] - most) / temperature) / sum;
}

template <class T>
__global__ void __launch_bounds__(kThreads) ForwardKernel(RoutingArgs a) {
  const int channels = static_cast<int>(a.channels), hidden = static_cast<int>(a.hidden);
  const int experts = static_cast<int>(a.experts), plane = static_cast<int>(a.plane);
  float* pooled = Shared<float>();
  float* units = pooled + channels;
  float* logits = units + hidden;
  float* sums = logits + experts;
  const int64_t b = blockIdx.x;
  const T* image = static_cast<const T*>(a.input) + b * channels * plane;
  if (a.channels_last) {
    PoolPixels(image, channels, plane, pooled, sums);
  } else {
    PoolPlanes(image, channels, plane, pooled);
  }
  __syncthreads();
  Layer(a.w1, a.b1, pooled, channels, hidden, true, units);
  __syncthreads();
  Layer(a.w2, a.b2, units, hidden, experts, false, logits);
  for (int i = threadIdx.x; i < channels; i += kThreads) a.pooled[b * channels + i] = pooled[i];
  for (int h = threadIdx.x; h < hidden; h += kThreads) a.hidden_units[b * hidden + h] = units[h];
  __syncthreads();
  if (threadIdx.x == 0) Activate(logits, experts, *a.temperature, a.softmax, a.attention + b * experts);
}

// Gradients of one sample's logits, hidden units and pixels.
__global__ void __launch_bounds__(kThreads) BackwardKernel(RoutingArgs a) {
  const int channels = static_cast<int>(a.channels), hidden = static_cast<int>(a.hidden);
  const int experts = static_cast<int>(a.experts);
  float* logits = Shared<float>();
  float* units = logits + experts;
  const int64_t b = blockIdx.x;
  if (threadIdx.x == 0) {
    const float* attention = a.attention + b * experts;
    const float* grad = a.grad_attention + b * experts;
    float common = 0;
    for (int k = 0; k < experts; ++k) common += attention[k] * grad[k];
    for (int k = 0; k < experts; ++k) {
      const float slope = a.softmax ? grad[k] - common : (1 - attention[k]) * grad[k];
      logits[k] = attention[k] * slope / *a.temperature;
      a.grad_logits[b * experts + k] = logits[k];
    }
  }
  __syncthreads();
  for (int h = threadIdx.x; h < hidden; h += kThreads) {
    float sum = 0;
    for (int k = 0; k < experts; ++k) sum += logits[k] * a.w2[static_cast<int64_t>(k) * hidden + h];
    units[h] = a.hidden_units[b * hidden + h] > 0 ? sum : 0.0f;
    a.grad_hidden[b * hidden + h] = units[h];
  }
  __syncthreads();
  for (int i = threadIdx.x; i < channels; i += kThreads) {
    float sum = 0;
    for (int h = 0; h < hidden; ++h) sum += units[h] * a.w1[static_cast<int64_t>(h) * channels + i];
    a.grad_pixel[b * channels + i] = sum / static_cast<float>(a.plane);
  }
}

// Weight gradients: a thread an element, samples in order.
__global__ void __launch_bounds__(kThreads) WeightKernel(RoutingArgs a) {
  const int64_t channels = a.channels, hidden = a.hidden, experts = a.experts;
  int64_t n = static_cast<int64_t>(blockIdx.x) * kThreads + threadIdx.x;
  const float *left, *right = nullptr;
  int64_t left_size, right_size = 0;
  float* to;
  if (n < hidden * channels) {
    left = a.grad_hidden + n / channels, left_size = hidden;
    right = a.pooled + n % channels, right_size = channels;
    to = a.grad_w1 + n;
  } else if ((n -= hidden * channels) < experts * hidden) {
    left = a.grad_logits + n / hidden, left_size = experts;
    right = a.hidden_units + n % hidden, right_size = hidden;
    to = a.grad_w2 + n;
  } else if ((n -= experts * hidden) < hidden) {
    left = a.grad_hidden + n, left_size = hidden;
    to = a.grad_b1 == nullptr ? nullptr : a.grad_b1 + n;
  } else if ((n -= hidden) < experts) {
    left = a.grad_logits + n, left_size = experts;
    to = a.grad_b2 == nullptr ? nullptr : a.grad_b2 + n;
  } else {
    return;
  }
  if (to == nullptr) return;
  float sum = 0;
  for (int64_t b = 0; b < a.batch; ++b) {
    sum += left[b * left_size] * (right == nullptr ? 1.0f : right[b * right_size]);
  }
  *to = sum;
}

size_t ForwardShared(const RoutingArgs& a) {
  return (a.channels + a.hidden + a.experts + kThreads) * sizeof(float);
}

}  // namespace

bool RoutingFits(const RoutingArgs& a) {
  constexpr int64_t kMost = int64_t{1} << 31;
  return ForwardShared(a) <= kSharedBytes && a.plane < kMost && a.batch < kMost;
}

void RoutingForward(const RoutingArgs& a, Stream stream) {
  if (a.batch == 0) return;
  WithElement(a.element, [&](auto* type) {
    using T = std::remove_pointer_t<decltype(type)>;
    Launch(ForwardKernel<T>, dim3{GridSize(a.batch)}, dim3{kThreads}, ForwardShared(a), stream, a);
  });
}

void RoutingBackward(const RoutingArgs& a, Stream stream) {
  if (a.batch > 0) {
    Launch(BackwardKernel, dim3{GridSize(a.batch)}, dim3{kThreads}, (a.experts + a.hidden) * sizeof(float),
           stream, a);
  }
  const int64_t elements = a.hidden * a.channels + a.experts * a.hidden + a.hidden + a.experts;
  Launch(WeightKernel, dim3{GridSize(DivideUp(elements, kThreads))}, dim3{kThreads}, 0, stream, a);
}

}  // namespace dyconv::kernels::cuda
