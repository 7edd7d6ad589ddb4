// Tiles of packed experts: their memory layout and how they are mixed.
//
// Packed experts are panels of kLanes * kMaxVecs columns (fewer in the last panel of a group, rounded up to
// whole vectors). A panel is rows x experts x columns, so that one row of all experts is one stream.
#pragma once

#include "kernels/cpu/micro.h"

namespace dyconv::kernels::DYCONV_ISA {

constexpr int64_t kPanel = kLanes * kMaxVecs;
// Rows of a mixed tile: kTileRows * kPanel floats stay in the L1 cache.
constexpr int64_t kTileRows = 96;
// Samples whose weight gradients are folded at once.
constexpr int kFoldSamples = 4;
// Samples whose mixed tiles are kept at once.
constexpr int64_t kMixSamples = 2;
// Pixels of a sample up to which samples are multiplied one by one.
constexpr int64_t kMixPixels = 6 * kMaxRows;
// Pixels of a weight gradient that are multiplied before the accumulators are stored.
constexpr int64_t kOuterPixels = 128;

// The `index`-th of `count` equal parts.
struct Part {
  int64_t index, count;

  // A part of this part.
  DYCONV_INLINE Part of(const Part& inner) const {
    return {index * inner.count + inner.index, count * inner.count};
  }
};

// Prefetches a part of the floats that are read next into the L2 cache: experts come from memory while the
// last ones are multiplied.
DYCONV_INLINE void PrefetchPart(const float* next, int64_t floats, const Part& part) {
  const int64_t share = CeilDiv(floats, part.count);
  for (int64_t i = part.index * share; i < (part.index + 1) * share; i += kLine)
    __builtin_prefetch(next + i, 0, 2);
}

// One panel of a matrix of `rows` x `columns` per group.
struct Panel {
  int64_t group;
  int64_t first_column;  // within the group
  int64_t columns;
  int64_t vecs;
  int64_t offset;  // into the packed experts, in floats
  DYCONV_INLINE int64_t width() const { return vecs * kLanes; }
};

DYCONV_INLINE Panel PanelAt(int64_t index, int64_t rows, int64_t columns, int64_t experts) {
  const int64_t per_group = CeilDiv(columns, kPanel);
  Panel panel;
  panel.group = index / per_group;
  panel.first_column = index % per_group * kPanel;
  panel.columns = Min(kPanel, columns - panel.first_column);
  panel.vecs = CeilDiv(panel.columns, kLanes);
  panel.offset = index * rows * experts * Min(kPanel, CeilDiv(columns, kLanes) * kLanes);
  return panel;
}

// Panels of the forward: rows are (tap, input channel), columns output channels.
DYCONV_INLINE Panel ForwardPanel(const DynamicConvShape& s, int64_t index) {
  return PanelAt(index, s.kernel_size() * s.in_per_group(), s.out_per_group(), s.experts);
}

// Panels of the backward: rows are (tap, output channel), columns input channels.
DYCONV_INLINE Panel BackwardPanel(const DynamicConvShape& s, int64_t index) {
  return PanelAt(index, s.kernel_size() * s.out_per_group(), s.in_per_group(), s.experts);
}

DYCONV_INLINE int64_t PackedSize(int64_t groups, int64_t rows, int64_t columns, int64_t experts) {
  const int64_t widest = Min(kPanel, CeilDiv(columns, kLanes) * kLanes);
  return groups * CeilDiv(columns, kPanel) * rows * experts * widest;
}

// The weights of an expert as they are packed.
struct ExpertWeights {
  const float* weight;
  const float* first;  // what is taken off them, or null

