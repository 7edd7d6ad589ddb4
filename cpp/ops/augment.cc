#include "ops/augment.h"

#include <algorithm>
#include <atomic>
#include <cmath>
#include <cstring>
#include <stdexcept>
#include <string>
#include <thread>

// The inner loops are compiled once per instruction set, and the loader picks the best one when the add-on is
// loaded.
#if defined(__x86_64__) && defined(__linux__) && defined(__GNUC__) && !defined(__clang__)
#define DYCONV_SIMD_CLONES \
  __attribute__((optimize("O3"), target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define DYCONV_INLINE inline __attribute__((always_inline))
#else
#define DYCONV_SIMD_CLONES
#define DYCONV_INLINE inline
#endif

namespace dyconv {

namespace {

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ull;
constexpr int kMaxTaps = 4;

uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

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

// Where output position `x` of a bilinear resize from `in` to `out` positions reads: half-pixel centres,
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

  Scratch(const AugmentConfig& config, const ImageSet& images)
      : rows(config.out_h),
        columns(config.out_w),
        column_index(kMaxTaps * config.out_w),
        column_weight(kMaxTaps * config.out_w),
        source_row(images.width + 1),
        resampled((images.height + 1) * config.out_w),
        needed(images.height + 1) {}
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

// One channel of one image. Weights sum to one along both axes, so scaling the source bytes normalises the
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
int PlanTaps(const ImageSet& images, int64_t resized_h, int64_t resized_w, const CropBox& box, bool flip,
             Scratch& scratch) {
  ComposeAxis(images.height, resized_h, box.top, box.height, false, scratch.rows);
  ComposeAxis(images.width, resized_w, box.left, box.width, flip, scratch.columns);
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
  return values.size() == 1 ? values[0] : values[channel];
}

void AugmentImage(const AugmentConfig& config, const ImageSet& images, int64_t index, SampleRandom random,
                  Scratch& scratch, float* out) {
  const int64_t resized_h = config.resize_h > 0 ? config.resize_h : images.height;
  const int64_t resized_w = config.resize_w > 0 ? config.resize_w : images.width;
  CropBox box{0, 0, resized_h, resized_w};
  if (config.crop) box = RandomCropBox(config, resized_h, resized_w, random);
  if (config.padding > 0) {
    box.top = random.Below(2 * config.padding + 1) - config.padding;
    box.left = random.Below(2 * config.padding + 1) - config.padding;
  }
  const bool flip = config.flip > 0 && random.Uniform() < config.flip;
  const int column_taps = PlanTaps(images, resized_h, resized_w, box, flip, scratch);

  const int64_t plane = images.height * images.width, out_plane = config.out_h * config.out_w;
  const uint8_t* image = images.data + index * images.channels * plane;
  for (int64_t c = 0; c < images.channels; ++c) {
    const float mean = PerChannel(config.mean, c), std = PerChannel(config.std, c);
    // A grey image repeated to three channels is resampled once: comparing its bytes costs next to nothing.
    if (c > 0 && mean == PerChannel(config.mean, c - 1) && std == PerChannel(config.std, c - 1) &&
        std::memcmp(image + c * plane, image + (c - 1) * plane, plane) == 0) {
      std::memcpy(out + c * out_plane, out + (c - 1) * out_plane, out_plane * sizeof(float));
      continue;
    }
    ResamplePlane(image + c * plane, images.height, images.width, column_taps, 1.0f / (255.0f * std),
                  -mean / std, config.out_h, config.out_w, scratch, out + c * out_plane);
  }
}

void CheckContract(const AugmentConfig& config, const ImageSet& images, const int64_t* indices,
                   int64_t batch) {
  const auto positive = [](const char* name, int64_t value) {
    if (value <= 0 || value > (int64_t{1} << 20)) {
      throw std::invalid_argument(std::string("augment: ") + name + ": got: " + std::to_string(value) +
                                  " expected: a positive size");
    }
  };
  positive("channels", images.channels);
  positive("height", images.height);
  positive("width", images.width);
  positive("out_h", config.out_h);
  positive("out_w", config.out_w);
  if (config.padding < 0 || (config.padding > 0 && config.crop)) {
    throw std::invalid_argument("augment: padding: got: " + std::to_string(config.padding) +
                                " expected: at least 0, and 0 beside a random resized crop");
  }
  for (const auto* values : {&config.mean, &config.std}) {
    if (values->size() != 1 && static_cast<int64_t>(values->size()) != images.channels) {
      throw std::invalid_argument("augment: mean and std: got: " + std::to_string(values->size()) +
                                  " values, expected: 1 or " + std::to_string(images.channels) +
                                  ", one per channel");
    }
  }
  for (int64_t b = 0; b < batch; ++b) {
    if (indices[b] < 0 || indices[b] >= images.count) {
      throw std::out_of_range("augment: index: got: " + std::to_string(indices[b]) + " expected: below " +
                              std::to_string(images.count));
    }
  }
}

}  // namespace

SampleRandom::SampleRandom(uint64_t seed, uint64_t epoch, uint64_t index)
    : state_(Mix((Mix((Mix(seed + kGolden) ^ epoch) + kGolden) ^ index) + kGolden)) {}

double SampleRandom::Uniform() {
  state_ += kGolden;
  return static_cast<double>(Mix(state_) >> 11) * 0x1.0p-53;
}

double SampleRandom::Uniform(double low, double high) { return low + Uniform() * (high - low); }

int64_t SampleRandom::Below(int64_t bound) {
  return std::min(static_cast<int64_t>(Uniform() * static_cast<double>(bound)), bound - 1);
}

CropBox RandomCropBox(const AugmentConfig& config, int64_t height, int64_t width, SampleRandom& random) {
  const double log_min = std::log(config.ratio_min), log_max = std::log(config.ratio_max);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area =
        static_cast<double>(height * width) * random.Uniform(config.scale_min, config.scale_max);
    const double ratio = std::exp(random.Uniform(log_min, log_max));
    const auto crop_w = static_cast<int64_t>(std::nearbyint(std::sqrt(area * ratio)));
    const auto crop_h = static_cast<int64_t>(std::nearbyint(std::sqrt(area / ratio)));
    if (crop_w > 0 && crop_w <= width && crop_h > 0 && crop_h <= height) {
      const int64_t top = random.Below(height - crop_h + 1);
      const int64_t left = random.Below(width - crop_w + 1);
      return {top, left, crop_h, crop_w};
    }
  }
  int64_t crop_h = height, crop_w = width;
  const double ratio = static_cast<double>(width) / static_cast<double>(height);
  if (ratio < config.ratio_min) {
    crop_h = std::max<int64_t>(1, std::lround(static_cast<double>(width) / config.ratio_min));
  } else if (ratio > config.ratio_max) {
    crop_w = std::max<int64_t>(1, std::lround(static_cast<double>(height) * config.ratio_max));
  }
  crop_h = std::min(crop_h, height);
  crop_w = std::min(crop_w, width);
  return {(height - crop_h) / 2, (width - crop_w) / 2, crop_h, crop_w};
}

void AugmentBatch(const AugmentConfig& config, const ImageSet& images, const int64_t* indices, int64_t batch,
                  uint64_t seed, uint64_t epoch, float* out, int threads) {
  CheckContract(config, images, indices, batch);
  if (batch == 0) return;
  const auto workers = static_cast<size_t>(std::clamp<int64_t>(threads, 1, batch));
  const int64_t sample = images.channels * config.out_h * config.out_w;
  // Everything that can run out of memory does so here, in the calling thread.
  std::vector<Scratch> scratch(workers, Scratch(config, images));
  std::atomic<int64_t> next{0};
  const auto work = [&](size_t worker) {
    for (int64_t b; (b = next.fetch_add(1, std::memory_order_relaxed)) < batch;) {
      AugmentImage(config, images, indices[b], SampleRandom(seed, epoch, static_cast<uint64_t>(indices[b])),
                   scratch[worker], out + b * sample);
    }
  };
  std::vector<std::jthread> helpers;
  for (size_t worker = 1; worker < workers; ++worker) helpers.emplace_back(work, worker);
  work(0);
}

}  // namespace dyconv
