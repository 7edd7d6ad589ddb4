#include "kernels/augment/augment.h"

#include <algorithm>
#include <atomic>
#include <cstring>
#include <thread>

#include "kernels/augment/colour.h"
#include "kernels/augment/output.h"
#include "kernels/augment/simd.h"

namespace dyconv {

namespace {

constexpr int kMaxTaps = 4;

// One output position along one axis: which source positions it reads, and how much of each.
struct Taps {
  int count = 0;
  std::array<int32_t, kMaxTaps> index{};
  std::array<float, kMaxTaps> weight{};

  void Add(int64_t position, double amount) {
    if (amount == 0) return;
    for (int t = 0; t < count; ++t) {
      if (index[t] == position) {
        weight[t] += static_cast<float>(amount);
        return;
      }
    }
    index[count] = static_cast<int32_t>(position);
    weight[count++] = static_cast<float>(amount);
  }
};

struct Linear {
  int64_t low, high;
  double fraction;  // of `high`
};

// Where output position `x` of a bilinear resize from `in` to `out` positions reads: half-pixel centers,
// clamped.
Linear Sample(int64_t x, int64_t in, int64_t out) {
  const double exact =
      (static_cast<double>(x) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
  const double clamped = std::clamp(exact, 0.0, static_cast<double>(in - 1));
  const auto low = static_cast<int64_t>(clamped);
  return {low, std::min(low + 1, in - 1), clamped - static_cast<double>(low)};
}

// Composes "resize source -> resized" and "crop [offset, offset + crop) -> out" along one axis. What lies
// outside the image is black: the source has a black line after its last one.
void ComposeAxis(int64_t source, int64_t resized, int64_t offset, int64_t crop, bool flip,
                 std::vector<Taps>& taps) {
  const auto out = static_cast<int64_t>(taps.size());
  for (int64_t x = 0; x < out; ++x) {
    Taps& tap = taps[flip ? out - 1 - x : x];
    tap = Taps{};
    const Linear outer = Sample(x, crop, out);
    for (const auto& [position, share] :
         {std::pair{outer.low, 1.0 - outer.fraction}, {outer.high, outer.fraction}}) {
      const int64_t at = offset + position;
      if (at < 0 || at >= resized) {
        tap.Add(source, share);
        continue;
      }
      const Linear inner = Sample(at, source, resized);
      tap.Add(inner.low, share * (1.0 - inner.fraction));
      tap.Add(inner.high, share * inner.fraction);
    }
  }
}

// Buffers of one thread, allocated once per batch.
struct Scratch {
  std::vector<Taps> rows, columns;
  std::vector<int32_t> column_index;  // [kMaxTaps, out_w]: the columns' taps, transposed for the vector units
  std::vector<float> column_weight;   // [kMaxTaps, out_w]
  std::vector<float> source_row;      // [width + 1], the last one black
  std::vector<float> resampled;  // [height + 1, out_w]: source rows resampled along x, the last one black
  std::vector<uint8_t> needed;   // [height + 1]: whether any output row reads this source row
  std::vector<float> planes;     // [channels, out_h, out_w], where the batch is no such planes itself

  Scratch(const AugmentConfig& config, const ImageSet& images, const BatchFormat& format)
      : rows(config.out_h),
        columns(config.out_w),
        column_index(kMaxTaps * config.out_w),
        column_weight(kMaxTaps * config.out_w),
        source_row(images.width + 1),
        resampled((images.height + 1) * config.out_w),
        needed(images.height + 1),
        planes(format.type == ElementType::kFloat32 && !format.channels_last
                   ? 0
                   : images.channels * config.out_h * config.out_w) {}
};

template <int kTaps>
DYCONV_INLINE void ResampleRow(const float* __restrict source, const int32_t* __restrict index,
                               const float* __restrict weight, int64_t width, float* __restrict out) {
  for (int64_t x = 0; x < width; ++x) {
    float sum = 0;
    for (int t = 0; t < kTaps; ++t) sum += weight[t * width + x] * source[index[t * width + x]];
    out[x] = sum;
  }
}

template <int kTaps>
DYCONV_INLINE void BlendRows(const float* __restrict source, const Taps& taps, int64_t width,
                             float* __restrict out) {
  const float* row[kTaps];
  float weight[kTaps];
  for (int t = 0; t < kTaps; ++t) {
    row[t] = source + taps.index[t] * width;
    weight[t] = taps.weight[t];
  }
  for (int64_t x = 0; x < width; ++x) {
    float sum = weight[0] * row[0][x];
    for (int t = 1; t < kTaps; ++t) sum += weight[t] * row[t][x];
    out[x] = sum;
  }
}

// One channel of one image. Weights sum to one along both axes, so scaling the source bytes normalizes the
// result.
DYCONV_SIMD_CLONES
void ResamplePlane(const uint8_t* plane, int64_t height, int64_t width, int column_taps, float scale,
                   float bias, int64_t out_h, int64_t out_w, Scratch& scratch, float* out) {
  const int32_t* index = scratch.column_index.data();
  const float* weight = scratch.column_weight.data();
  float* __restrict source = scratch.source_row.data();
  float* resampled = scratch.resampled.data();
  source[width] = bias;
  if (scratch.needed[height]) std::fill_n(resampled + height * out_w, out_w, bias);
  for (int64_t y = 0; y < height; ++y) {
    if (!scratch.needed[y]) continue;
    const uint8_t* __restrict bytes = plane + y * width;
    for (int64_t x = 0; x < width; ++x) source[x] = static_cast<float>(bytes[x]) * scale + bias;
    float* row = resampled + y * out_w;
    switch (column_taps) {
      case 1:
        ResampleRow<1>(source, index, weight, out_w, row);
        break;
      case 2:
        ResampleRow<2>(source, index, weight, out_w, row);
        break;
      case 3:
        ResampleRow<3>(source, index, weight, out_w, row);
        break;
      default:
        ResampleRow<4>(source, index, weight, out_w, row);
        break;
    }
  }
  for (int64_t y = 0; y < out_h; ++y) {
    const Taps& taps = scratch.rows[y];
    float* row = out + y * out_w;
    switch (taps.count) {
      case 1:
        BlendRows<1>(resampled, taps, out_w, row);
        break;
      case 2:
        BlendRows<2>(resampled, taps, out_w, row);
        break;
      case 3:
        BlendRows<3>(resampled, taps, out_w, row);
        break;
      default:
        BlendRows<4>(resampled, taps, out_w, row);
        break;
    }
  }
}

// Fills the scratch's tap tables for one crop; returns the number of column taps.
int PlanTaps(const ImageSet& images, int64_t resized_h, int64_t resized_w, const SampleChoices& choices,
             Scratch& scratch) {
  const CropBox& box = choices.window;
  ComposeAxis(images.height, resized_h, box.top, box.height, choices.vertical_flip, scratch.rows);
  ComposeAxis(images.width, resized_w, box.left, box.width, choices.flip, scratch.columns);
  std::fill(scratch.needed.begin(), scratch.needed.end(), uint8_t{0});
  for (const Taps& taps : scratch.rows) {
    for (int t = 0; t < taps.count; ++t) scratch.needed[taps.index[t]] = 1;
  }
  int most = 1;
  const auto out_w = static_cast<int64_t>(scratch.columns.size());
  for (int64_t x = 0; x < out_w; ++x) {
    const Taps& taps = scratch.columns[x];
    most = std::max(most, taps.count);
    for (int t = 0; t < kMaxTaps; ++t) {
      // A tap that is not used reads a valid place with weight zero.
      scratch.column_index[t * out_w + x] = t < taps.count ? taps.index[t] : taps.index[0];
      scratch.column_weight[t * out_w + x] = t < taps.count ? taps.weight[t] : 0.0f;
    }
  }
  return most;
}

float PerChannel(const std::vector<float>& values, int64_t channel) {
  return values.size() == 1 ? values[0] : values[static_cast<size_t>(channel)];
}

// All channels of one image into float32 planes: normalized, or in [0, 1] where colors are still to change.
void ResamplePlanes(const AugmentConfig& config, const ImageSet& images, const uint8_t* image,
                    int column_taps, bool normalise, Scratch& scratch, float* planes) {
  const int64_t plane = images.height * images.width, out_plane = config.out_h * config.out_w;
  for (int64_t c = 0; c < images.channels; ++c) {
    const float mean = normalise ? PerChannel(config.mean, c) : 0.0f;
    const float std = normalise ? PerChannel(config.std, c) : 1.0f;
    // A gray image repeated to three channels is resampled once: comparing its bytes costs next to nothing.
    const bool same_scale = !normalise || (c > 0 && mean == PerChannel(config.mean, c - 1) &&
                                           std == PerChannel(config.std, c - 1));
    if (c > 0 && same_scale && std::memcmp(image + c * plane, image + (c - 1) * plane, plane) == 0) {
      std::memcpy(planes + c * out_plane, planes + (c - 1) * out_plane, out_plane * sizeof(float));
      continue;
    }
    ResamplePlane(image + c * plane, images.height, images.width, column_taps, 1.0f / (255.0f * std),
                  -mean / std, config.out_h, config.out_w, scratch, planes + c * out_plane);
  }
}

DYCONV_SIMD_CLONES
void Normalise(float* __restrict plane, int64_t size, float mean, float std) {
  const float scale = 1.0f / std, bias = -mean / std;
  for (int64_t i = 0; i < size; ++i) plane[i] = plane[i] * scale + bias;
}

void Erase(const AugmentConfig& config, const SampleChoices& choices, int64_t channels, float* planes) {
  const CropBox& box = choices.erased;
  SampleRandom noise = choices.noise;
  const std::vector<float>& value = config.erasing.value;
  for (int64_t c = 0; c < channels; ++c) {
    for (int64_t y = box.top; y < box.top + box.height; ++y) {
      float* row = planes + (c * config.out_h + y) * config.out_w + box.left;
      if (value.empty())
        std::generate_n(row, box.width, [&] { return static_cast<float>(noise.Normal()); });
      else
        std::fill_n(row, box.width, PerChannel(value, c));
    }
  }
}

void AugmentImage(const AugmentConfig& config, const ImageSet& images, int64_t index,
                  const SampleChoices& choices, const BatchFormat& format, Scratch& scratch, void* out) {
  const int64_t resized_h = config.resize_h > 0 ? config.resize_h : images.height;
  const int64_t resized_w = config.resize_w > 0 ? config.resize_w : images.width;
  const int column_taps = PlanTaps(images, resized_h, resized_w, choices, scratch);
  const uint8_t* image = images.data + index * images.channels * images.height * images.width;
  const int64_t channels = images.channels, size = config.out_h * config.out_w;
  const bool in_place = format.type == ElementType::kFloat32 && !format.channels_last;
  float* planes = in_place ? static_cast<float*>(out) : scratch.planes.data();
  const bool jitter = config.jitter.Active();
  ResamplePlanes(config, images, image, column_taps, !jitter, scratch, planes);
  if (jitter) {
    JitterColours(choices, channels, size, planes);
    for (int64_t c = 0; c < channels; ++c)
      Normalise(planes + c * size, size, PerChannel(config.mean, c), PerChannel(config.std, c));
  }
  Erase(config, choices, channels, planes);
  if (!in_place) StoreSample(planes, channels, size, format, out);
}

// One sample of a batch: which image of which set, and what its random numbers come from.
struct BatchItem {
  const ImageSet& images;
  int64_t index;
  int64_t key;
};

// `item_of(b)` is item b of the batch; `largest` is as high and wide as the highest and widest image.
template <class ItemOf>
void AugmentSamples(const AugmentConfig& config, int64_t batch, const ImageSet& largest, uint64_t seed,
                    uint64_t epoch, const BatchFormat& format, void* out, int threads,
                    const ItemOf& item_of) {
  const auto workers = static_cast<size_t>(std::clamp<int64_t>(threads, 1, batch));
  const int64_t bytes = largest.channels * config.out_h * config.out_w * ElementSize(format.type);
  // Everything that can run out of memory does so here, in the calling thread.
  std::vector<Scratch> scratch(workers, Scratch(config, largest, format));
  std::atomic<int64_t> next{0};
  const auto work = [&](size_t worker) {
    for (int64_t b; (b = next.fetch_add(1, std::memory_order_relaxed)) < batch;) {
      const BatchItem sample = item_of(b);
      const SampleChoices choices = Choose(config, sample.images.height, sample.images.width, seed, epoch,
                                           static_cast<uint64_t>(sample.key));
      AugmentImage(config, sample.images, sample.index, choices, format, scratch[worker],
                   static_cast<char*>(out) + b * bytes);
    }
  };
  std::vector<std::jthread> helpers;
  for (size_t worker = 1; worker < workers; ++worker) helpers.emplace_back(work, worker);
  work(0);
}

}  // namespace

void AugmentBatch(const AugmentConfig& config, const ImageSet& images, const std::vector<int64_t>& indices,
                  uint64_t seed, uint64_t epoch, const BatchFormat& format, void* out, int threads) {
  if (indices.empty()) return;
  AugmentSamples(config, static_cast<int64_t>(indices.size()), images, seed, epoch, format, out, threads,
                 [&](int64_t b) {
                   const int64_t index = indices[static_cast<size_t>(b)];
                   return BatchItem{images, index, index};
                 });
}

void AugmentImages(const AugmentConfig& config, const std::vector<ImageSet>& images,
                   const std::vector<int64_t>& keys, uint64_t seed, uint64_t epoch, const BatchFormat& format,
                   void* out, int threads) {
  if (images.empty()) return;
  ImageSet largest = images[0];
  for (const ImageSet& image : images) {
    largest.height = std::max(largest.height, image.height);
    largest.width = std::max(largest.width, image.width);
  }
  AugmentSamples(config, static_cast<int64_t>(images.size()), largest, seed, epoch, format, out, threads,
                 [&](int64_t b) {
                   const auto at = static_cast<size_t>(b);
                   return BatchItem{images[at], 0, keys[at]};
                 });
}

}  // namespace dyconv
