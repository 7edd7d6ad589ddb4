// Batch normalisation by the statistics of the batch. The planes of one channel usually stay in the L2 cache
// for the three passes over them.
#include "kernels/cpu/vec.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

constexpr int kUnroll = 4;

// The sum of of(x) over all numbers of a channel: float32 within a plane, float64 from plane to plane.
template <typename Of>
DYCONV_INLINE double SumOver(const BatchNormArgs& args, int64_t channel, const Of& of) {
  double sum = 0;
  for (int64_t n = 0; n < args.batch; ++n) {
    const float* x = args.input + (n * args.channels + channel) * args.plane;
    const float* next = x + args.channels * args.plane;
    Vec sums[kUnroll] = {};
    float rest = 0;
    int64_t i = 0;
    for (; i + kUnroll * kLanes <= args.plane; i += kUnroll * kLanes) {
#pragma GCC unroll 4
      for (int v = 0; v < kUnroll; ++v) {
        if (v * kLanes % kLine == 0) __builtin_prefetch(next + i + v * kLanes);
        sums[v] += of(Load(x + i + v * kLanes));
      }
    }
    for (; i + kLanes <= args.plane; i += kLanes) {
      __builtin_prefetch(next + i);
      sums[0] += of(Load(x + i));
    }
    for (; i < args.plane; ++i) rest += of(x[i]);
    sum += rest + Sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }
  return sum;
}

}  // namespace

void BatchNormForward(const BatchNormArgs& args, int64_t begin, int64_t end) {
  const double count = static_cast<double>(args.batch * args.plane);
  for (int64_t c = begin; c < end; ++c) {
    const float mean =
        static_cast<float>(SumOver(args, c, [](auto x) DYCONV_ALWAYS_INLINE { return x; }) / count);
    const double squares =
        SumOver(args, c, [mean](auto x) DYCONV_ALWAYS_INLINE { return (x - mean) * (x - mean); });
    const double inv_std = 1 / __builtin_sqrt(squares / count + args.eps);
    args.mean[c] = mean;
    args.inv_std[c] = static_cast<float>(inv_std);
    args.variance[c] = static_cast<float>(squares / (count - 1));
    const float scale = static_cast<float>(inv_std) * (args.weight != nullptr ? args.weight[c] : 1.0f);
    const float shift = args.bias != nullptr ? args.bias[c] : 0.0f;
    for (int64_t n = 0; n < args.batch; ++n) {
      const int64_t at = (n * args.channels + c) * args.plane;
      for (int64_t i = 0; i < args.plane; ++i)
        args.output[at + i] = (args.input[at + i] - mean) * scale + shift;
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
