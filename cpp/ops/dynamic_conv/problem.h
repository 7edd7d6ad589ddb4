// One checked dynamic convolution: what its algorithms are given. Internal to cpp/ops.
#pragma once

#include "ops/dynamic_conv/dynamic_conv.h"

#include "kernels/dispatch.h"

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

// What a backward needs in addition to the saved tensors, as the list of integers that autograd keeps.
std::vector<int64_t> PackGeometry(const DynamicConvOptions& options);
DynamicConvOptions UnpackGeometry(at::IntArrayRef packed);

}  // namespace dyconv
