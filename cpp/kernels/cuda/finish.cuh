// The second stage of two-stage sums, shared by the backward passes.
#pragma once

#include "kernels/cuda/platform.cuh"

namespace dyconv::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kWarps = kThreads / kWarpSize;

struct FinishArgs {
  int64_t batch;
  int64_t experts;
  int64_t out_channels;
  int64_t slices;
  const float* attention;  // [B, K]
  const void* bias;        // [K, O] or null
  const float* sums;       // [B, O]
  const float* partials;   // [B, slices, K]
  float* grad_attention;   // [B, K]
  float* grad_bias;        // [K, O] or null
};

// The first `attention_blocks` blocks finish the attention's gradient, a warp an element: the partial sums,
// and the bias' share of it. The others take the bias' gradient, a thread an element.
template <class T>
__global__ void __launch_bounds__(kThreads) FinishKernel(FinishArgs a, int attention_blocks) {
  const T* bias = static_cast<const T*>(a.bias);
  if (static_cast<int>(blockIdx.x) < attention_blocks) {
    const int lane = threadIdx.x % kWarpSize;
    const int64_t n = static_cast<int64_t>(blockIdx.x) * kWarps + threadIdx.x / kWarpSize;
    const bool inside = n < a.batch * a.experts;
    const int64_t b = inside ? n / a.experts : 0, k = inside ? n % a.experts : 0;
    float sum = 0;
    for (int64_t i = lane; i < a.slices; i += kWarpSize) {
      sum += a.partials[(b * a.slices + i) * a.experts + k];
    }
    if (bias != nullptr) {
      for (int64_t o = lane; o < a.out_channels; o += kWarpSize) {
        sum += ToFloat(bias[k * a.out_channels + o]) * a.sums[b * a.out_channels + o];
      }
    }
    sum = WarpSum(sum);
    if (inside && lane == 0) a.grad_attention[n] = sum;
    return;
  }
  const int64_t n = static_cast<int64_t>(blockIdx.x - attention_blocks) * kThreads + threadIdx.x;
  if (n >= a.experts * a.out_channels) return;
  const int64_t k = n / a.out_channels, o = n % a.out_channels;
  float sum = 0;
  for (int64_t b = 0; b < a.batch; ++b) {
    sum += a.attention[b * a.experts + k] * a.sums[b * a.out_channels + o];
  }
  a.grad_bias[n] = sum;
}

// `args` are those of the backward pass.
template <class T, class Args>
void FinishSums(const Args& args, int64_t out_channels, int64_t slices, Stream stream) {
  const FinishArgs a{.batch = args.batch,
                     .experts = args.experts,
                     .out_channels = out_channels,
                     .slices = slices,
                     .attention = args.attention,
                     .bias = args.bias,
                     .sums = args.sums,
                     .partials = args.partials,
                     .grad_attention = args.grad_attention,
                     .grad_bias = args.grad_bias};
  const int64_t for_attention = DivideUp(a.batch * a.experts, kWarps);
  const int64_t for_bias = a.grad_bias == nullptr ? 0 : DivideUp(a.experts * a.out_channels, kThreads);
  if (for_attention + for_bias == 0) return;
  Launch(FinishKernel<T>, dim3{GridSize(for_attention + for_bias)}, dim3{kThreads}, 0, stream, a,
         static_cast<int>(for_attention));
}

}  // namespace
}  // namespace dyconv::kernels::cuda
