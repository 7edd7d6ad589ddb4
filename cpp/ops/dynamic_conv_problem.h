// One checked dynamic convolution, and the algorithms that can compute it. Internal to cpp/ops.
#pragma once

#include "dynamic_conv.h"

#include "../kernels/dispatch.h"

namespace dyconv {

// Sizes, dtypes and devices agree with the contract in dynamic_conv.h.
struct DynamicConvProblem {
  at::Tensor input;
  at::Tensor weight;
  at::Tensor attention;  // undefined: a static convolution (conv2d.cc), which only the fused kernels know
  std::optional<at::Tensor> bias;
  DynamicConvOptions options;
  kernels::DynamicConvShape shape;
  kernels::Isa isa = kernels::BestIsa();
  kernels::WinogradTile tile = {};  // of Winograd's form; 0 is the cheapest (winograd_cost.h)

  bool on_cpu() const { return input.device().is_cpu(); }
  bool is_static() const { return !attention.defined(); }
  bool is(at::ScalarType dtype) const { return input.scalar_type() == dtype; }
};

// Checks the whole contract.
DynamicConvProblem MakeDynamicConvProblem(const at::Tensor& input, const at::Tensor& weight,
                                          const at::Tensor& attention, const std::optional<at::Tensor>& bias,
                                          const DynamicConvOptions& options);

// The sizes of an input [B, I, H, W] and experts [K, O, I / groups, kh, kw] that fit together, reduced
// (window.h); out_h or out_w is 0 where the kernel does not fit in.
kernels::DynamicConvShape ShapeOf(const at::Tensor& input, const at::Tensor& weight,
                                  const DynamicConvOptions& options);

// Whether the kernels of kernels/cpu can compute in such sizes.
bool FitsKernels(const kernels::DynamicConvShape& shape);

// What a backward needs beside the saved tensors, as the list of integers that autograd keeps.
std::vector<int64_t> PackGeometry(const DynamicConvOptions& options);
DynamicConvOptions UnpackGeometry(at::IntArrayRef packed);

// Gradients for {input, weight, attention, bias} that are differentiable themselves: from the composed form
// below. Undefined where needs[i] is false.
std::vector<at::Tensor> DifferentiableGrads(const DynamicConvProblem& problem, const at::Tensor& grad_output,
                                            const std::array<bool, 4>& needs);

// Composed of ATen ops: autograd of any order, any device.
at::Tensor DynamicConvMixOnceComposed(const DynamicConvProblem& problem);
at::Tensor DynamicConvMixAfter(const DynamicConvProblem& problem);
at::Tensor DynamicConvGrouped(const DynamicConvProblem& problem);

// The kernels of kernels/cpu: experts are mixed tile by tile inside the product.
at::Tensor DynamicConvFused(const DynamicConvProblem& problem);
at::Tensor DynamicConvWinograd(const DynamicConvProblem& problem);
at::Tensor DynamicConvWinogradForward(const DynamicConvProblem& problem);
at::Tensor DynamicConvDepthwise(const DynamicConvProblem& problem);

// One sample: kernels/cpu mixes its kernel where it can, the composed form elsewhere.
at::Tensor DynamicConvMixOnce(const DynamicConvProblem& problem);

// The naive loops of kernels/ref in float64, whatever the dtype and device of the arguments.
at::Tensor DynamicConvReference(const DynamicConvProblem& problem);

}  // namespace dyconv
