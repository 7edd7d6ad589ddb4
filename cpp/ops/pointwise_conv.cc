#include "ops/pointwise_conv.h"

#include <algorithm>

#include <ATen/ops/empty.h>
#include <ATen/ops/sum.h>
#include <ATen/Parallel.h>

#include "ops/dynamic_conv/tensors.h"
#include "ops/memory/scratch.h"

namespace dyconv {
namespace {

// Smaller planes leave most lanes of a vector empty.
constexpr int64_t kSmallestPlane = 16;

kernels::PointwiseArgs ForwardArgs(const kernels::DynamicConvShape& s) {
  kernels::PointwiseArgs args;
  args.batch = s.batch, args.rows = s.out_channels, args.depth = s.in_channels, args.plane = s.in_plane();
  return args;
}

// Packs the weight, and multiplies all blocks.
void MultiplyBlocks(kernels::PointwiseArgs args, const float* weight, bool transposed, int64_t threads) {
  const auto& table = kernels::BestKernels();
  Scratch scratch(Scratch::Rounded(args.rows * args.depth));
  float* packed = scratch.Take(args.rows * args.depth);
  table.PackPointwise(args, weight, transposed, packed);
  args.packed = packed;
  const int64_t blocks = table.PointwiseBlocks(args);
  at::parallel_for(0, blocks, threads == 1 ? blocks : 1,
                   [&](int64_t begin, int64_t end) { table.Pointwise(args, begin, end); });
}

// Every thread sums the gradients of an equal part of the samples; the parts are added in their order.
at::Tensor WeightGrad(const DynamicConvProblem& p, const at::Tensor& input, const at::Tensor& grad_output,
                      int64_t threads) {
  const auto& s = p.shape;
  const int64_t size = s.out_channels * s.in_channels, parts = std::min(threads, s.batch);
  const auto grad = at::empty(p.weight.sizes(), input.options());
  Scratch scratch(Scratch::Rounded((parts - 1) * size));
  float* others = parts > 1 ? scratch.Take((parts - 1) * size) : nullptr;
  float* first = grad.data_ptr<float>();
  kernels::PointwiseGradArgs args;
  args.rows = s.out_channels, args.depth = s.in_channels, args.plane = s.in_plane();
  args.grad_output = grad_output.const_data_ptr<float>(), args.input = input.const_data_ptr<float>();
  at::parallel_for(0, parts, 1, [&](int64_t begin, int64_t end) {
    for (int64_t i = begin; i < end; ++i) {
      kernels::BestKernels().PointwiseWeightGrad(args, i * s.batch / parts, (i + 1) * s.batch / parts,
                                                 i == 0 ? first : others + (i - 1) * size);
    }
  });
  for (int64_t i = 1; i < parts; ++i) {
    const float* from = others + (i - 1) * size;
    for (int64_t j = 0; j < size; ++j) first[j] += from[j];
  }
  return grad;
}

}  // namespace

bool PointwiseConvApplies(const at::Tensor& input, const kernels::DynamicConvShape& s) {
  // The blocks of a sample depend on the instruction set; this is a lower bound.
  constexpr int64_t kBlockPixels = 64;
  const int64_t blocks = s.batch * ((s.in_plane() + kBlockPixels - 1) / kBlockPixels);
  return input.scalar_type() == at::kFloat && input.is_contiguous() && s.groups == 1 &&
         s.kernel_size() == 1 && s.stride_h == 1 && s.stride_w == 1 && s.padding_h == 0 && s.padding_w == 0 &&
         s.in_plane() >= kSmallestPlane && blocks >= ThreadsFor(s);
}

at::Tensor PointwiseConvForward(const DynamicConvProblem& p) {
  const auto& s = p.shape;
  const DynamicConvTensors tensors(p);
  const auto output = at::empty({s.batch, s.out_channels, s.out_h, s.out_w}, tensors.input.options());
  auto args = ForwardArgs(s);
  args.input = tensors.input.const_data_ptr<float>();
  args.bias = tensors.bias.defined() ? tensors.bias.const_data_ptr<float>() : nullptr;
  args.output = output.data_ptr<float>();
  MultiplyBlocks(args, tensors.weight.const_data_ptr<float>(), /*transposed=*/false, ThreadsFor(s));
  return output;
}

PointwiseGrads PointwiseConvBackward(const DynamicConvProblem& p, const at::Tensor& grad_output,
                                     const std::array<bool, 3>& needs) {
  const auto& s = p.shape;
  const DynamicConvTensors tensors(p);
  const auto gradient = grad_output.to(at::kFloat).contiguous();
  PointwiseGrads grads;
  if (needs[0]) {
    grads.input = at::empty(p.input.sizes(), tensors.input.options());
    auto args = ForwardArgs(s);
    std::swap(args.rows, args.depth);
    args.input = gradient.const_data_ptr<float>();
    args.output = grads.input.data_ptr<float>();
    MultiplyBlocks(args, tensors.weight.const_data_ptr<float>(), /*transposed=*/true, ThreadsFor(s));
  }
  if (needs[1]) grads.weight = WeightGrad(p, tensors.input, gradient, ThreadsFor(s));
  if (needs[2]) grads.bias = gradient.sum({0, 2, 3}).unsqueeze(0);
  return grads;
}

}  // namespace dyconv
