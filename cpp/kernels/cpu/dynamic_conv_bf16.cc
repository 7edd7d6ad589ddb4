// The forward with products in bfloat16 and sums in float32, where the CPU multiplies pairs of bfloat16
// (AVX512_BF16). Experts are mixed in float32 and rounded once.
#include "forward_block.h"

#if defined(__AVX512F__)
#include <immintrin.h>

// More than the rest of this build may use: CanMultiplyBf16 asks the CPU.
#define DYCONV_BF16 __attribute__((target("avx512bf16")))
#endif

namespace dyconv::kernels::DYCONV_ISA {

#if defined(__AVX512F__)
namespace {

constexpr int kMixPair = 2;

// Like GemmTask, with rows of B in pairs: [row / 2][vecs][column][2]. `length` is even.
struct Bf16Task {
  const uint16_t* a;
  int64_t lda;
  const int64_t* offsets;
  int64_t segments;
  int64_t length;
  const uint16_t* b;
  float* c;
  int64_t ldc;
  bool accumulate;
};

template <int kRows, int kVecs>
DYCONV_BF16 void Bf16Tile(const Bf16Task& task, const int32_t* a_pixels, const int32_t* c_pixels) {
  __m512 acc[kRows][kVecs];
  const uint16_t* a[kRows];
  float* c[kRows];
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
    a[m] = task.a + a_pixels[m] * task.lda;
    c[m] = task.c + c_pixels[m] * task.ldc;
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v)
      acc[m][v] = task.accumulate ? _mm512_loadu_ps(c[m] + v * 16) : _mm512_setzero_ps();
  }
  const uint16_t* b = task.b;
  for (int64_t s = 0; s < task.segments; ++s) {
    const int64_t first = task.offsets[s], last = first + task.length;
    for (int64_t i = first; i < last; i += 2, b += kVecs * 32) {
      __m512bh w[kVecs];
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) w[v] = (__m512bh)_mm512_loadu_si512(b + v * 32);
#pragma GCC unroll 8
      for (int m = 0; m < kRows; ++m) {
        int32_t pair;
        std::memcpy(&pair, a[m] + i, sizeof(pair));
        const __m512bh x = (__m512bh)_mm512_set1_epi32(pair);
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; ++v) acc[m][v] = _mm512_dpbf16_ps(acc[m][v], x, w[v]);
      }
    }
  }
#pragma GCC unroll 8
  for (int m = 0; m < kRows; ++m) {
#pragma GCC unroll 8
    for (int v = 0; v < kVecs; ++v) _mm512_storeu_ps(c[m] + v * 16, acc[m][v]);
  }
}

template <int kVecs>
void Bf16Gemm(const Bf16Task& task, const int32_t* a_pixels, const int32_t* c_pixels, int64_t count) {
  for (int64_t p = 0; p < count;) {
    const int64_t rows = Min(kMaxRows, count - p);
    WithConstant<kMaxRows>(rows, [&](auto n) { Bf16Tile<n(), kVecs>(task, a_pixels + p, c_pixels + p); });
    p += rows;
  }
}

