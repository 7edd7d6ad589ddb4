// Batch normalization by the statistics of the batch. The planes of one channel usually stay in the L2 cache
// for the passes over them.
#include "kernels/cpu/epilogue.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

constexpr int kUnroll = 4;
// After this number of vectors, at the end of a plane, float32 sums are added to those in float64.
constexpr int64_t kShortSum = 64 * kUnroll;

// All lanes of a vector, as a constant.
using Full = std::integral_constant<int64_t, kLanes>;

// The first `lanes` floats, and zeros.
DYCONV_INLINE Vec At(const float* from, Full) { return Load(from); }
DYCONV_INLINE Vec At(const float* from, int64_t lanes) { return LoadPart(from, lanes); }
DYCONV_INLINE void Put(float* to, Vec v, Full) { Store(to, v); }
DYCONV_INLINE void Put(float* to, Vec v, int64_t lanes) { StorePart(to, v, lanes); }
DYCONV_INLINE Vec First(Vec v, Full) { return v; }
DYCONV_INLINE Vec First(Vec v, int64_t lanes) {
  float numbers[kLanes];
  Store(numbers, v);
  return LoadPart(numbers, lanes);
}

// Calls visit(place, lanes, v) for vectors that cover a channel of sample n: `place` in the tensor, `v` a
// number below kUnroll that is a constant where vectors are independent.
template <typename Args, typename Visit>
DYCONV_INLINE void ForEachVector(const Args& args, int64_t channel, int64_t n, const Visit& visit) {
  const int64_t at = (n * args.channels + channel) * args.plane;
  const float* next = args.input + at + args.channels * args.plane;
  int64_t i = 0;
  for (; i + kUnroll * kLanes <= args.plane; i += kUnroll * kLanes) {
#pragma GCC unroll 4
    for (int v = 0; v < kUnroll; ++v) {
      if (v * kLanes % kLine == 0) __builtin_prefetch(next + i + v * kLanes);
      visit(at + i + v * kLanes, Full(), v);
    }
  }
  for (; i + kLanes <= args.plane; i += kLanes) {
    __builtin_prefetch(next + i);
    visit(at + i, Full(), 0);
  }
  if (i < args.plane) visit(at + i, args.plane - i, 0);
}

// totals[j] = the sum of terms[j] over all numbers of a channel, for what terms_of(place, lanes, terms)
// makes.
template <int kSums, typename Args, typename TermsOf>
DYCONV_INLINE void SumOver(const Args& args, int64_t channel, double (&totals)[kSums],
                           const TermsOf& terms_of) {
  for (double& total : totals) total = 0;
  Vec sums[kUnroll][kSums] = {};
  int64_t vectors = 0;
  for (int64_t n = 0; n < args.batch; ++n) {
    ForEachVector(args, channel, n, [&](int64_t place, auto lanes, int v) DYCONV_ALWAYS_INLINE {
      Vec terms[kSums];
      terms_of(place, lanes, terms);
#pragma GCC unroll 4
      for (int j = 0; j < kSums; ++j) sums[v][j] += First(terms[j], lanes);
    });
    vectors += CeilDiv(args.plane, kLanes);
    if (vectors < kShortSum && n + 1 < args.batch) continue;
    vectors = 0;
    for (int j = 0; j < kSums; ++j) {
      totals[j] += Sum((sums[0][j] + sums[1][j]) + (sums[2][j] + sums[3][j]));
      for (int v = 0; v < kUnroll; ++v) sums[v][j] = Vec{};
    }
  }
}

// The same for one term.
template <typename Args, typename TermOf>
DYCONV_INLINE double SumOver(const Args& args, int64_t channel, const TermOf& term_of) {
  double total[1];
  SumOver(args, channel, total, [&](int64_t place, auto lanes, Vec(&term)[1]) DYCONV_ALWAYS_INLINE {
    term[0] = term_of(place, lanes);
  });
  return total[0];
}

// output[i] = of(i) for all places i of a channel.
template <typename Args, typename Of>
DYCONV_INLINE void MapChannel(const Args& args, int64_t channel, float* output, const Of& of) {
  for (int64_t n = 0; n < args.batch; ++n) {
    ForEachVector(args, channel, n, [&](int64_t place, auto lanes, int) DYCONV_ALWAYS_INLINE {
      Put(output + place, of(place, lanes), lanes);
    });
  }
}

// The numbers of one channel before the activation: (input - mean) scale + shift + residual.
template <bool kResidual>
struct BeforeActivation {
  const float* input;
  const float* residual;
  float mean, scale, shift;

  DYCONV_INLINE BeforeActivation(const BatchNormArgs& args, int64_t c)
      : input(args.input),
        residual(args.residual),
        mean(args.mean[c]),
        scale(args.inv_std[c] * (args.weight != nullptr ? args.weight[c] : 1.0f)),
        shift(args.bias != nullptr ? args.bias[c] : 0.0f) {}

  template <typename Lanes>
  DYCONV_INLINE Vec operator()(int64_t place, Lanes lanes) const {
    const Vec z = (At(input + place, lanes) - mean) * scale + shift;
    return kResidual ? z + At(residual + place, lanes) : z;
  }
};

// Calls visit(activation, has a residual), both constants.
template <typename Visit>
DYCONV_INLINE void WithEpilogue(const BatchNormArgs& args, const Visit& visit) {
  WithActivation(args.activation, [&](auto activation) DYCONV_ALWAYS_INLINE {
    args.residual != nullptr ? visit(activation, std::true_type()) : visit(activation, std::false_type());
  });
}

