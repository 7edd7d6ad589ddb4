// Convolutions of one and three dimensions, transposed ones, pooling, resizing.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "ops/conv_nd.h"
#include "ops/index_checks.h"
#include "ops/pool.h"

namespace dyconv {
namespace {

using at::Tensor;

enum class Resize { kNearest, kNearestExact, kLinear, kBilinear, kBicubic, kTrilinear };
enum class Sampling : int64_t { kBilinear, kNearest, kBicubic };  // libtorch's numbers

}  // namespace

template <>
inline constexpr auto kNames<Resize> = std::to_array<Named<Resize>>({{"nearest", Resize::kNearest},
                                                                     {"nearestExact", Resize::kNearestExact},
                                                                     {"linear", Resize::kLinear},
                                                                     {"bilinear", Resize::kBilinear},
                                                                     {"bicubic", Resize::kBicubic},
                                                                     {"trilinear", Resize::kTrilinear}});
template <>
inline constexpr auto kNames<Sampling> = std::to_array<Named<Sampling>>(
    {{"bilinear", Sampling::kBilinear}, {"nearest", Sampling::kNearest}, {"bicubic", Sampling::kBicubic}});
template <>
inline constexpr auto kNames<GridPadding> =
    std::to_array<Named<GridPadding>>({{"zeros", GridPadding::kZeros},
                                       {"border", GridPadding::kBorder},
                                       {"reflection", GridPadding::kReflection}});

namespace {

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

Op BindMaxPool(const char* signature) {
  return Bind(signature, [](const Tensor& x, const IntList& kernel, const IntList& stride,
                            const IntList& padding, const IntList& dilation, bool ceil_mode) {
    return MaxPoolNd(x, kernel, stride, padding, dilation, ceil_mode);
  });
}

// `size` or `scales` says how large the result is; scales also say where its pixels lie, as in PyTorch.
Tensor Interpolate(const Tensor& x, const Dims& size, const std::optional<std::vector<double>>& scales,
                   Resize mode, bool align_corners, bool antialias) {
  const at::OptionalIntArrayRef sizes = Over(size);
  std::optional<at::ArrayRef<double>> factors;
  if (scales) factors = at::ArrayRef<double>(*scales);
  const int64_t spatial = x.dim() - 2;
  if (mode == Resize::kNearest) {
    if (spatial == 1) return at::upsample_nearest1d(x, sizes, factors);
    if (spatial == 2) return at::upsample_nearest2d(x, sizes, factors);
    return at::upsample_nearest3d(x, sizes, factors);
  }
  if (mode == Resize::kNearestExact) {
    if (spatial == 1) return at::_upsample_nearest_exact1d(x, sizes, factors);
    if (spatial == 2) return at::_upsample_nearest_exact2d(x, sizes, factors);
    return at::_upsample_nearest_exact3d(x, sizes, factors);
  }
  if (mode == Resize::kLinear) return at::upsample_linear1d(x, sizes, align_corners, factors);
  if (mode == Resize::kTrilinear) return at::upsample_trilinear3d(x, sizes, align_corners, factors);
  if (mode == Resize::kBilinear) {
    return antialias ? at::_upsample_bilinear2d_aa(x, sizes, align_corners, factors)
                     : at::upsample_bilinear2d(x, sizes, align_corners, factors);
  }
  return antialias ? at::_upsample_bicubic2d_aa(x, sizes, align_corners, factors)
                   : at::upsample_bicubic2d(x, sizes, align_corners, factors);
}

OpTable Pooling() {
  return {
      BindMaxPool("maxPool1d(input, kernelSize, stride, padding, dilation, ceilMode)"),
      BindMaxPool("maxPool3d(input, kernelSize, stride, padding, dilation, ceilMode)"),
      Bind("avgPool1d(input, kernelSize, stride, padding, ceilMode, countIncludePad)",
           [](const Tensor& x, const IntList& kernel, const IntList& stride, const IntList& padding,
              bool ceil_mode, bool include_pad) {
             CheckPool(x, kernel, stride, padding);
             return at::avg_pool1d(x, kernel, stride, padding, ceil_mode, include_pad);
           }),
      Bind("avgPool3d(input, kernelSize, stride, padding, ceilMode, countIncludePad, divisorOverride)",
           [](const Tensor& x, const IntList& kernel, const IntList& stride, const IntList& padding,
              bool ceil_mode, bool include_pad, std::optional<int64_t> divisor) {
             CheckPool(x, kernel, stride, padding);
             return at::avg_pool3d(x, kernel, stride, padding, ceil_mode, include_pad, divisor);
           }),
      Bind("adaptiveAvgPool1d(input, outputSize)",
           [](const Tensor& x, const IntList& size) { return at::adaptive_avg_pool1d(x, size); }),
      Bind("adaptiveAvgPool3d(input, outputSize)",
           [](const Tensor& x, const IntList& size) { return at::adaptive_avg_pool3d(x, size); }),
      Bind("adaptiveMaxPool1d(input, outputSize)",
           [](const Tensor& x, const IntList& size) { return at::adaptive_max_pool1d(x, size); }),
      Bind("adaptiveMaxPool2d(input, outputSize)",
           [](const Tensor& x, const IntList& size) { return at::adaptive_max_pool2d(x, size); }),
      Bind("adaptiveMaxPool3d(input, outputSize)",
           [](const Tensor& x, const IntList& size) { return at::adaptive_max_pool3d(x, size); }),
  };
}

OpTable Resizing() {
  return {
      Bind("interpolate(input, size, scaleFactor, mode, alignCorners, antialias)", Interpolate),
      Bind("gridSample(input, grid, mode, paddingMode, alignCorners)",
           [](const Tensor& x, const Tensor& grid, Sampling mode, GridPadding padding, bool align_corners) {
             // The other two ways look where they read.
             const bool trusting = mode == Sampling::kBilinear && x.dim() == 4;
             return at::grid_sampler(x, trusting ? SafeGrid(grid, padding) : grid, static_cast<int64_t>(mode),
                                     static_cast<int64_t>(padding), align_corners);
           }),
      Bind("affineGrid(theta, size, alignCorners)",
           [](const Tensor& theta, const IntList& size, bool align_corners) {
             return at::affine_grid_generator(theta, size, align_corners);
           }),
      Bind("pixelShuffle(input, factor)",
           [](const Tensor& x, int64_t factor) {
             CheckedMultiply(factor, factor, "factor * factor");
             return at::pixel_shuffle(x, factor);
           }),
      Bind("pixelUnshuffle(input, factor)",
           [](const Tensor& x, int64_t factor) {
             CheckedMultiply(factor, factor, "factor * factor");
             return at::pixel_unshuffle(x, factor);
           }),
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
}

}  // namespace

const OpTable& ConvOps() {
  static const OpTable table = [] {
    OpTable ops = {
        BindConv("conv1d(input, weight, bias, stride, padding, dilation, groups)"),
        BindConv("conv3d(input, weight, bias, stride, padding, dilation, groups)"),
        BindTransposed(
            "convTranspose1d(input, weight, bias, stride, padding, outputPadding, groups, dilation)"),
        BindTransposed(
            "convTranspose2d(input, weight, bias, stride, padding, outputPadding, groups, dilation)"),
        BindTransposed(
            "convTranspose3d(input, weight, bias, stride, padding, outputPadding, groups, dilation)"),
    };
    for (Op& op : Pooling()) ops.push_back(std::move(op));
    for (Op& op : Resizing()) ops.push_back(std::move(op));
    return ops;
  }();
  return table;
}

}  // namespace dyconv
