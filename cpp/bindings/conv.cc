// Convolution, transposed convolution, im2col and col2im.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "napi/choice.h"
#include "ops/conv2d.h"
#include "ops/conv_nd.h"
#include "ops/pool.h"

namespace dyconv {

template <>
inline constexpr auto kNames<Conv2dAlgorithm> =
    std::to_array<Named<Conv2dAlgorithm>>({{"auto", Conv2dAlgorithm::kAuto},
                                           {"winograd", Conv2dAlgorithm::kWinograd},
                                           {"fused", Conv2dAlgorithm::kFused},
                                           {"libtorch", Conv2dAlgorithm::kLibtorch}});

namespace {

using at::Tensor;

Op BindConv(const char* signature) {
  return Bind(signature, [](const Tensor& x, const Tensor& w, const OptionalTensor& b, const IntList& stride,
                            const IntList& padding, const IntList& dilation,
                            int64_t groups) { return ConvNd(x, w, b, stride, padding, dilation, groups); });
}

Op BindTransposed(const char* signature) {
  return Bind(signature, [](const Tensor& x, const Tensor& w, const OptionalTensor& b, const IntList& stride,
                            const IntList& padding, const IntList& output_padding, int64_t groups,
                            const IntList& dilation) {
    return ConvTransposeNd(x, w, b, stride, padding, output_padding, groups, dilation);
  });
}

}  // namespace

const OpTable& ConvOps() {
  static const OpTable table = {
      BindConv("conv1d(input, weight, bias, stride, padding, dilation, groups)"),
      Bind("conv2d(input, weight, bias, stride, padding, dilation, groups, algorithm)",
           [](const Tensor& x, const Tensor& w, const OptionalTensor& b, const Pair& stride,
              const Pair& padding, const Pair& dilation, int64_t groups, Conv2dAlgorithm algorithm) {
             return Conv2d(x, w, b, stride, padding, dilation, groups, algorithm);
           }),
      BindConv("conv3d(input, weight, bias, stride, padding, dilation, groups)"),
      BindTransposed(
          "convTranspose1d(input, weight, bias, stride, padding, outputPadding, groups, dilation)"),
      BindTransposed(
          "convTranspose2d(input, weight, bias, stride, padding, outputPadding, groups, dilation)"),
      BindTransposed(
          "convTranspose3d(input, weight, bias, stride, padding, outputPadding, groups, dilation)"),
      Bind("im2col(input, kernelSize, dilation, padding, stride)",
           [](const Tensor& x, const IntList& kernel, const IntList& dilation, const IntList& padding,
              const IntList& stride) {
             CheckUnfold(x.sizes(), kernel, dilation, padding, stride);
             return at::im2col(x, kernel, dilation, padding, stride);
           }),
      Bind("col2im(input, outputSize, kernelSize, dilation, padding, stride)",
           [](const Tensor& x, const IntList& size, const IntList& kernel, const IntList& dilation,
              const IntList& padding, const IntList& stride) {
             CheckUnfold(size, kernel, dilation, padding, stride);
             return at::col2im(x, size, kernel, dilation, padding, stride);
           }),
  };
  return table;
}

}  // namespace dyconv
