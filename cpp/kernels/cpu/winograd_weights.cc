// Transformed experts between the layout of the weight tensor and packed panels.
#include "winograd.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

constexpr int64_t kTaps = 9;

// Floats from one element of a square of vectors to the next, down and to the right.
struct Steps {
  int64_t down, right;
};
constexpr Steps kTapSteps{3 * kPanel, kPanel};

// to = TDown from TRight', one square of vectors.
template <typename TDown, typename TRight>
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
      Store(to + y() * to_steps.down + x() * to_steps.right, made[x()]);
    });
  });
}

using SquareTransform = void (*)(const float* from, Steps from_steps, float* to, Steps to_steps);

// 3x3 weights to the points of such tiles (kWay = ToPoints), or back (FromPoints).
template <template <typename> typename kWay>
SquareTransform WeightTransform(const WinogradTiling& tiling) {
  SquareTransform transform = nullptr;
  WithOutputs<2, 4>(tiling.y.tile, [&](auto h) {
    WithOutputs<2, 4>(tiling.x.tile,
                      [&](auto w) { transform = TransformSquare<kWay<Weights<h()>>, kWay<Weights<w()>>>; });
  });
  return transform;
}

// From one point to the next, `point` floats apart.
Steps PointSteps(const WinogradTiling& tiling, int64_t point) { return {tiling.x.points() * point, point}; }

// taps[(channel * 9 + tap) * kLanes + j] = the weights of `channels` input channels for kLanes output
// channels, `rows` apart in `from`, of which `valid` exist.
void GatherTaps(const ExpertWeights& from, int64_t rows, int64_t valid, int64_t channels, float* taps) {
  const int64_t count = channels * kTaps;
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
  const int64_t rows = s.in_channels * kTaps;
  const int64_t point = ForwardPanel(products, args.plan.forward_panels).offset;
  const Steps points = PointSteps(args.plan.winograd, point);
  const SquareTransform transform = WeightTransform<ToPoints>(args.plan.winograd);
  float taps[kLanes * kTaps * kLanes];
  for (int64_t i = begin; i < end; ++i) {
    const Panel panel = ForwardPanel(products, i / s.experts);
    const int64_t expert = i % s.experts, width = panel.width();
    for (int64_t channel = 0; channel < s.in_channels; channel += kLanes) {
      const int64_t channels = Min(kLanes, s.in_channels - channel);
      for (int64_t column = 0; column < width; column += kLanes) {
        const ExpertWeights from = WeightsAt(args, expert) + (panel.first_column + column) * rows;
        GatherTaps(from + channel * kTaps, rows, Min(kLanes, panel.columns - column), channels, taps);
        float* to = args.packed_weight + panel.offset + expert * width + column;
        for (int64_t c = 0; c < channels; ++c) {
          transform(taps + c * kTaps * kLanes, {3 * kLanes, kLanes}, to + (channel + c) * s.experts * width,
                    points);
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
  const SquareTransform transform = WeightTransform<ToPoints>(args.plan.winograd);
  float taps[kTaps * kPanel] = {};
  for (int64_t i = begin; i < end; ++i) {
    const Panel panel = BackwardPanel(products, i / s.out_channels);
    const int64_t o = i % s.out_channels;
    for (int64_t t = 0; t < kTaps; ++t) {
      for (int64_t j = panel.columns; j < panel.width(); ++j) taps[t * kPanel + j] = 0;
    }
    for (int64_t k = 0; k < s.experts; ++k) {
      const ExpertWeights from = WeightsAt(args, k) + (o * s.in_channels + panel.first_column) * kTaps;
      float* to = args.packed_weight + panel.offset + (o * s.experts + k) * panel.width();
      Deinterleave(from, kTaps, panel.columns, taps, kPanel);
      for (int64_t c = 0; c < panel.width(); c += kLanes) transform(taps + c, kTapSteps, to + c, points);
    }
  }
}

void UnpackWinogradGrad(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const auto products = WinogradProducts(s, args.plan.winograd);
  const int64_t point = BackwardPanel(products, args.plan.backward_panels).offset;
  const Steps points = PointSteps(args.plan.winograd, point);
  const SquareTransform transform = WeightTransform<FromPoints>(args.plan.winograd);
  float taps[kTaps * kPanel];
  for (int64_t i = begin; i < end; ++i) {
    const Panel panel = BackwardPanel(products, i / s.out_channels);
    const int64_t o = i % s.out_channels;
    for (int64_t k = 0; k < s.experts; ++k) {
      const float* from = args.packed_weight_grad + panel.offset + (o * s.experts + k) * panel.width();
      for (int64_t c = 0; c < panel.width(); c += kLanes) transform(from + c, points, taps + c, kTapSteps);
      const int64_t row = args.expert_at(k) * s.out_channels + o;
      Interleave(taps, kPanel, kTaps, panel.columns,
                 args.grad_weight + (row * s.in_channels + panel.first_column) * kTaps);
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
