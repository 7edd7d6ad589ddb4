// Image augmentation: uint8 images in, a normalised float32 batch out, one pass per image.
//
// What one sample goes through, as the article's cv2 pipeline has it:
//   resize to resize_h x resize_w -> random resized crop, or pad and random crop -> flip -> / 255 -> (x -
//   mean) / std
// Both resizings are bilinear with half-pixel centres and without antialiasing. They are composed into one
// set of at most four taps per output row and column, so neither the resized image nor the crop is ever
// stored, and nothing is rounded between the steps.
//
// Random numbers depend on (seed, epoch, index of the image) alone; see SampleRandom. A batch is therefore
// bit-equal whatever the number of threads, the batch it falls in or the order of the batches.
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

struct AugmentConfig {
  int64_t resize_h = 0;  // size before the crop; 0: the image's own
  int64_t resize_w = 0;
  int64_t out_h = 0;  // size of the batch
  int64_t out_w = 0;
  bool crop = false;  // random resized crop; otherwise the whole image is resized to out_h x out_w
  double scale_min = 0.08, scale_max = 1.0;             // share of the area
  double ratio_min = 3.0 / 4.0, ratio_max = 4.0 / 3.0;  // width / height
  int64_t padding =
      0;  // black pixels around the resized image, of which a random part of its own size is taken
  double flip = 0.0;              // probability
  std::vector<float> mean{0.5f};  // in [0, 1] units; one for all channels or one per channel
  std::vector<float> std{0.5f};
};

struct CropBox {
  int64_t top, left, height, width;
};

// Counter-based generator: the n-th number of a sample is a hash of its key and n (splitmix64, Steele et al.
// 2014).
//   mix(z):  z ^= z >> 30; z *= 0xbf58476d1ce4e5b9; z ^= z >> 27; z *= 0x94d049bb133111eb; z ^= z >> 31
//   key    = mix(mix(mix(seed + G) ^ epoch + G) ^ index + G)  with  G = 0x9e3779b97f4a7c15, sums modulo 2^64
//   n-th   = mix(key + (n + 1) * G), and its upper 53 bits / 2^53 as a number in [0, 1)
class SampleRandom {
 public:
  SampleRandom(uint64_t seed, uint64_t epoch, uint64_t index);
  double Uniform();                         // [0, 1)
  double Uniform(double low, double high);  // [low, high)
  int64_t Below(int64_t bound);             // 0 .. bound - 1

 private:
  uint64_t state_;
};

// The crop rule of torchvision's and Paddle's RandomResizedCrop: ten tries at an area and a log-uniform
// aspect ratio, then the largest central crop whose aspect ratio is allowed.
CropBox RandomCropBox(const AugmentConfig& config, int64_t height, int64_t width, SampleRandom& random);

// Writes out[batch, channels, out_h, out_w] for the images `indices[0 .. batch)`. Uses `threads` threads, the
// calling one included. Throws std::invalid_argument or std::out_of_range when the contract above does not
// hold.
void AugmentBatch(const AugmentConfig& config, const ImageSet& images, const int64_t* indices, int64_t batch,
                  uint64_t seed, uint64_t epoch, float* out, int threads);

}  // namespace dyconv
