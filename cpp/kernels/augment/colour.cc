#include "kernels/augment/colour.h"

#include <algorithm>

#include "kernels/augment/simd.h"

namespace dyconv {

namespace {

// Luma of ITU-R 601-2, as torchvision's rgb_to_grayscale has it.
constexpr float kRed = 0.2989f, kGreen = 0.587f, kBlue = 0.114f;
constexpr int64_t kLanes = 16;

DYCONV_INLINE float Clamp01(float x) { return std::min(std::max(x, 0.0f), 1.0f); }

// factor * x + offset, kept in [0, 1]: brightness, and contrast once the mean is known.
DYCONV_SIMD_CLONES
void Scale(float* __restrict x, int64_t size, float factor, float offset) {
  for (int64_t i = 0; i < size; ++i) x[i] = Clamp01(factor * x[i] + offset);
}

// Sums in lanes of fixed width: the same result with every instruction set, and vectorizable.
DYCONV_SIMD_CLONES
double Mean(const float* __restrict planes, int64_t channels, int64_t size) {
  const float* red = planes;
  const float* green = channels == 3 ? planes + size : planes;
  const float* blue = channels == 3 ? planes + 2 * size : planes;
  const float wr = channels == 3 ? kRed : 1.0f, wg = channels == 3 ? kGreen : 0.0f,
              wb = channels == 3 ? kBlue : 0.0f;
  double sum = 0;
  constexpr int64_t kBlock = 64 * kLanes;
  for (int64_t start = 0; start < size; start += kBlock) {
    const int64_t count = std::min(kBlock, size - start), whole = count - count % kLanes;
    float lanes[kLanes] = {};
    for (int64_t i = start; i < start + whole; i += kLanes) {
      for (int64_t l = 0; l < kLanes; ++l) lanes[l] += wr * red[i + l] + wg * green[i + l] + wb * blue[i + l];
    }
    for (int64_t i = start + whole; i < start + count; ++i)
      lanes[0] += wr * red[i] + wg * green[i] + wb * blue[i];
    for (const float lane : lanes) sum += lane;
  }
  return sum / static_cast<double>(size);
}

DYCONV_SIMD_CLONES
void Saturate(float* __restrict red, float* __restrict green, float* __restrict blue, int64_t size,
              float factor) {
  for (int64_t i = 0; i < size; ++i) {
    const float grey = (1.0f - factor) * (kRed * red[i] + kGreen * green[i] + kBlue * blue[i]);
    red[i] = Clamp01(factor * red[i] + grey);
    green[i] = Clamp01(factor * green[i] + grey);
    blue[i] = Clamp01(factor * blue[i] + grey);
  }
}

// One channel of an HSV color: hue in sixths of the circle from 0 to 6, chroma = value * saturation.
DYCONV_INLINE float FromHue(float hue, float value, float chroma, float shift) {
  float k = hue + shift;
  k = k >= 6.0f ? k - 6.0f : k;
  return value - chroma * std::max(0.0f, std::min(std::min(k, 4.0f - k), 1.0f));
}

// Through HSV and back, the hue turned by `turn` of the circle.
DYCONV_SIMD_CLONES
void Turn(float* __restrict red, float* __restrict green, float* __restrict blue, int64_t size, float turn) {
  const float sixths = turn < 0 ? 6.0f * turn + 6.0f : 6.0f * turn;
  for (int64_t i = 0; i < size; ++i) {
    const float r = red[i], g = green[i], b = blue[i];
    const float value = std::max(std::max(r, g), b), chroma = value - std::min(std::min(r, g), b);
    const float inverse = 1.0f / (chroma > 0 ? chroma : 1.0f);
    const float from_red = (g - b) * inverse, from_green = 2.0f + (b - r) * inverse,
                from_blue = 4.0f + (r - g) * inverse;
    float hue = value == r ? from_red : value == g ? from_green : from_blue;
    hue = (hue < 0 ? hue + 6.0f : hue) + sixths;
    hue = hue >= 6.0f ? hue - 6.0f : hue;
    red[i] = FromHue(hue, value, chroma, 5.0f);
    green[i] = FromHue(hue, value, chroma, 3.0f);
    blue[i] = FromHue(hue, value, chroma, 1.0f);
  }
}

}  // namespace

void JitterColours(const SampleChoices& choices, int64_t channels, int64_t size, float* planes) {
  float *red = planes, *green = planes + size, *blue = planes + 2 * size;
  for (const uint8_t step : choices.order) {
    const float factor = choices.factor[step];
    switch (step) {
      case kBrightness:
        if (factor != 1.0f) Scale(planes, channels * size, factor, 0.0f);
        break;
      case kContrast:
        if (factor != 1.0f) {
          const double mean = Mean(planes, channels, size);
          Scale(planes, channels * size, factor, static_cast<float>((1.0 - factor) * mean));
        }
        break;
      case kSaturation:
        if (channels == 3 && factor != 1.0f) Saturate(red, green, blue, size, factor);
        break;
      default:
        if (channels == 3 && factor != 0.0f) Turn(red, green, blue, size, factor);
        break;
    }
  }
}

}  // namespace dyconv
