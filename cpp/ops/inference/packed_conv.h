// What the operations with packed weights share: sizes, and runs of the kernels on all threads. Internal to
// cpp/ops/inference.
#pragma once

#include "kernels/dispatch.h"
#include "ops/inference/fused_conv.h"

namespace dyconv {

// The sizes of a convolution without groups from those of its weight, [O, I, kh, kw] or [O, I]; the image may
// be left out where only the weight counts.
kernels::DynamicConvShape PackedShape(const std::vector<int64_t>& size, int64_t batch = 1,
                                      const Pair& image = {1, 1});

// Those of an input with this number of channels, which is checked: of that dtype on the CPU, of sizes that
// fit.
kernels::DynamicConvShape PackedShape(const at::Tensor& input, const std::vector<int64_t>& size,
                                      int64_t channels, const Pair& stride, const Pair& padding,
                                      const Pair& dilation, at::ScalarType dtype = at::kFloat);

// A residual in the memory layout of the output. Throws a ShapeError for other sizes.
OptionalTensor AsResidual(const OptionalTensor& residual, const at::Tensor& output);

// Throw a ShapeError: files may claim sizes that the tensors in them do not have.
void RequirePacked(const at::Tensor& packed, int64_t floats);
void RequireExpertBias(const OptionalTensor& bias, int64_t experts, int64_t channels);

// The bias of every sample, [batch, PackedBias(channels)], from those of the experts, [K, channels] or none.
at::Tensor MixBias(const OptionalTensor& bias, const at::Tensor& attention, int64_t channels);

kernels::ImageStrides ChannelsLastStrides(int64_t channels, int64_t plane);

// Whether Winograd's form with packed weights is faster.
bool WinogradPays(const kernels::DynamicConvShape& shape, const Pair& tile);

// Plans and computes a convolution whose other arguments are set.
void RunDirect(kernels::NhwcConvArgs& args, const at::Tensor& packed, bool channels_last);
// The same; false where a number was not finite, which Winograd's algorithm spreads over a tile.
bool RunWinograd(kernels::DynamicConvArgs& args, const at::Tensor& packed, const Pair& tile);

}  // namespace dyconv
