// Experts between the layout of the weight tensor and packed panels.
#include "kernels/cpu/layout.h"
#include "kernels/cpu/mix.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// Packs the rows (tap, input channel) of one panel of the expert at place `expert`. Source rows are output
// channels.
void PackExpertPanel(const DynamicConvArgs& args, const Panel& panel, int64_t expert) {
  const auto& s = args.shape;
  const int64_t taps = s.kernel_size(), in = s.in_per_group(), rows = taps * in,
                step = s.experts * panel.width();
  const ExpertWeights source =
      WeightsAt(args, expert) + (panel.group * s.out_per_group() + panel.first_column) * rows;
  float* packed = args.packed_weight + panel.offset + expert * panel.width();
  for (int64_t column = 0; column < panel.width(); column += kLanes) {
    const int64_t valid = Min(kLanes, panel.columns - column);
    const ExpertWeights from = source + column * rows;
    float* to = packed + column;
    if (rows < kLanes) {
      for (int64_t r = 0; r < rows; ++r) {
        float* row = to + (r % taps * in + r / taps) * step;
        for (int64_t j = 0; j < kLanes; ++j) row[j] = j < valid ? from[j * rows + r] : 0.0f;
      }
      continue;
    }
    ForEachBlock(rows, [&](int64_t r) {
      Vec block[kLanes];
      for (int64_t j = 0; j < kLanes; ++j) block[j] = j < valid ? from.Vector(j * rows + r) : Vec{};
      Transpose(block);
      int64_t channel = r / taps, tap = r % taps;
      for (int64_t j = 0; j < kLanes; ++j) {
        Store(to + (tap * in + channel) * step, block[j]);
        if (++tap == taps) tap = 0, ++channel;
      }
    });
  }
}

}  // namespace

void PackForwardWeight(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  for (int64_t i = begin; i < end; ++i) PackExpertPanel(args, ForwardPanel(s, i / s.experts), i % s.experts);
}

void PackBackwardWeight(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const int64_t out = s.out_per_group(), in = s.in_per_group(), taps = s.kernel_size();
  for (int64_t i = begin; i < end; ++i) {
    const Panel panel = BackwardPanel(s, i / out);
    const int64_t o = i % out, step = out * s.experts * panel.width();
    for (int64_t k = 0; k < s.experts; ++k) {
      const ExpertWeights from =
          WeightsAt(args, k) + ((panel.group * out + o) * in + panel.first_column) * taps;
      float* to = args.packed_weight + panel.offset + (o * s.experts + k) * panel.width();
      Deinterleave(from, taps, panel.columns, to, step);
      for (int64_t t = 0; t < taps; ++t) {
        for (int64_t j = panel.columns; j < panel.width(); ++j) to[t * step + j] = 0;
      }
    }
  }
}

void UnpackWeightGrad(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const int64_t out = s.out_per_group(), in = s.in_per_group(), taps = s.kernel_size();
  for (int64_t i = begin; i < end; ++i) {
    const Panel panel = BackwardPanel(s, i / out);
    const int64_t o = i % out, step = out * s.experts * panel.width();
    for (int64_t k = 0; k < s.experts; ++k) {
      const float* from = args.packed_weight_grad + panel.offset + (o * s.experts + k) * panel.width();
      const int64_t row = args.expert_at(k) * s.out_channels + panel.group * out + o;
      float* to = args.grad_weight + (row * in + panel.first_column) * taps;
      Interleave(from, step, taps, panel.columns, to);
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