// The mean of a channel, and the sum of the squared deviations from it. Float32 sums of numbers far from zero
// are rounded: the deviations from a mean of them give a more exact one.
template <typename Args>
DYCONV_INLINE void Moments(const Args& args, int64_t channel, double count, double& mean, double& squares) {
  const auto x = [&](int64_t place, auto lanes)
                     DYCONV_ALWAYS_INLINE { return At(args.input + place, lanes); };
  const float near = static_cast<float>(SumOver(args, channel, x) / count);
  double sums[2];
  SumOver(args, channel, sums, [&](int64_t place, auto lanes, Vec(&terms)[2]) DYCONV_ALWAYS_INLINE {
    terms[0] = x(place, lanes) - near;
    terms[1] = terms[0] * terms[0];
  });
  const double rounding = sums[0] / count;
  mean = near + rounding;
  squares = sums[1] - count * rounding * rounding;
  if (squares < 0) squares = 0;
}

}  // namespace

void BatchNormForward(const BatchNormArgs& args, int64_t begin, int64_t end) {
  const double count = static_cast<double>(args.batch * args.plane);
  for (int64_t c = begin; c < end; ++c) {
    double mean, squares;
    Moments(args, c, count, mean, squares);
    args.mean[c] = static_cast<float>(mean);
    args.inv_std[c] = static_cast<float>(1 / __builtin_sqrt(squares / count + args.eps));
    args.variance[c] = static_cast<float>(squares / (count - 1));
    WithEpilogue(args, [&](auto activation, auto has_residual) DYCONV_ALWAYS_INLINE {
      const BeforeActivation<has_residual()> before(args, c);
      MapChannel(args, c, args.output, [&](int64_t place, auto lanes) DYCONV_ALWAYS_INLINE {
        return Activated<activation()>(before(place, lanes));
      });
    });
  }
}

void BatchNormBackward(const BatchNormArgs& args, int64_t begin, int64_t end) {
  const double count = static_cast<double>(args.batch * args.plane);
  for (int64_t c = begin; c < end; ++c) {
    WithEpilogue(args, [&](auto activation, auto has_residual) DYCONV_ALWAYS_INLINE {
      const BeforeActivation<has_residual()> before(args, c);
      // The gradient before the activation: of the sum of the normalized numbers and the residual.
      const auto gradient = [&](int64_t place, auto lanes) DYCONV_ALWAYS_INLINE {
        const Vec g = At(args.gradient + place, lanes);
        if constexpr (activation() == Activation::kNone) return g;
        return TimesSlope<activation()>(g, before(place, lanes));
      };
      if (args.grad_residual != nullptr) MapChannel(args, c, args.grad_residual, gradient);
      double sums[3];
      SumOver(args, c, sums, [&](int64_t place, auto lanes, Vec(&terms)[3]) DYCONV_ALWAYS_INLINE {
        terms[0] = gradient(place, lanes);
        terms[2] = At(args.input + place, lanes) - before.mean;
        terms[1] = terms[0] * terms[2];
      });
      // What the mean lost as float32: far from zero, it would move all deviations.
      const double inv_std = args.inv_std[c], rounding = sums[2] / count;
      sums[1] -= rounding * sums[0];
      if (args.grad_bias != nullptr) args.grad_bias[c] = static_cast<float>(sums[0]);
      if (args.grad_weight != nullptr) args.grad_weight[c] = static_cast<float>(sums[1] * inv_std);
      if (args.grad_input == nullptr) return;
      const double slope = sums[1] * inv_std * inv_std / count;
      const float mean = static_cast<float>(sums[0] / count - rounding * slope);
      const float along = static_cast<float>(slope);
      MapChannel(args, c, args.grad_input, [&](int64_t place, auto lanes) DYCONV_ALWAYS_INLINE {
        const Vec deviation = At(args.input + place, lanes) - before.mean;
        return (gradient(place, lanes) - mean - deviation * along) * before.scale;
      });
    });
  }
}

void BatchNormMoments(const SharedBatchNormArgs& args, int64_t begin, int64_t end) {
  const double count = static_cast<double>(args.batch * args.plane);
  for (int64_t c = begin; c < end; ++c) {
    double mean, squares;
    Moments(args, c, count, mean, squares);
    args.sums[c] = mean;
    args.sums[args.channels + c] = squares;
  }
}

void BatchNormScale(const SharedBatchNormArgs& args, int64_t begin, int64_t end) {
  for (int64_t c = begin; c < end; ++c) {
    const float mean = args.mean[c], scale = args.scale[c], shift = args.shift[c];
    MapChannel(args, c, args.output, [&](int64_t place, auto lanes) DYCONV_ALWAYS_INLINE {
      return (At(args.input + place, lanes) - mean) * scale + shift;
    });
  }
}

void BatchNormGradientSums(const SharedBatchNormArgs& args, int64_t begin, int64_t end) {
  for (int64_t c = begin; c < end; ++c) {
    const float mean = args.mean[c];
    double sums[2];
    SumOver(args, c, sums, [&](int64_t place, auto lanes, Vec(&terms)[2]) DYCONV_ALWAYS_INLINE {
      terms[0] = At(args.gradient + place, lanes);
      terms[1] = (At(args.input + place, lanes) - mean) * terms[0];
    });
    args.sums[c] = sums[0];
    args.sums[args.channels + c] = sums[1];
  }
}

void BatchNormGradient(const SharedBatchNormArgs& args, int64_t begin, int64_t end) {
  for (int64_t c = begin; c < end; ++c) {
    const float mean = args.mean[c], scale = args.scale[c], shift = args.shift[c], along = args.along[c];
    MapChannel(args, c, args.output, [&](int64_t place, auto lanes) DYCONV_ALWAYS_INLINE {
      const Vec deviation = At(args.input + place, lanes) - mean;
      return (At(args.gradient + place, lanes) - shift - deviation * along) * scale;
    });
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
