// Tiles of packed experts: how they lie in memory and how they are mixed.
//
// Packed experts are panels of kLanes * kMaxVecs columns (fewer in the last panel of a group, rounded up to
// whole vectors). A panel is rows x experts x columns, so that one row of all experts is one stream.
#pragma once

#include "micro.h"

namespace dyconv::kernels::DYCONV_ISA {

constexpr int64_t kPanel = kLanes * kMaxVecs;
// Rows of a mixed tile: kTileRows * kPanel floats stay in the L1 cache.
constexpr int64_t kTileRows = 96;
// Samples mixed from one reading of the experts.
constexpr int64_t kMixSamples = 4;

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

// Floats between the mixed tiles of two samples.
template <int kVecs>
constexpr int64_t kMixedStride = kTileRows * kVecs * kLanes;

// mixed[s][row] = sum over k of attention[s * experts + k] * packed[row][k], kMixedStride apart for every
// sample.
template <int kSamples, int kVecs>
void MixRows(const float* packed, const float* attention, int64_t experts, int64_t rows, float* mixed) {
  float by_expert[kMaxExperts * kSamples];
  for (int64_t k = 0; k < experts; ++k) {
    for (int s = 0; s < kSamples; ++s) by_expert[k * kSamples + s] = attention[s * experts + k];
  }
  for (int64_t r = 0; r < rows; ++r, mixed += kVecs * kLanes) {
    Vec acc[kSamples][kVecs] = {};
    const float* a = by_expert;
    for (int64_t k = 0; k < experts; ++k, packed += kVecs * kLanes, a += kSamples) {
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) {
        const Vec w = Load(packed + v * kLanes);
#pragma GCC unroll 8
        for (int s = 0; s < kSamples; ++s) acc[s][v] += a[s] * w;
      }
    }
#pragma GCC unroll 8
    for (int s = 0; s < kSamples; ++s) {
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) Store(mixed + s * kMixedStride<kVecs> + v * kLanes, acc[s][v]);
    }
  }
}

// The products of kSamples samples with one tile of packed experts; mixing hides in the first register tile.
template <int kSamples, int kVecs, typename TaskOf>
void MixAndMultiplySome(const float* packed, const float* attention, int64_t experts, float* mixed,
                        const int32_t* a_pixels, const int32_t* c_pixels, int64_t count,
                        const TaskOf& task_of) {
  constexpr int kRows = kMaxRows / kSamples;
  float shares[kMaxExperts * kSamples];
  GemmTask tasks[kSamples];
  for (int n = 0; n < kSamples; ++n) {
    tasks[n] = task_of(n);
    tasks[n].b = mixed + n * kMixedStride<kVecs>;
    for (int64_t k = 0; k < experts; ++k) shares[k * kSamples + n] = attention[n * experts + k];
  }
  MixGemmTile<kSamples, kVecs>(tasks, packed, shares, experts, mixed, kMixedStride<kVecs>, a_pixels,
                               c_pixels);
  for (const auto& task : tasks) Gemm<kVecs>(task, a_pixels + kRows, c_pixels + kRows, count - kRows);
}

// One tile of packed experts with `samples` samples: task_of(i) says what to multiply for sample i (b is set
// here). Without attention there is one expert, which is multiplied as it is packed.
template <int kVecs, typename TaskOf>
void MixAndMultiply(const float* packed, const float* attention, int64_t experts, int64_t rows,
                    int64_t samples, float* mixed, const int32_t* a_pixels, const int32_t* c_pixels,
                    int64_t count, const TaskOf& task_of) {
  if (attention == nullptr) {
    for (int64_t i = 0; i < samples; ++i) {
      GemmTask task = task_of(i);
      task.b = packed;
      Gemm<kVecs>(task, a_pixels, c_pixels, count);
    }
    return;
  }
  if (count >= kMaxRows) {
    int64_t i = 0;
    const auto some = [&](auto n) {
      MixAndMultiplySome<n(), kVecs>(packed, attention + i * experts, experts, mixed, a_pixels, c_pixels,
                                     count, [&](int64_t j) { return task_of(i + j); });
      i += n();
    };
    while (i + 2 <= samples) some(std::integral_constant<int, 2>());
    if (i < samples) some(std::integral_constant<int, 1>());
    return;
  }
  for (int64_t first = 0; first < samples; first += kMixSamples) {
    const int64_t group = Min(kMixSamples, samples - first);
    WithConstant<kMixSamples>(group, [&](auto n) {
      MixRows<n(), kVecs>(packed, attention + first * experts, experts, rows, mixed);
    });
    for (int64_t i = 0; i < group; ++i) {
      GemmTask task = task_of(first + i);
      task.b = mixed + i * kMixedStride<kVecs>;
      Gemm<kVecs>(task, a_pixels, c_pixels, count);
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
