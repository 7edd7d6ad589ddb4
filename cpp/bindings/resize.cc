// Resizing, sampling on a grid, rearranging pixels and channels.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "ops/checked_size.h"
#include "ops/index_checks.h"

namespace dyconv {
namespace {

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

using at::Tensor;

// `size` or `scales` gives the size of the result; scales are also used for the positions of its pixels, as
// in PyTorch.
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

}  // namespace

const OpTable& ResizeOps() {
  static const OpTable table = {
      Bind("interpolate(input, size, scaleFactor, mode, alignCorners, antialias)", Interpolate),
      Bind("gridSample(input, grid, mode, paddingMode, alignCorners)",
           [](const Tensor& x, const Tensor& grid, Sampling mode, GridPadding padding, bool align_corners) {
             // The other implementations check the coordinates.
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
      Bind("channelShuffle(input, groups)",
           [](const Tensor& x, int64_t groups) { return at::channel_shuffle(x, groups); }),
  };
  return table;
}

}  // namespace dyconv
