// Batch normalisation by the statistics of the batch. The planes of one channel usually stay in the L2 cache
// for the three passes over them.
#include "kernels/cpu/vec.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

constexpr int kUnroll = 4;

// The sum of of(x, i) over all numbers x of a channel, `i` their place in the tensor: float32 within a plane,
// float64 from plane to plane. A vector is passed with the place of its first number.
template <typename Args, typename Of>
DYCONV_INLINE double SumOver(const Args& args, int64_t channel, const Of& of) {
  double sum = 0;
  for (int64_t n = 0; n < args.batch; ++n) {
    const int64_t at = (n * args.channels + channel) * args.plane;
    const float* x = args.input + at;
    const float* next = x + args.channels * args.plane;
    Vec sums[kUnroll] = {};
    float rest = 0;
    int64_t i = 0;
    for (; i + kUnroll * kLanes <= args.plane; i += kUnroll * kLanes) {
#pragma GCC unroll 4
      for (int v = 0; v < kUnroll; ++v) {
        const int64_t place = i + v * kLanes;
        if (v * kLanes % kLine == 0) __builtin_prefetch(next + place);
        sums[v] += of(Load(x + place), at + place);
      }
    }
    for (; i + kLanes <= args.plane; i += kLanes) {
      __builtin_prefetch(next + i);
      sums[0] += of(Load(x + i), at + i);
    }
    for (; i < args.plane; ++i) rest += of(x[i], at + i);
    sum += rest + Sum((sums[0] + sums[1]) + (sums[2] + sums[3]));
  }
  return sum;
}

// The number, or vector, of a tensor at a place, as the other factor is.
DYCONV_INLINE float At(const float* values, int64_t place, float) { return values[place]; }
DYCONV_INLINE Vec At(const float* values, int64_t place, Vec) { return Load(values + place); }

// output[i] = of(i) for all places i of a channel.
template <typename Args, typename Of>
DYCONV_INLINE void MapChannel(const Args& args, int64_t channel, const Of& of) {
  for (int64_t n = 0; n < args.batch; ++n) {
    const int64_t at = (n * args.channels + channel) * args.plane;
    for (int64_t i = at; i < at + args.plane; ++i) args.output[i] = of(i);
  }
}

}  // namespace

void BatchNormForward(const BatchNormArgs& args, int64_t begin, int64_t end) {
  const double count = static_cast<double>(args.batch * args.plane);
  for (int64_t c = begin; c < end; ++c) {
    const float mean =
        static_cast<float>(SumOver(args, c, [](auto x, int64_t) DYCONV_ALWAYS_INLINE { return x; }) / count);
    const double squares =
        SumOver(args, c, [mean](auto x, int64_t) DYCONV_ALWAYS_INLINE { return (x - mean) * (x - mean); });
    const double inv_std = 1 / __builtin_sqrt(squares / count + args.eps);
    args.mean[c] = mean;
    args.inv_std[c] = static_cast<float>(inv_std);
    args.variance[c] = static_cast<float>(squares / (count - 1));
    const float scale = static_cast<float>(inv_std) * (args.weight != nullptr ? args.weight[c] : 1.0f);
    const float shift = args.bias != nullptr ? args.bias[c] : 0.0f;
    MapChannel(args, c,
               [&](int64_t i) DYCONV_ALWAYS_INLINE { return (args.input[i] - mean) * scale + shift; });
  }
}

void BatchNormMoments(const SharedBatchNormArgs& args, int64_t begin, int64_t end) {
  const double count = static_cast<double>(args.batch * args.plane);
  for (int64_t c = begin; c < end; ++c) {
    const double mean = SumOver(args, c, [](auto x, int64_t) DYCONV_ALWAYS_INLINE { return x; }) / count;
    const float near = static_cast<float>(mean);
    const double squares =
        SumOver(args, c, [near](auto x, int64_t) DYCONV_ALWAYS_INLINE { return (x - near) * (x - near); });
    args.sums[c] = mean;
    args.sums[args.channels + c] = squares - count * (mean - near) * (mean - near);
  }
}

void BatchNormScale(const SharedBatchNormArgs& args, int64_t begin, int64_t end) {
  for (int64_t c = begin; c < end; ++c) {
    const float mean = args.mean[c], scale = args.scale[c], shift = args.shift[c];
    MapChannel(args, c,
               [&](int64_t i) DYCONV_ALWAYS_INLINE { return (args.input[i] - mean) * scale + shift; });
  }
}

void BatchNormGradientSums(const SharedBatchNormArgs& args, int64_t begin, int64_t end) {
  for (int64_t c = begin; c < end; ++c) {
    const float mean = args.mean[c];
    args.sums[c] =
        SumOver(args, c, [&](auto x, int64_t i) DYCONV_ALWAYS_INLINE { return At(args.gradient, i, x); });
    args.sums[args.channels + c] = SumOver(args, c, [&](auto x, int64_t i) DYCONV_ALWAYS_INLINE {
      return (x - mean) * At(args.gradient, i, x);
    });
  }
}

void BatchNormGradient(const SharedBatchNormArgs& args, int64_t begin, int64_t end) {
  for (int64_t c = begin; c < end; ++c) {
    const float mean = args.mean[c], scale = args.scale[c], shift = args.shift[c], along = args.along[c];
    MapChannel(args, c, [&](int64_t i) DYCONV_ALWAYS_INLINE {
      return (args.gradient[i] - shift - (args.input[i] - mean) * along) * scale;
    });
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
