// Transformed experts between the layout of the weight tensor and packed panels.
#include "winograd.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

constexpr int64_t kTaps = 9;
constexpr Steps kTapSteps{3 * kPanel, kPanel};

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

template <int kTile>
void PackForward(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const auto products = WinogradProducts(s, kTile);
  const int64_t rows = s.in_channels * kTaps;
  const int64_t point = ForwardPanel(products, args.plan.forward_panels).offset;
  float taps[kLanes * kTaps * kLanes];
  for (int64_t i = begin; i < end; ++i) {
    const Panel panel = ForwardPanel(products, i / s.experts);
    const int64_t expert = i % s.experts, width = panel.width();
    for (int64_t column = 0; column < width; column += kLanes) {
      const int64_t valid = Min(kLanes, panel.columns - column);
      const ExpertWeights from = WeightsAt(args, expert) + (panel.first_column + column) * rows;
      float* to = args.packed_weight + panel.offset + expert * width + column;
      for (int64_t channel = 0; channel < s.in_channels; channel += kLanes) {
        const int64_t channels = Min(kLanes, s.in_channels - channel);
        GatherTaps(from + channel * kTaps, rows, valid, channels, taps);
        for (int64_t c = 0; c < channels; ++c) {
          Transform<typename Winograd<kTile>::Weight>(taps + c * kTaps * kLanes, {3 * kLanes, kLanes},
                                                      to + (channel + c) * s.experts * width,
                                                      PointSteps<kTile>(point));
        }
      }
    }
  }
}

template <int kTile>
void PackBackward(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const auto products = WinogradProducts(s, kTile);
  const int64_t point = BackwardPanel(products, args.plan.backward_panels).offset;
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
      for (int64_t c = 0; c < panel.width(); c += kLanes)
        Transform<typename Winograd<kTile>::Weight>(taps + c, kTapSteps, to + c, PointSteps<kTile>(point));
    }
  }
}

template <int kTile>
void UnpackGrad(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const auto products = WinogradProducts(s, kTile);
  const int64_t point = BackwardPanel(products, args.plan.backward_panels).offset;
  float taps[kTaps * kPanel];
  for (int64_t i = begin; i < end; ++i) {
    const Panel panel = BackwardPanel(products, i / s.out_channels);
    const int64_t o = i % s.out_channels;
    for (int64_t k = 0; k < s.experts; ++k) {
      const float* from = args.packed_weight_grad + panel.offset + (o * s.experts + k) * panel.width();
      for (int64_t c = 0; c < panel.width(); c += kLanes)
        Transform<typename Winograd<kTile>::WeightAdjoint>(from + c, PointSteps<kTile>(point), taps + c,
                                                           kTapSteps);
      const int64_t row = args.expert_at(k) * s.out_channels + o;
      Interleave(taps, kPanel, kTaps, panel.columns,
                 args.grad_weight + (row * s.in_channels + panel.first_column) * kTaps);
    }
  }
}

}  // namespace

void PackWinogradForward(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  WithTile(args.plan.winograd_tile, [&](auto tile) { PackForward<tile()>(args, begin, end); });
}

void PackWinogradBackward(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  WithTile(args.plan.winograd_tile, [&](auto tile) { PackBackward<tile()>(args, begin, end); });
}

void UnpackWinogradGrad(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  WithTile(args.plan.winograd_tile, [&](auto tile) { UnpackGrad<tile()>(args, begin, end); });
}

}  // namespace dyconv::kernels::DYCONV_ISA
