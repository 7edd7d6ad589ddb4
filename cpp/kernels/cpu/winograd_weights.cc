// Transformed experts between the layout of the weight tensor and packed panels.
#include "kernels/cpu/winograd.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// Floats of packed experts that are too many for the caches by the time the backward's samples are packed
// too.
constexpr int64_t kStreamedWeight = 2 << 20;

// Most taps a kernel has.
constexpr int64_t kMostTaps = 25;

// Floats from one element of a square of vectors to the next, down and to the right.
struct Steps {
  int64_t down, right;
};

// to = TDown from TRight', one square of vectors.
template <typename TDown, typename TRight, bool kStream>
void TransformSquare(const float* from, Steps from_steps, float* to, Steps to_steps) {
  Vec half[TDown::kTo][TRight::kFrom];
  Unroll<TRight::kFrom>([&](auto x) DYCONV_ALWAYS_INLINE {
    Vec column[TDown::kFrom], made[TDown::kTo];
    Unroll<TDown::kFrom>([&](auto y) DYCONV_ALWAYS_INLINE {
      column[y()] = Load(from + y() * from_steps.down + x() * from_steps.right);
    });
    TDown::Apply(column, made);
    Unroll<TDown::kTo>([&](auto y) DYCONV_ALWAYS_INLINE { half[y()][x()] = made[y()]; });
  });
  Unroll<TDown::kTo>([&](auto y) DYCONV_ALWAYS_INLINE {
    Vec made[TRight::kTo];
    TRight::Apply(half[y()], made);
    Unroll<TRight::kTo>([&](auto x) DYCONV_ALWAYS_INLINE {
      Put<kStream>(to + y() * to_steps.down + x() * to_steps.right, made[x()]);
    });
  });
}

using SquareTransform = void (*)(const float* from, Steps from_steps, float* to, Steps to_steps);

// Weights to the points of such tiles (kWay = ToPoints), or back (FromPoints). Kernels are square.
template <template <typename> typename kWay, bool kStream = false>
SquareTransform WeightTransform(const WinogradTiling& tiling) {
  SquareTransform transform = nullptr;
  WithTile(tiling.y, [&](auto kernel, auto high) {
    WithOutputs<2, MostWinogradTile(kernel())>(tiling.x.tile, [&](auto wide) {
      transform = TransformSquare<kWay<Weights<kernel(), high()>>, kWay<Weights<kernel(), wide()>>, kStream>;
    });
  });
  return transform;
}

// From one tap to the next, `tap` floats apart.
Steps TapSteps(const WinogradTiling& tiling, int64_t tap) { return {tiling.x.kernel * tap, tap}; }

// From one point to the next, `point` floats apart.
Steps PointSteps(const WinogradTiling& tiling, int64_t point) { return {tiling.x.points() * point, point}; }

// taps[i * kLanes + j] = `count` weights, taps of input channels, for kLanes output channels, `rows` apart in
// `from`, of which `valid` exist.
void GatherTaps(const ExpertWeights& from, int64_t rows, int64_t valid, int64_t count, float* taps) {
  if (count < kLanes) {
    for (int64_t r = 0; r < count; ++r) {
      for (int64_t j = 0; j < kLanes; ++j) taps[r * kLanes + j] = j < valid ? from[j * rows + r] : 0.0f;
    }
    return;
  }
  ForEachBlock(count, [&](int64_t r) {
    Vec block[kLanes];
    for (int64_t j = 0; j < kLanes; ++j) block[j] = j < valid ? from.Vector(j * rows + r) : Vec{};
    Transpose(block);
    for (int64_t j = 0; j < kLanes; ++j) Store(taps + (r + j) * kLanes, block[j]);
  });
}

}  // namespace

