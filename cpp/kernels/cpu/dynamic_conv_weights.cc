// Experts between the layout of the weight tensor and packed panels.
#include "layout.h"
#include "mix.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// Packs the rows (tap, input channel) of one panel of one expert. Source rows are output channels.
void PackExpertPanel(const DynamicConvShape& s, const Panel& panel, const float* weight, int64_t expert,
                     float* packed) {
  const int64_t taps = s.kernel_size(), in = s.in_per_group(), rows = taps * in,
                step = s.experts * panel.width();
  const float* source =
      weight + (expert * s.out_channels + panel.group * s.out_per_group() + panel.first_column) * rows;
  packed += expert * panel.width();
  for (int64_t column = 0; column < panel.width(); column += kLanes) {
    const int64_t valid = Min(kLanes, panel.columns - column);
    const float* from = source + column * rows;
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
      for (int64_t j = 0; j < kLanes; ++j) block[j] = j < valid ? Load(from + j * rows + r) : Vec{};
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
  for (int64_t i = begin; i < end; ++i) {
    const Panel panel = ForwardPanel(s, i / s.experts);
    PackExpertPanel(s, panel, args.weight, i % s.experts, args.packed_weight + panel.offset);
  }
}

void PackBackwardWeight(const DynamicConvArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  const int64_t out = s.out_per_group(), in = s.in_per_group(), taps = s.kernel_size();
  for (int64_t i = begin; i < end; ++i) {
    const Panel panel = BackwardPanel(s, i / out);
    const int64_t o = i % out, step = out * s.experts * panel.width();
    for (int64_t k = 0; k < s.experts; ++k) {
      const float* from =
          args.weight + ((k * s.out_channels + panel.group * out + o) * in + panel.first_column) * taps;
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
      float* to =
          args.grad_weight + ((k * s.out_channels + panel.group * out + o) * in + panel.first_column) * taps;
      Interleave(from, step, taps, panel.columns, to);
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
