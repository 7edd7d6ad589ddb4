// 1x1 convolutions over planes. Vectors are pixels of one channel, so images are read in place;
// the weights are broadcast.
#include "kernels/pointwise.h"

#include "kernels/cpu/epilogue.h"
#include "kernels/cpu/micro.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

constexpr int64_t kColumns = kMaxVecs * kLanes;

// The vectors of kVecs * kLanes pixels, of which the last has `lanes`.
template <int kVecs>
DYCONV_INLINE void LoadPixels(const float* from, int64_t lanes, Vec (&pixels)[kVecs]) {
#pragma GCC unroll 8
  for (int v = 0; v < kVecs - 1; ++v) pixels[v] = Load(from + v * kLanes);
  const float* last = from + (kVecs - 1) * kLanes;
  pixels[kVecs - 1] = lanes == kLanes ? Load(last) : LoadPart(last, lanes);
}

// kRows rows of the product for kVecs vectors of pixels.
template <int kRows, int kVecs, bool kWhole>
__attribute__((noinline)) void PointwiseTile(const PointwiseArgs& args, const float* weights, int64_t row,
                                             const float* input, float* output, int64_t lanes) {
  Vec acc[kRows][kVecs];
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
    const Vec bias = Set1(args.bias != nullptr ? args.bias[row + m] : 0.0f);
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) acc[m][v] = bias;
  }
  const int64_t last = kWhole ? kLanes : lanes;
  for (int64_t d = 0; d < args.depth; ++d, input += args.plane, weights += kRows) {
    Vec pixels[kVecs];
    LoadPixels(input, last, pixels);
#pragma GCC unroll 8
    for (int m = 0; m < kRows; ++m) {
      const Vec w = Set1(weights[m]);
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) acc[m][v] += w * pixels[v];
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
    float* to = output + (row + m) * args.plane;
#pragma GCC unroll 8
    for (int v = 0; v < kVecs - 1; ++v) Store(to + v * kLanes, acc[m][v]);
    float* end = to + (kVecs - 1) * kLanes;
    last == kLanes ? Store(end, acc[m][kVecs - 1]) : StorePart(end, acc[m][kVecs - 1], last);
  }
}

// Accumulators of a tile of the weight gradient: kGradRows x kTileDepth vectors of partial sums.
constexpr int kTileDepth = 4;
#if defined(__AVX512F__) || defined(__aarch64__)
constexpr int kGradRows = 4;
#else
constexpr int kGradRows = 2;
#endif
constexpr int kSums = kGradRows * kTileDepth;
static_assert(kSums % kLanes == 0);

// Floats of images and gradients that stay in the L2 cache of a thread while it multiplies them.
constexpr int64_t kCachedFloats = 3 << 16;

// Pixels [first, last) of one sample.
struct Pixels {
  const float *rows, *columns;
  int64_t count;
};

// sums[m, n] += the products of kR rows and kC columns, over the given pixels.
template <int kR, int kC>
DYCONV_INLINE void DotTile(const Pixels& pixels, int64_t plane, Vec (&acc)[kGradRows][kTileDepth]) {
  const auto step = [&](int64_t p, int64_t lanes, auto whole) DYCONV_ALWAYS_INLINE {
    const auto at = [&](const float* from) DYCONV_ALWAYS_INLINE {
      if constexpr (whole()) return Load(from);
      return LoadPart(from, lanes);
    };
    Vec g[kR];
#pragma GCC unroll 8
    for (int m = 0; m < kR; ++m) g[m] = at(pixels.rows + m * plane + p);
#pragma GCC unroll 8
    for (int n = 0; n < kC; ++n) {
      const Vec x = at(pixels.columns + n * plane + p);
#pragma GCC unroll 8
      for (int m = 0; m < kR; ++m) acc[m][n] += g[m] * x;
    }
  };
  int64_t p = 0;
  for (; p + kLanes <= pixels.count; p += kLanes) step(p, kLanes, std::true_type());
  if (p < pixels.count) step(p, pixels.count - p, std::false_type());
}