void PackWinogradForward(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const auto products = WinogradProducts(s, args.plan.winograd);
  const int64_t rows = s.in_channels * s.kernel_size();
  const int64_t point = ForwardPanel(products, args.plan.forward_panels).offset;
  const Steps points = PointSteps(args.plan.winograd, point);
  const SquareTransform transform = WeightTransform<ToPoints>(args.plan.winograd);
  const int64_t kernel = s.kernel_size();
  float taps[kLanes * kMostTaps * kLanes];
  for (int64_t i = begin; i < end; ++i) {
    const Panel panel = ForwardPanel(products, i / s.experts);
    const int64_t expert = i % s.experts, width = panel.width();
    for (int64_t channel = 0; channel < s.in_channels; channel += kLanes) {
      const int64_t channels = Min(kLanes, s.in_channels - channel);
      for (int64_t column = 0; column < width; column += kLanes) {
        const ExpertWeights from = WeightsAt(args, expert) + (panel.first_column + column) * rows;
        GatherTaps(from + channel * kernel, rows, Min(kLanes, panel.columns - column), channels * kernel,
                   taps);
        float* to = args.packed_weight + panel.offset + expert * width + column;
        for (int64_t c = 0; c < channels; ++c) {
          transform(taps + c * kernel * kLanes, TapSteps(args.plan.winograd, kLanes),
                    to + (channel + c) * s.experts * width, points);
        }
      }
    }
  }
}

void PackWinogradBackward(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const auto products = WinogradProducts(s, args.plan.winograd);
  const int64_t point = BackwardPanel(products, args.plan.backward_panels).offset;
  const Steps points = PointSteps(args.plan.winograd, point);
  const SquareTransform transform = args.plan.backward_weight > kStreamedWeight
                                        ? WeightTransform<ToPoints, true>(args.plan.winograd)
                                        : WeightTransform<ToPoints>(args.plan.winograd);
  const int64_t kernel = s.kernel_size();
  const Steps steps = TapSteps(args.plan.winograd, kPanel);
  float taps[kMostTaps * kPanel] = {};
  for (int64_t i = begin; i < end; ++i) {
    const Panel panel = BackwardPanel(products, i / s.out_channels);
    const int64_t o = i % s.out_channels;
    for (int64_t t = 0; t < kernel; ++t) {
      for (int64_t j = panel.columns; j < panel.width(); ++j) taps[t * kPanel + j] = 0;
    }
    for (int64_t k = 0; k < s.experts; ++k) {
      const ExpertWeights from = WeightsAt(args, k) + (o * s.in_channels + panel.first_column) * kernel;
      float* to = args.packed_weight + panel.offset + (o * s.experts + k) * panel.width();
      Deinterleave(from, kernel, panel.columns, taps, kPanel);
      for (int64_t c = 0; c < panel.width(); c += kLanes) transform(taps + c, steps, to + c, points);
    }
  }
  StreamFence();
}

void UnpackWinogradGrad(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const auto products = WinogradProducts(s, args.plan.winograd);
  const int64_t point = BackwardPanel(products, args.plan.backward_panels).offset;
  const Steps points = PointSteps(args.plan.winograd, point);
  const SquareTransform transform = WeightTransform<FromPoints>(args.plan.winograd);
  const int64_t kernel = s.kernel_size();
  const Steps steps = TapSteps(args.plan.winograd, kPanel);
  float taps[kMostTaps * kPanel];
  for (int64_t i = begin; i < end; ++i) {
    const Panel panel = BackwardPanel(products, i / s.out_channels);
    const int64_t o = i % s.out_channels;
    for (int64_t k = 0; k < s.experts; ++k) {
      const float* from = args.packed_weight_grad + panel.offset + (o * s.experts + k) * panel.width();
      for (int64_t c = 0; c < panel.width(); c += kLanes) transform(from + c, points, taps + c, steps);
      for (int64_t t = 0; t < kernel; ++t) NoteNotFinite(args, taps + t * kPanel, panel.width());
      const int64_t row = args.expert_at(k) * s.out_channels + o;
      Interleave(taps, kPanel, kernel, panel.columns,
                 args.grad_weight + (row * s.in_channels + panel.first_column) * kernel);
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
