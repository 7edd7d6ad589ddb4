// Image augmentation: uint8 images in, a normalized batch out, one pass per image.
//
// What one sample goes through:
//   resize -> crop (random resized, random with padding, or central) -> resize -> flips -> / 255 -> color
//   jitter -> (x - mean) / std -> random erasing
// Both resizings are bilinear with half-pixel centers and without antialiasing. They are composed into one
// set of at most four taps per output row and column, so neither the resized image nor the crop is ever
// stored, and nothing is rounded between the steps.
//
// Random numbers depend on (seed, epoch, index of the image) alone; see SampleRandom. A batch is therefore
// bit-equal for any number of threads, the batch it falls in or the order of the batches.
#pragma once

#include <array>
#include <cstdint>
#include <vector>

namespace dyconv {

// Images of one size, as a data set holds them: count x channels x height x width bytes.
struct ImageSet {
  const uint8_t* data = nullptr;
  int64_t count = 0;
  int64_t channels = 0;
  int64_t height = 0;
  int64_t width = 0;
};

struct Range {
  double low, high;
};

// What is cut out of the resized image.
enum class CropKind {
  kNone,     // nothing: all of it
  kResized,  // a part of random area and aspect ratio
  kRandom,   // crop_h x crop_w somewhere in the image with `padding` black pixels around it
  kCenter,   // crop_h x crop_w around the center
};

// torchvision's ColorJitter; a range without width at the neutral value is left out.
struct Jitter {
  Range brightness{1, 1}, contrast{1, 1}, saturation{1, 1}, hue{0, 0};
  bool Active() const;
};

// torchvision's RandomErasing.
struct Erasing {
  double probability = 0;
  Range scale{0.02, 0.33};   // share of the area
  Range ratio{0.3, 3.3};     // height / width
  std::vector<float> value;  // normalized; one for all channels or one per channel; empty: normal noise
};

struct AugmentConfig {
  int64_t resize_h = 0, resize_w = 0;  // size before the crop; 0: the image's own
  int64_t out_h = 0, out_w = 0;        // size of the batch
  CropKind crop = CropKind::kNone;
  Range scale{0.08, 1.0};              // kResized: share of the area
  Range ratio{3.0 / 4.0, 4.0 / 3.0};   // kResized: width / height
  int64_t crop_h = 0, crop_w = 0;      // kRandom, kCenter
  int64_t padding = 0;                 // kRandom
  double flip = 0, vertical_flip = 0;  // probabilities
  Jitter jitter{};
  Erasing erasing{};
  std::vector<float> mean{0.5f};  // in [0, 1] units; one for all channels or one per channel
  std::vector<float> std{0.5f};
};

enum class ElementType { kFloat32, kBFloat16 };

// What the batch looks like in memory.
struct BatchFormat {
  ElementType type = ElementType::kFloat32;
  bool channels_last = false;
};

// A rectangle of pixels.
struct CropBox {
  int64_t top = 0, left = 0, height = 0, width = 0;
};

// Every sample with the one before it in the batch, the first with the last: share * x + (1 - share) * other
// inside the box where there is one (cutmix has share 0), everywhere otherwise (mixup).
struct Mix {
  float share = 1;
  bool boxed = false;
  CropBox box;
};

// Counter-based generator: the n-th number of a sample is a hash of its key and n (splitmix64, Steele et al.
// 2014).
//   mix(z):  z ^= z >> 30; z *= 0xbf58476d1ce4e5b9; z ^= z >> 27; z *= 0x94d049bb133111eb; z ^= z >> 31
//   key    = mix(mix(mix(seed + G) ^ epoch + G) ^ index + G)  with  G = 0x9e3779b97f4a7c15, sums modulo 2^64
//   n-th   = mix(key + (n + 1) * G), and its upper 53 bits / 2^53 as a number in [0, 1)
class SampleRandom {
 public:
  SampleRandom(uint64_t seed, uint64_t epoch, uint64_t index);
  double Uniform();         // [0, 1)
  double Uniform(Range r);  // [low, high)
  double LogUniform(Range r);
  int64_t Below(int64_t bound);  // 0 .. bound - 1
  double Normal();               // Box and Muller, two numbers each

 private:
  uint64_t state_;
};

enum ColourStep : uint8_t { kBrightness, kContrast, kSaturation, kHue };

// The choices for one sample, drawn in this order: crop (ten tries at area and ratio, then top, left), flip,
// vertical flip, order of the color steps (Fisher and Yates from the last), brightness, contrast,
// saturation, hue, whether to erase, up to ten tries at area and ratio, top, left; then noise, channel by
// channel. What is switched off draws nothing.
struct SampleChoices {
  CropBox window;  // of the resized image; may extend beyond it
  bool flip = false, vertical_flip = false;
  std::array<uint8_t, 4> order{kBrightness, kContrast, kSaturation, kHue};
  std::array<float, 4> factor{1, 1, 1, 0};  // by ColourStep
  CropBox erased;                           // without area: nothing
  SampleRandom noise;
};

SampleChoices Choose(const AugmentConfig& config, int64_t height, int64_t width, uint64_t seed,
                     uint64_t epoch, uint64_t index);

// Throws a TypedError for sizes that no image could have.
void CheckAugmentConfig(const AugmentConfig& config);

// Throws a TypedError unless a checked configuration can be applied to the images, and all indices exist.
void CheckAugmentFit(const AugmentConfig& config, const ImageSet& images,
                     const std::vector<int64_t>& indices);

// Writes the images `indices` as a batch [indices, channels, out_h, out_w] of the given format. Uses
// `threads` threads including the caller's. The caller has checked the arguments with the functions above.
void AugmentBatch(const AugmentConfig& config, const ImageSet& images, const std::vector<int64_t>& indices,
                  uint64_t seed, uint64_t epoch, const BatchFormat& format, void* out, int threads);

// The same for images of different sizes, each an ImageSet of one image with a key in place of its index.
// All have the same number of channels, and there are as many keys as images.
void AugmentImages(const AugmentConfig& config, const std::vector<ImageSet>& images,
                   const std::vector<int64_t>& keys, uint64_t seed, uint64_t epoch, const BatchFormat& format,
                   void* out, int threads);

// Mixes a finished batch in place.
void MixBatch(const Mix& mix, const std::array<int64_t, 4>& shape, const BatchFormat& format, void* batch,
              int threads);

}  // namespace dyconv