// One tile of the weight gradient, for kR <= kGradRows rows and kC <= kTileDepth columns:
// `for_each_sample` calls its argument with the Pixels of every sample of a chunk.
template <int kR, int kC, typename ForEachSample>
__attribute__((noinline)) void GradTile(const PointwiseGradArgs& args, const ForEachSample& for_each_sample,
                                        float* sums) {
  Vec acc[kGradRows][kTileDepth] = {};
  for_each_sample([&](const Pixels& pixels)
                      DYCONV_ALWAYS_INLINE { DotTile<kR, kC>(pixels, args.plane, acc); });
  float flat[kSums];
  for (int i = 0; i < kSums; i += kLanes) Store(flat + i, SumEach(&acc[0][0] + i));
  for (int m = 0; m < kR; ++m) {
    for (int n = 0; n < kC; ++n) sums[m * args.depth + n] += flat[m * kTileDepth + n];
  }
}

}  // namespace

int64_t PointwiseBlocks(const PointwiseArgs& args) { return args.batch * CeilDiv(args.plane, kColumns); }

void PackPointwise(const PointwiseArgs& args, const float* weight, bool transposed, float* packed) {
  ForEachRegisterTile(args.rows, [&](auto rows, int64_t first) {
    float* to = packed + first * args.depth;
    for (int64_t d = 0; d < args.depth; ++d) {
      for (int64_t m = first; m < first + rows(); ++m)
        *to++ = transposed ? weight[d * args.rows + m] : weight[m * args.depth + d];
    }
  });
}

void Pointwise(const PointwiseArgs& args, int64_t begin, int64_t end) {
  const int64_t blocks = CeilDiv(args.plane, kColumns);
  for (int64_t block = begin; block < end; ++block) {
    const int64_t sample = block / blocks, pixel = block % blocks * kColumns;
    const int64_t columns = Min(kColumns, args.plane - pixel), vecs = CeilDiv(columns, kLanes);
    const float* input = args.input + sample * args.depth * args.plane + pixel;
    float* output = args.output + sample * args.rows * args.plane + pixel;
    const int64_t lanes = columns - (vecs - 1) * kLanes;
    WithConstant<kMaxVecs>(vecs, [&](auto v) {
      ForEachRegisterTile(args.rows, [&](auto rows, int64_t first) {
        const float* weights = args.packed + first * args.depth;
        if (lanes == kLanes) {
          PointwiseTile<rows(), v(), true>(args, weights, first, input, output, lanes);
        } else {
          PointwiseTile<rows(), v(), false>(args, weights, first, input, output, lanes);
        }
      });
    });
  }
}

void PointwiseWeightGrad(const PointwiseGradArgs& args, int64_t begin, int64_t end, float* sums) {
  std::memset(sums, 0, args.rows * args.depth * sizeof(float));
  const int64_t channels = args.rows + args.depth;
  const int64_t cached = Max(1, kCachedFloats / channels);
  const int64_t samples = Max(1, cached / args.plane);
  // Whole vectors.
  const int64_t pixels = samples > 1 ? args.plane : CeilDiv(Min(cached, args.plane), kLanes) * kLanes;
  for (int64_t first = begin; first < end; first += samples) {
    const int64_t last = Min(end, first + samples);
    for (int64_t pixel = 0; pixel < args.plane; pixel += pixels) {
      const int64_t count = Min(pixels, args.plane - pixel);
      for (int64_t r = 0; r < args.rows; r += kGradRows) {
        WithConstant<kGradRows>(Min(kGradRows, args.rows - r), [&](auto rows) {
          for (int64_t d = 0; d < args.depth; d += kTileDepth) {
            const auto for_each_sample = [&](const auto& visit) {
              for (int64_t b = first; b < last; ++b) {
                visit(Pixels{args.grad_output + (b * args.rows + r) * args.plane + pixel,
                             args.input + (b * args.depth + d) * args.plane + pixel, count});
              }
            };
            WithConstant<kTileDepth>(Min(kTileDepth, args.depth - d), [&](auto columns) {
              GradTile<rows(), columns()>(args, for_each_sample, sums + r * args.depth + d);
            });
          }
        });
      }
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
