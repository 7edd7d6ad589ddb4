// Shared by the fused and the depthwise form: conversion of tensors for the kernels, numbers of threads, and
// small reductions.
#pragma once

#include <ATen/Parallel.h>

#include "kernels/dispatch.h"
#include "ops/dynamic_conv/fused.h"
#include "ops/memory/scratch.h"

namespace dyconv {

// As contiguous or channels_last float32, or bfloat16 if that is allowed.
at::Tensor AsKernelImage(const at::Tensor& tensor, bool keep_bf16 = false);

kernels::ImageStrides StridesOf(const at::Tensor& image);

// float32 contiguous versions of the arguments, which must outlive the kernels' pointers. A bfloat16 input
// may be kept.
struct DynamicConvTensors {
  explicit DynamicConvTensors(const DynamicConvProblem& problem, bool keep_bf16_input = false);

  kernels::DynamicConvArgs KernelArgs(const DynamicConvProblem& problem,
                                      const kernels::DynamicConvPlan& plan) const;

  at::Tensor input, weight, attention, bias;
};

// The number of threads for a problem: for the smallest problems, starting a second one costs more than it
// saves.
int64_t ThreadsFor(const kernels::DynamicConvShape& shape);

// Runs `body(begin, end, scratch of this thread)` on [0, count) in equal parts, on at most `threads` threads.
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

// The contribution of the bias to the attention's gradient, and the gradient of the bias; `grad_output_sums`
// is [batch, out_channels]. A static convolution has no `attention`.
void FinishGrads(const DynamicConvProblem& problem, const DynamicConvTensors& tensors, at::Tensor attention,
                 const at::Tensor& grad_output_sums, DynamicConvGrads& grads);

}  // namespace dyconv
