// Image augmentation, compared with a resize, a crop and a second resize one after the other in float64.
#include <algorithm>
#include <memory>

#include "guarded.h"
#include "kernels/augment/augment.h"

namespace fuzz {
namespace {

using namespace dyconv;

// A plane of numbers; outside of it everything is black.
struct Plane {
  int64_t height, width;
  std::vector<double> pixels;
  double At(int64_t y, int64_t x) const {
    return y < 0 || y >= height || x < 0 || x >= width ? 0 : pixels[y * width + x];
  }
};

// Bilinear, half-pixel centers, no antialiasing: torch.nn.functional.interpolate of the window's pixels.
Plane Resized(const Plane& from, const CropBox& window, int64_t height, int64_t width) {
  Plane to{height, width, {}};
  const auto place = [](int64_t i, int64_t in, int64_t out) {
    const double at = (static_cast<double>(i) + 0.5) * static_cast<double>(in) / static_cast<double>(out) - 0.5;
    return std::clamp(at, 0.0, static_cast<double>(in - 1));
  };
  for (int64_t y = 0; y < height; ++y) {
    for (int64_t x = 0; x < width; ++x) {
      const double at_y = place(y, window.height, height), at_x = place(x, window.width, width);
      const auto low_y = static_cast<int64_t>(at_y), low_x = static_cast<int64_t>(at_x);
      const double down = at_y - static_cast<double>(low_y), right = at_x - static_cast<double>(low_x);
      const auto pixel = [&](int64_t dy, int64_t dx) {
        return from.At(window.top + std::min(low_y + dy, window.height - 1),
                       window.left + std::min(low_x + dx, window.width - 1));
      };
      to.pixels.push_back((1 - down) * ((1 - right) * pixel(0, 0) + right * pixel(0, 1)) +
                          down * ((1 - right) * pixel(1, 0) + right * pixel(1, 1)));
    }
  }
  return to;
}

Range AnyRange(Random& random, double low, double high) {
  const double a = low + (high - low) * (random.Number() + 1) / 2, b = low + (high - low) * (random.Number() + 1) / 2;
  return {std::min(a, b), std::max(a, b)};
}

std::vector<float> AnyValues(Random& random, int64_t channels, float least) {
  std::vector<float> values(random.OneIn(2) ? 1 : channels);
  for (float& value : values) value = least + (random.Number() + 1) / 2;
  return values;
}

AugmentConfig AnyConfig(Random& random, int64_t channels, int64_t least_h, int64_t least_w) {
  AugmentConfig config;
  config.out_h = random.Between(1, 20), config.out_w = random.Between(1, random.OneIn(4) ? 70 : 20);
  if (random.OneIn(2)) config.resize_h = random.Between(1, 30), config.resize_w = random.Between(1, 30);
  config.crop = static_cast<CropKind>(random.Between(0, 3));
  config.scale = AnyRange(random, 0.01, 1), config.ratio = AnyRange(random, 0.2, 5);
  config.padding = random.Between(0, 5);
  // A random crop lies within the padded image; a central one may be larger.
  const int64_t room = config.crop == CropKind::kRandom ? 2 * config.padding : 12;
  config.crop_h = random.Between(1, (config.resize_h > 0 ? config.resize_h : least_h) + room);
  config.crop_w = random.Between(1, (config.resize_w > 0 ? config.resize_w : least_w) + room);
  config.flip = random.OneIn(3) ? 0 : 0.5, config.vertical_flip = random.OneIn(3) ? 0 : 0.5;
  if (channels != 2 && channels != 4 && random.OneIn(4)) {
    config.jitter = {AnyRange(random, 0, 2), AnyRange(random, 0, 2), AnyRange(random, 0, 2),
                     AnyRange(random, -0.5, 0.5)};
  }
  if (random.OneIn(2)) {
    config.erasing = {.probability = 0.7, .scale = AnyRange(random, 0.01, 1), .ratio = AnyRange(random, 0.2, 5)};
    if (random.OneIn(2)) config.erasing.value = AnyValues(random, channels, -1);
  }
  config.mean = AnyValues(random, channels, 0), config.std = AnyValues(random, channels, 0.1f);
  return config;
}

// One channel of one sample, normalized; noise where the rectangle is erased with noise is left to the caller.
Plane Expected(const AugmentConfig& config, const SampleChoices& choices, const Plane& bytes, int64_t channel) {
  const auto of = [&](const std::vector<float>& values) {
    return static_cast<double>(values.size() == 1 ? values[0] : values[channel]);
  };
  const int64_t height = config.resize_h > 0 ? config.resize_h : bytes.height;
  const int64_t width = config.resize_w > 0 ? config.resize_w : bytes.width;
  Plane plane = Resized(Resized(bytes, {0, 0, bytes.height, bytes.width}, height, width), choices.window,
                        config.out_h, config.out_w);
  if (choices.flip) {
    for (int64_t y = 0; y < config.out_h; ++y)
      std::reverse(plane.pixels.begin() + y * config.out_w, plane.pixels.begin() + (y + 1) * config.out_w);
  }
  if (choices.vertical_flip) {
    const Plane upright = plane;
    for (int64_t y = 0; y < config.out_h; ++y)
      std::copy_n(upright.pixels.begin() + (config.out_h - 1 - y) * config.out_w, config.out_w,
                  plane.pixels.begin() + y * config.out_w);
  }
  for (double& pixel : plane.pixels) pixel = (pixel / 255 - of(config.mean)) / of(config.std);
  const CropBox& box = choices.erased;
  for (int64_t y = box.top; y < box.top + box.height; ++y) {
    for (int64_t x = box.left; x < box.left + box.width; ++x)
      plane.pixels[y * config.out_w + x] = config.erasing.value.empty() ? NAN : of(config.erasing.value);
  }
  return plane;
}

}  // namespace

void FuzzAugment(Random& random, const kernels::KernelTable&) {
  const int64_t channels = random.Between(1, 4), batch = random.Between(1, 5);
  const auto seed = static_cast<uint64_t>(random.Between(0, 1 << 30)), epoch = seed % 7;
  std::vector<std::unique_ptr<Guarded<uint8_t>>> memory;
  std::vector<ImageSet> images;
  std::vector<int64_t> keys;
  int64_t least_h = 99, least_w = 99;
  for (int64_t b = 0; b < batch; ++b) {
    const int64_t height = random.Between(1, 20), width = random.Between(1, random.OneIn(4) ? 70 : 20);
    least_h = std::min(least_h, height), least_w = std::min(least_w, width);
    memory.push_back(std::make_unique<Guarded<uint8_t>>(channels * height * width, !random.OneIn(3)));
    for (int64_t i = 0; i < memory.back()->size(); ++i)
      (*memory.back())[i] = static_cast<uint8_t>(random.Between(0, 255));
    images.push_back({memory.back()->data(), 1, channels, height, width});
    keys.push_back(random.Between(0, 1000));
  }
  const AugmentConfig config = AnyConfig(random, channels, least_h, least_w);
  const BatchFormat format{random.OneIn(2) ? ElementType::kFloat32 : ElementType::kBFloat16, random.OneIn(2)};
  const bool narrow = format.type == ElementType::kBFloat16;
  const int64_t plane = config.out_h * config.out_w, count = batch * channels * plane;
  Guarded<float> wide(narrow ? 0 : count);
  Guarded<uint16_t> half(narrow ? count : 0);
  AugmentImages(config, images, keys, seed, epoch, format, narrow ? static_cast<void*>(half.data()) : wide.data(),
                static_cast<int>(random.Between(1, 3)));
  // Colors have their own tests; here they are only checked for memory errors.
  if (config.jitter.Active()) return;
  std::vector<double> got, expected;
  for (int64_t b = 0; b < batch; ++b) {
    const ImageSet& image = images[b];
    const SampleChoices choices =
        Choose(config, image.height, image.width, seed, epoch, static_cast<uint64_t>(keys[b]));
    for (int64_t c = 0; c < channels; ++c) {
      const uint8_t* bytes = image.data + c * image.height * image.width;
      const Plane right =
          Expected(config, choices, {image.height, image.width, {bytes, bytes + image.height * image.width}}, c);
      for (int64_t p = 0; p < plane; ++p) {
        const int64_t at = format.channels_last ? (b * plane + p) * channels + c : (b * channels + c) * plane + p;
        const double value = narrow ? FromBf16(half[at]) : wide[at];
        got.push_back(value);
        expected.push_back(std::isnan(right.pixels[p]) ? value : right.pixels[p]);
      }
    }
  }
  Compare("augmentation", got, expected, narrow ? 8e-3 : 1e-5);
}

}  // namespace fuzz