  DYCONV_INLINE ExpertWeights operator+(int64_t offset) const {
    return {weight + offset, first == nullptr ? nullptr : first + offset};
  }
  DYCONV_INLINE float operator[](int64_t i) const {
    return first == nullptr ? weight[i] : weight[i] - first[i];
  }
  DYCONV_INLINE Vec Vector(int64_t i) const {
    return first == nullptr ? Load(weight + i) : Load(weight + i) - Load(first + i);
  }
};

// Those of the expert that is packed at place `i`.
DYCONV_INLINE ExpertWeights WeightsAt(const DynamicConvArgs& args, int64_t i) {
  const int64_t size = args.shape.expert_size();
  return {args.weight + args.expert_at(i) * size,
          args.relative && i > 0 ? args.weight + args.first_expert * size : nullptr};
}

// bias[kPanel] = the sample's mixture of the biases of output channels [first, first + columns), and 0
// beyond.
inline void MixBias(const DynamicConvArgs& args, int64_t sample, int64_t first, int64_t columns,
                    float* bias) {
  const auto& s = args.shape;
  std::memset(bias, 0, kPanel * sizeof(float));
  for (int64_t k = 0; args.bias != nullptr && k < s.experts; ++k) {
    const float a = args.is_static() ? 1.0f : args.attention[sample * s.experts + k];
    const float* of_expert = args.bias + args.expert_at(k) * s.out_channels + first;
    for (int64_t j = 0; j < columns; ++j) bias[j] += a * of_expert[j];
  }
}

// Floats between the mixed tiles of two samples.
template <int kVecs>
constexpr int64_t kMixedStride = kTileRows * kVecs * kLanes;

// The products of kSamples samples with one tile of packed experts. The first register tile, `tile` of `rows`
// pixels of each, mixes; the others read what it kept.
template <int kSamples, int kVecs, typename TaskOf>
DYCONV_INLINE void MixAndKeep(MixTile tile, int64_t rows, const float* packed, const Mixture& mixture,
                              float* mixed, const int32_t* a_pixels, const int32_t* c_pixels, int64_t count,
                              const TaskOf& task_of) {
  float shares[kMaxExperts * kSamples];
  GemmTask tasks[kSamples];
  for (int n = 0; n < kSamples; ++n) {
    tasks[n] = task_of(n);
    tasks[n].b = mixed + n * kMixedStride<kVecs>;
    for (int64_t k = 0; k < mixture.experts; ++k) shares[k * kSamples + n] = mixture.of(n)[k];
  }
  tile({packed, shares, mixture.experts, mixed, kMixedStride<kVecs>}, tasks, a_pixels, c_pixels);
  for (const auto& task : tasks) Gemm<kVecs>(task, a_pixels + rows, c_pixels + rows, count - rows);
}

// One tile of packed experts with `samples` samples: task_of(i) says what to multiply for sample i (b is set
// here). Without attention there is one expert, which is multiplied as it is packed.
template <int kVecs, typename TaskOf>
void MixAndMultiply(const float* packed, const Mixture& mixture, int64_t samples, float* mixed,
                    const int32_t* a_pixels, const int32_t* c_pixels, int64_t count, const TaskOf& task_of) {
  if (mixture.attention == nullptr) {
    for (int64_t i = 0; i < samples; ++i) {
      GemmTask task = task_of(i);
      task.b = packed;
      Gemm<kVecs>(task, a_pixels, c_pixels, count);
    }
    return;
  }
  if (count <= kMaxRows) {
    // All pixels fit in one register tile, so that each mixed row is used once and need not be stored.
    const MixTile tile = MixTileOf<kVecs>(mixture.relative, false, 1, count);
    for (int64_t i = 0; i < samples; ++i) {
      const GemmTask task = task_of(i);
      tile({packed, mixture.of(i), mixture.experts, nullptr, 0}, &task, a_pixels, c_pixels);
    }
    return;
  }
  const auto keep = [&](int64_t i, auto n, MixTile tile, int64_t rows) {
    MixAndKeep<n(), kVecs>(tile, rows, packed, mixture.from(i), mixed, a_pixels, c_pixels, count,
                           [&](int64_t j) { return task_of(i + j); });
  };
  using One = std::integral_constant<int, 1>;
  using Two = std::integral_constant<int, 2>;
  const int64_t rows = count <= kMixPixels ? FirstTileRows(count) : kMaxRows;
  const MixTile one = MixTileOf<kVecs>(mixture.relative, true, 1, rows);
  int64_t i = 0;
  if (count > kMixPixels) {
    // With many pixels the first register tile is a small part: it mixes for two samples, with half as many
    // rows of each, and so reads the experts once for both.
    const MixTile two = MixTileOf<kVecs>(mixture.relative, true, 2, kMaxRows / 2);
    for (; i + 2 <= samples; i += 2) keep(i, Two(), two, kMaxRows / 2);
  }
  for (; i < samples; ++i) keep(i, One(), one, rows);
}

}  // namespace dyconv::kernels::DYCONV_ISA
