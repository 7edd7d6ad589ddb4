// The random choices of the augmentation: the same for the CPU's pass and for the one on a device.
#include <algorithm>
#include <cmath>
#include <numbers>
#include <string>
#include <utility>

#include "kernels/augment/augment.h"
#include "typed_error.h"

namespace dyconv {

namespace {

constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ull;
constexpr int kTries = 10;

uint64_t MixBits(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

// The crop rule of torchvision's and Paddle's RandomResizedCrop: ten tries at an area and a log-uniform
// aspect ratio, then the largest central crop whose aspect ratio is allowed.
CropBox RandomResizedBox(const AugmentConfig& config, int64_t height, int64_t width, SampleRandom& random) {
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const double area = static_cast<double>(height * width) * random.Uniform(config.scale);
    const double ratio = random.LogUniform(config.ratio);
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
  if (ratio < config.ratio.low) {
    crop_h = std::max<int64_t>(1, std::lround(static_cast<double>(width) / config.ratio.low));
  } else if (ratio > config.ratio.high) {
    crop_w = std::max<int64_t>(1, std::lround(static_cast<double>(height) * config.ratio.high));
  }
  crop_h = std::min(crop_h, height);
  crop_w = std::min(crop_w, width);
  return {(height - crop_h) / 2, (width - crop_w) / 2, crop_h, crop_w};
}

// Where a central crop begins. As in torchvision, the smaller half of what an image lacks is before it.
int64_t CentralStart(int64_t extent, int64_t crop) {
  if (extent < crop) return -((crop - extent) / 2);
  return static_cast<int64_t>(std::nearbyint(static_cast<double>(extent - crop) / 2));
}

CropBox Window(const AugmentConfig& config, int64_t height, int64_t width, SampleRandom& random) {
  const int64_t h = config.crop_h, w = config.crop_w, padding = config.padding;
  switch (config.crop) {
    case CropKind::kResized:
      return RandomResizedBox(config, height, width, random);
    case CropKind::kRandom: {
      const int64_t top = random.Below(height + 2 * padding - h + 1) - padding;
      const int64_t left = random.Below(width + 2 * padding - w + 1) - padding;
      return {top, left, h, w};
    }
    case CropKind::kCenter:
      return {CentralStart(height, h), CentralStart(width, w), h, w};
    case CropKind::kNone:
      break;
  }
  return {0, 0, height, width};
}

void ChooseColours(const Jitter& jitter, SampleRandom& random, SampleChoices& choices) {
  if (!jitter.Active()) return;
  for (int64_t i = 3; i > 0; --i) std::swap(choices.order[i], choices.order[random.Below(i + 1)]);
  const std::array<Range, 4> ranges{jitter.brightness, jitter.contrast, jitter.saturation, jitter.hue};
  for (size_t step = 0; step < ranges.size(); ++step) {
    const double neutral = step == kHue ? 0.0 : 1.0;
    if (ranges[step].low == neutral && ranges[step].high == neutral) continue;
    choices.factor[step] = static_cast<float>(random.Uniform(ranges[step]));
  }
}

// The rule of torchvision's RandomErasing: a rectangle smaller than the image in both directions, or none.
CropBox ErasedBox(const AugmentConfig& config, SampleRandom& random) {
  const Erasing& erasing = config.erasing;
  if (erasing.probability <= 0 || random.Uniform() >= erasing.probability) return {};
  const int64_t height = config.out_h, width = config.out_w;
  for (int attempt = 0; attempt < kTries; ++attempt) {
    const double area = static_cast<double>(height * width) * random.Uniform(erasing.scale);
    const double ratio = random.LogUniform(erasing.ratio);
    const auto h = static_cast<int64_t>(std::nearbyint(std::sqrt(area * ratio)));
    const auto w = static_cast<int64_t>(std::nearbyint(std::sqrt(area / ratio)));
    if (h >= height || w >= width) continue;
    const int64_t top = random.Below(height - h + 1);
    const int64_t left = random.Below(width - w + 1);
    return {top, left, h, w};
  }
  return {};
}

// `least` is 0 where 0 means the size of the image.
void CheckSize(const char* name, int64_t value, int64_t least = 1) {
  Require(value >= least && value <= (int64_t{1} << 20), ErrorKind::kShape, "Expected a size from ", least,
          " to 2^20 for ", name, " but received ", value);
}

}  // namespace

bool Jitter::Active() const {
  const auto moves = [](const Range& range, double neutral) {
    return range.low != neutral || range.high != neutral;
  };
  return moves(brightness, 1) || moves(contrast, 1) || moves(saturation, 1) || moves(hue, 0);
}

SampleRandom::SampleRandom(uint64_t seed, uint64_t epoch, uint64_t index)
    : state_(MixBits((MixBits((MixBits(seed + kGolden) ^ epoch) + kGolden) ^ index) + kGolden)) {}

double SampleRandom::Uniform() {
  state_ += kGolden;
  return static_cast<double>(MixBits(state_) >> 11) * 0x1.0p-53;
}

double SampleRandom::Uniform(Range r) { return r.low + Uniform() * (r.high - r.low); }

double SampleRandom::LogUniform(Range r) { return std::exp(Uniform({std::log(r.low), std::log(r.high)})); }

int64_t SampleRandom::Below(int64_t bound) {
  return std::min(static_cast<int64_t>(Uniform() * static_cast<double>(bound)), bound - 1);
}

double SampleRandom::Normal() {
  const double radius = std::sqrt(-2.0 * std::log1p(-Uniform()));
  return radius * std::cos(2.0 * std::numbers::pi * Uniform());
}

SampleChoices Choose(const AugmentConfig& config, int64_t height, int64_t width, uint64_t seed,
                     uint64_t epoch, uint64_t index) {
  SampleRandom random(seed, epoch, index);
  SampleChoices choices{.window = {}, .erased = {}, .noise = random};
  choices.window = Window(config, config.resize_h > 0 ? config.resize_h : height,
                          config.resize_w > 0 ? config.resize_w : width, random);
  choices.flip = config.flip > 0 && random.Uniform() < config.flip;
  choices.vertical_flip = config.vertical_flip > 0 && random.Uniform() < config.vertical_flip;
  ChooseColours(config.jitter, random, choices);
  choices.erased = ErasedBox(config, random);
  choices.noise = random;
  return choices;
}

void CheckAugmentConfig(const AugmentConfig& config) {
  CheckSize("size", config.out_h);
  CheckSize("size", config.out_w);
  CheckSize("resize", config.resize_h, 0);
  CheckSize("resize", config.resize_w, 0);
  CheckSize("padding", config.padding, 0);
  if (config.crop != CropKind::kRandom && config.crop != CropKind::kCenter) return;
  CheckSize("cropSize", config.crop_h);
  CheckSize("cropSize", config.crop_w);
}

void CheckAugmentFit(const AugmentConfig& config, const ImageSet& images,
                     const std::vector<int64_t>& indices) {
  CheckSize("channels", images.channels);
  CheckSize("height", images.height);
  CheckSize("width", images.width);
  if (config.crop == CropKind::kRandom) {
    const int64_t height = (config.resize_h > 0 ? config.resize_h : images.height) + 2 * config.padding;
    const int64_t width = (config.resize_w > 0 ? config.resize_w : images.width) + 2 * config.padding;
    if (config.crop_h > height || config.crop_w > width) {
      Fail(ErrorKind::kArgument, "Expected at most ", height, " x ", width,
           ", the padded image, for cropSize but received ", config.crop_h, " x ", config.crop_w);
    }
  }
  if (config.jitter.Active() && images.channels != 1 && images.channels != 3) {
    Fail(ErrorKind::kShape, "Expected images of 1 or 3 channels for colorJitter but received ",
         images.channels);
  }
  const auto check_list = [&](const char* name, const std::vector<float>& values) {
    if (values.size() == 1 || static_cast<int64_t>(values.size()) == images.channels) return;
    Fail(ErrorKind::kArgument, "Expected 1 or ", images.channels, " values, one per channel, for ", name,
         " but received ", values.size());
  };
  check_list("mean", config.mean);
  check_list("std", config.std);
  if (!config.erasing.value.empty()) check_list("eraseValue", config.erasing.value);
  for (const int64_t index : indices) {
    if (index >= 0 && index < images.count) continue;
    Fail(ErrorKind::kArgument, "Expected integers from 0 to ", images.count - 1, " for indices but received ",
         index);
  }
}

}  // namespace dyconv
