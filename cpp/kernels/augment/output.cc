#include "kernels/augment/output.h"

#include <algorithm>
#include <bit>
#include <cstring>
#include <thread>
#include <vector>

#include "kernels/augment/simd.h"

namespace dyconv {

namespace {

DYCONV_INLINE float Load(float x) { return x; }
DYCONV_INLINE float Load(uint16_t x) { return std::bit_cast<float>(static_cast<uint32_t>(x) << 16); }

DYCONV_INLINE void Store(float value, float& out) { out = value; }
// Round to nearest, ties to even; values are finite.
DYCONV_INLINE void Store(float value, uint16_t& out) {
  const auto bits = std::bit_cast<uint32_t>(value);
  out = static_cast<uint16_t>((bits + 0x7fffu + ((bits >> 16) & 1u)) >> 16);
}

template <class T>
DYCONV_INLINE void Interleave(const float* __restrict planes, int64_t channels, int64_t size,
                              T* __restrict out) {
  if (channels == 3) {
    for (int64_t i = 0; i < size; ++i) {
      Store(planes[i], out[3 * i]);
      Store(planes[size + i], out[3 * i + 1]);
      Store(planes[2 * size + i], out[3 * i + 2]);
    }
    return;
  }
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t i = 0; i < size; ++i) Store(planes[c * size + i], out[i * channels + c]);
  }
}

DYCONV_SIMD_CLONES
void InterleaveFloat(const float* planes, int64_t channels, int64_t size, float* out) {
  Interleave(planes, channels, size, out);
}

DYCONV_SIMD_CLONES
void InterleaveBFloat16(const float* planes, int64_t channels, int64_t size, uint16_t* out) {
  Interleave(planes, channels, size, out);
}

DYCONV_SIMD_CLONES
void ConvertBFloat16(const float* __restrict planes, int64_t count, uint16_t* __restrict out) {
  for (int64_t i = 0; i < count; ++i) Store(planes[i], out[i]);
}

template <class T>
DYCONV_INLINE void Blend(float share, const T* __restrict other, int64_t count, T* __restrict out) {
  for (int64_t i = 0; i < count; ++i) Store(share * Load(out[i]) + (1.0f - share) * Load(other[i]), out[i]);
}

DYCONV_SIMD_CLONES
void BlendFloat(float share, const float* other, int64_t count, float* out) {
  Blend(share, other, count, out);
}

DYCONV_SIMD_CLONES
void BlendBFloat16(float share, const uint16_t* other, int64_t count, uint16_t* out) {
  Blend(share, other, count, out);
}

void BlendSpan(float share, const float* other, int64_t count, float* out) {
  BlendFloat(share, other, count, out);
}
void BlendSpan(float share, const uint16_t* other, int64_t count, uint16_t* out) {
  BlendBFloat16(share, other, count, out);
}

struct Span {
  int64_t start, count;
};

// The stretches of a sample that are mixed: all of it, or every row of the box.
std::vector<Span> SpansOf(const Mix& mix, const std::array<int64_t, 4>& shape, bool channels_last) {
  const auto [batch, channels, height, width] = shape;
  if (!mix.boxed) {
    // In pieces, so that threads have something to share.
    const int64_t sample = channels * height * width, pieces = std::min<int64_t>(64, sample);
    std::vector<Span> spans;
    for (int64_t p = 0; p < pieces; ++p) {
      const int64_t start = sample * p / pieces;
      spans.push_back({start, sample * (p + 1) / pieces - start});
    }
    return spans;
  }
  std::vector<Span> spans;
  const CropBox& box = mix.box;
  if (box.width == 0) return spans;
  const int64_t planes = channels_last ? 1 : channels, pixel = channels_last ? channels : 1;
  for (int64_t c = 0; c < planes; ++c) {
    for (int64_t y = box.top; y < box.top + box.height; ++y) {
      spans.push_back({((c * height + y) * width + box.left) * pixel, box.width * pixel});
    }
  }
  return spans;
}

// Backwards, so that every sample still finds the one before it as it was; the first one needs a copy of the
// last. Every stretch is independent of the others.
template <class T>
void MixSpan(const Mix& mix, const Span& span, int64_t batch, int64_t sample, T* data, T* kept) {
  T* last = data + (batch - 1) * sample + span.start;
  std::memcpy(kept, last, static_cast<size_t>(span.count) * sizeof(T));
  for (int64_t b = batch - 1; b >= 0; --b) {
    T* own = data + b * sample + span.start;
    BlendSpan(mix.share, b > 0 ? own - sample : kept, span.count, own);
  }
}

template <class T>
void MixAll(const Mix& mix, const std::array<int64_t, 4>& shape, bool channels_last, T* data, int threads) {
  const std::vector<Span> spans = SpansOf(mix, shape, channels_last);
  if (spans.empty()) return;
  const int64_t sample = shape[1] * shape[2] * shape[3];
  const auto workers = std::clamp<size_t>(static_cast<size_t>(threads), 1, spans.size());
  const auto widest = std::max_element(spans.begin(), spans.end(),
                                       [](const Span& a, const Span& b) { return a.count < b.count; });
  std::vector<std::vector<T>> kept(workers, std::vector<T>(static_cast<size_t>(widest->count)));
  const auto work = [&](size_t worker) {
    for (size_t s = worker; s < spans.size(); s += workers)
      MixSpan(mix, spans[s], shape[0], sample, data, kept[worker].data());
  };
  std::vector<std::jthread> helpers;
  for (size_t worker = 1; worker < workers; ++worker) helpers.emplace_back(work, worker);
  work(0);
}

}  // namespace

int64_t ElementSize(ElementType type) { return type == ElementType::kFloat32 ? 4 : 2; }

void StoreSample(const float* planes, int64_t channels, int64_t size, const BatchFormat& format, void* out) {
  if (format.type == ElementType::kFloat32) {
    auto* to = static_cast<float*>(out);
    if (format.channels_last)
      InterleaveFloat(planes, channels, size, to);
    else
      std::copy_n(planes, channels * size, to);
    return;
  }
  auto* to = static_cast<uint16_t*>(out);
  if (format.channels_last)
    InterleaveBFloat16(planes, channels, size, to);
  else
    ConvertBFloat16(planes, channels * size, to);
}

void MixBatch(const Mix& mix, const std::array<int64_t, 4>& shape, const BatchFormat& format, void* batch,
              int threads) {
  if (shape[0] == 0) return;
  if (format.type == ElementType::kFloat32)
    MixAll(mix, shape, format.channels_last, static_cast<float*>(batch), threads);
  else
    MixAll(mix, shape, format.channels_last, static_cast<uint16_t*>(batch), threads);
}

}  // namespace dyconv