// MixRows, rounded to bfloat16 and with rows in pairs.
template <int kSamples, int kVecs>
DYCONV_BF16 void MixPairs(const float* packed, const float* attention, int64_t experts, int64_t rows,
                          uint16_t* mixed, int64_t stride) {
  alignas(64) uint16_t order[32];
  for (int i = 0; i < 32; ++i) order[i] = static_cast<uint16_t>(i / 2 + i % 2 * 16);
  const __m512i interleave = _mm512_load_si512(order);
  const int64_t row = experts * kVecs * kLanes;
  for (int64_t r = 0; r < rows; r += 2, packed += 2 * row, mixed += kVecs * 32) {
    __m512 acc[kSamples][2][kVecs];
#pragma GCC unroll 8
    for (int s = 0; s < kSamples; ++s) {
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) acc[s][0][v] = acc[s][1][v] = _mm512_setzero_ps();
    }
    for (int64_t k = 0; k < experts; ++k) {
#pragma GCC unroll 2
      for (int half = 0; half < 2; ++half) {
#pragma GCC unroll 8
        for (int v = 0; v < kVecs; ++v) {
          const __m512 w = _mm512_loadu_ps(packed + half * row + (k * kVecs + v) * kLanes);
#pragma GCC unroll 8
          for (int s = 0; s < kSamples; ++s) {
            acc[s][half][v] = _mm512_fmadd_ps(_mm512_set1_ps(attention[s * experts + k]), w, acc[s][half][v]);
          }
        }
      }
    }
#pragma GCC unroll 8
    for (int s = 0; s < kSamples; ++s) {
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) {
        const __m512i both = (__m512i)_mm512_cvtne2ps_pbh(acc[s][1][v], acc[s][0][v]);
        _mm512_storeu_si512(mixed + s * stride + v * 32, _mm512_permutexvar_epi16(interleave, both));
      }
    }
  }
}

DYCONV_BF16 void RoundToBf16(const float* from, int64_t count, uint16_t* to) {
  for (int64_t i = 0; i < count; i += 32) {
    const __m512bh both = _mm512_cvtne2ps_pbh(_mm512_loadu_ps(from + i + 16), _mm512_loadu_ps(from + i));
    _mm512_storeu_si512(to + i, (__m512i)both);
  }
}

template <int kVecs>
void Bf16Panel(const DynamicConvArgs& args, const Block& b, const Panel& panel) {
  const auto& s = args.shape;
  const int64_t in = s.in_per_group(), width = kVecs * kLanes, stride = kTileRows * width;
  const int64_t input_floats = b.in_rows * b.padded_w * s.in_channels, sum_floats = b.pixels * width;
  uint16_t* mixed = reinterpret_cast<uint16_t*>(b.mixed);
  ForEachTapTile(args, b, width, [&](const TapTile& tile) {
    const float* packed =
        args.packed_weight + panel.offset + (tile.tap * in + tile.channel) * s.experts * width;
    for (int64_t first = 0; first < b.samples; first += kMixPair) {
      const int64_t samples = Min(kMixPair, b.samples - first);
      WithConstant<kMixPair>(samples, [&](auto n) {
        MixPairs<n(), kVecs>(packed, args.attention + (b.first_sample + first) * s.experts, s.experts,
                             tile.rows(), mixed, stride);
      });
      for (int64_t i = 0; i < samples; ++i) {
        const Bf16Task task{b.input16 + (first + i) * input_floats + panel.group * in + tile.channel,
                            s.in_channels,
                            tile.offsets,
                            tile.taps,
                            tile.channels,
                            mixed + i * stride,
                            b.sums + (first + i) * sum_floats,
                            width,
                            tile.accumulate};
        Bf16Gemm<kVecs>(task, tile.inputs, tile.outputs, tile.count);
      }
    }
  });
}

}  // namespace

bool CanMultiplyBf16(const DynamicConvShape& s) {
  return s.in_per_group() % 2 == 0 && __builtin_cpu_supports("avx512bf16");
}

void DynamicConvForwardBf16(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  for (int64_t item = begin; item < end; ++item) {
    const Block block = MakeBlock(args, item, scratch);
    PrepareBlock(args, block);
    RoundToBf16(block.input, block.samples * block.in_rows * block.padded_w * args.shape.in_channels,
                block.input16);
    for (int64_t i = 0; i < args.plan.forward_panels; ++i) {
      const Panel panel = ForwardPanel(args.shape, i);
      WithConstant<kMaxVecs>(panel.vecs, [&](auto vecs) { Bf16Panel<vecs()>(args, block, panel); });
      WritePanel(args, block, panel);
    }
  }
}

#else

void DynamicConvForward(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch);

bool CanMultiplyBf16(const DynamicConvShape&) { return false; }

void DynamicConvForwardBf16(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  DynamicConvForward(args, begin, end, scratch);
}

#endif

}  // namespace dyconv::kernels::DYCONV_ISA
