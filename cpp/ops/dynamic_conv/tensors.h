// What the fused and the depthwise form share: tensors as the kernels want them, threads, and the small
// reductions.
#pragma once

#include <ATen/Parallel.h>

#include "kernels/dispatch.h"
#include "ops/dynamic_conv/fused.h"
#include "ops/memory/scratch.h"

namespace dyconv {

// As contiguous or channels_last float32, or bfloat16 where that may stay.
at::Tensor AsKernelImage(const at::Tensor& tensor, bool keep_bf16 = false);

kernels::ImageStrides StridesOf(const at::Tensor& image);

// float32 contiguous versions of the arguments, which must outlive the kernels' pointers. An input in
// bfloat16 may stay as it is.
struct DynamicConvTensors {
  explicit DynamicConvTensors(const DynamicConvProblem& problem, bool keep_bf16_input = false);

  kernels::DynamicConvArgs KernelArgs(const DynamicConvProblem& problem,
                                      const kernels::DynamicConvPlan& plan) const;

  at::Tensor input, weight, attention, bias;
};

// How many threads a problem is worth: waking a second one costs more than the smallest problems do.
int64_t ThreadsFor(const kernels::DynamicConvShape& shape);

// Runs `body(begin, end, scratch of this thread)` over [0, count) in equal shares, on `threads` threads at
// most.
template <typename Body>
void ParallelScratch(int64_t threads, int64_t count, float* scratch, int64_t floats_per_thread,
                     const Body& body) {
  const int64_t grain = threads == 1 ? count : 1;
  at::parallel_for(0, count, grain, [&](int64_t begin, int64_t end) {
    body(begin, end, scratch + at::get_thread_num() * Scratch::Rounded(floats_per_thread));
  });
}

// [batch, experts] from partial sums of the attention gradient, [threads][batch, experts, lanes], added in a
// fixed order.
at::Tensor AttentionGrad(const kernels::DynamicConvShape& shape, const float* attention_sums, int64_t threads,
                         int64_t lanes);

// What the bias adds to the attention's gradient, and the gradient of the bias itself; `grad_output_sums` is
// [batch, out_channels]. A static convolution has no `attention`.
void FinishGrads(const DynamicConvProblem& problem, const DynamicConvTensors& tensors, at::Tensor attention,
                 const at::Tensor& grad_output_sums, DynamicConvGrads& grads);

}  // namespace dyconv
