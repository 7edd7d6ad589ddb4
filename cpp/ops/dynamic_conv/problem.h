// A checked dynamic convolution: the argument of its algorithms. Internal to cpp/ops.
#pragma once

#include "ops/dynamic_conv/dynamic_conv.h"

#include "kernels/dispatch.h"
#include "ops/window.h"

namespace dyconv {

// Sizes, dtypes and devices satisfy the contract in dynamic_conv.h.
struct DynamicConvProblem {
  at::Tensor input;
  at::Tensor weight;
  at::Tensor attention;  // undefined: a static convolution (conv2d.cc), not supported by all algorithms
  std::optional<at::Tensor> bias;
  DynamicConvOptions options;
  kernels::DynamicConvShape shape;
  kernels::Isa isa = kernels::BestIsa();
  kernels::WinogradTile tile = {};  // of Winograd's form; 0 chooses the cheapest (winograd_cost.h)

  bool on_cpu() const { return input.device().is_cpu(); }
  bool is_static() const { return !attention.defined(); }
  bool is(at::ScalarType dtype) const { return input.scalar_type() == dtype; }
};

// Checks the whole contract.
DynamicConvProblem MakeDynamicConvProblem(const at::Tensor& input, const at::Tensor& weight,
                                          const at::Tensor& attention, const std::optional<at::Tensor>& bias,
                                          const DynamicConvOptions& options);

// The sizes of an input [B, I, H, W] and experts [K, O, I / groups, kh, kw] that fit together, reduced
// (window.h); out_h or out_w is 0 if the kernel does not fit.
kernels::DynamicConvShape ShapeOf(const at::Tensor& input, const at::Tensor& weight,
                                  const DynamicConvOptions& options);

// Sets strides, padding and dilation, reduced (window.h), and the output size that follows from the image and
// the kernel in `shape`.
void SetWindows(kernels::DynamicConvShape& shape, const Pair& stride, const Pair& padding,
                const Pair& dilation);

// Whether the kernels of kernels/cpu support such sizes.
bool FitsKernels(const kernels::DynamicConvShape& shape);

// What a backward pass needs besides the saved tensors, as the list of integers that autograd stores.
std::vector<int64_t> PackGeometry(const DynamicConvOptions& options);
DynamicConvOptions UnpackGeometry(at::IntArrayRef packed);

}  // namespace dyconv
