// Pooling of channels-last images, for inference: rows of channels are combined a vector at a time.
#include <limits>

#include "kernels/cpu/epilogue.h"
#include "kernels/nhwc.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// The larger number, or NaN if one of the two is NaN, as in libtorch.
DYCONV_INLINE Vec Larger(Vec most, Vec x) {
  return most >= x ? most : x == x ? (most == most ? x : most) : x;
}

// Vectors of bytes: a whole register, and 16 bytes for images with fewer channels.
typedef uint8_t WideBytes __attribute__((vector_size(kLanes * sizeof(float))));
typedef uint8_t Bytes __attribute__((vector_size(16)));

// Taps of one output along an axis that are not padding.
struct TapRange {
  int64_t begin, end;

  DYCONV_INLINE TapRange(int64_t first, int64_t in, int64_t kernel, int64_t dilation)
      : begin(first < 0 ? CeilDiv(-first, dilation) : 0),
        end(Min(kernel, first >= in ? 0 : CeilDiv(in - first, dilation))) {}
};

template <int kVecs>
DYCONV_INLINE void MaxOfTaps(const NhwcPoolArgs& args, const float* image, int64_t top, int64_t left,
                             const TapRange& ys, const TapRange& xs, float* output) {
  const auto& s = args.shape;
  Vec most[kVecs];
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) most[v] = Vec{} - std::numeric_limits<float>::infinity();
  for (int64_t y = ys.begin; y < ys.end; ++y) {
    const float* row = image + ((top + y * s.dilation_h) * s.in_w + left) * args.channels;
    for (int64_t x = xs.begin; x < xs.end; ++x) {
      const float* from = row + x * s.dilation_w * args.channels;
#pragma GCC unroll 8
      for (int v = 0; v < kVecs; ++v) most[v] = Larger(most[v], Load(from + v * kLanes));
    }
  }
#pragma GCC unroll 8
  for (int v = 0; v < kVecs; ++v) Store(output + v * kLanes, most[v]);
}

void MaxOfTapsOfPart(const NhwcPoolArgs& args, const float* image, int64_t top, int64_t left,
                     const TapRange& ys, const TapRange& xs, int64_t lanes, float* output) {
  const auto& s = args.shape;
  Vec most = Vec{} - std::numeric_limits<float>::infinity();
  for (int64_t y = ys.begin; y < ys.end; ++y) {
    for (int64_t x = xs.begin; x < xs.end; ++x) {
      const int64_t pixel = (top + y * s.dilation_h) * s.in_w + left + x * s.dilation_w;
      most = Larger(most, LoadPart(image + pixel * args.channels, lanes));
    }
  }
  StorePart(output, most, lanes);
}

}  // namespace

// [begin, end) is a range of output rows, counted over all samples.
void NhwcMaxPool(const NhwcPoolArgs& args, int64_t begin, int64_t end) {
  const auto& s = args.shape;
  constexpr int64_t kWide = 4 * kLanes;
  for (int64_t row = begin; row < end; ++row) {
    const float* image = args.input + row / s.out_h * s.in_plane() * args.channels;
    const int64_t top = row % s.out_h * s.stride_h - s.padding_h;
    const TapRange ys(top, s.in_h, s.kernel_h, s.dilation_h);
    for (int64_t x = 0; x < s.out_w; ++x) {
      const int64_t left = x * s.stride_w - s.padding_w;
      const TapRange xs(left, s.in_w, s.kernel_w, s.dilation_w);
      float* output = args.output + (row * s.out_w + x) * args.channels;
      int64_t c = 0;
      for (; c + kWide <= args.channels; c += kWide)
        MaxOfTaps<4>(args, image + c, top, left, ys, xs, output + c);
      for (; c + kLanes <= args.channels; c += kLanes)
        MaxOfTaps<1>(args, image + c, top, left, ys, xs, output + c);
      if (c < args.channels)
        MaxOfTapsOfPart(args, image + c, top, left, ys, xs, args.channels - c, output + c);
    }
  }
}

// The same for bytes.
void NhwcMaxPoolBytes(const MaxPoolShape& s, int64_t channels, const uint8_t* input, uint8_t* output,
                      int64_t begin, int64_t end) {
  for (int64_t row = begin; row < end; ++row) {
    const uint8_t* image = input + row / s.out_h * s.in_plane() * channels;
    const int64_t top = row % s.out_h * s.stride_h - s.padding_h;
    const TapRange ys(top, s.in_h, s.kernel_h, s.dilation_h);
    for (int64_t x = 0; x < s.out_w; ++x) {
      const int64_t left = x * s.stride_w - s.padding_w;
      const TapRange xs(left, s.in_w, s.kernel_w, s.dilation_w);
      uint8_t* to = output + (row * s.out_w + x) * channels;
      // The maxima of the channels from `c` on, as many as a vector of bytes has; `most` is all zeros.
      const auto pool = [&](auto most, int64_t c) {
        for (int64_t i = ys.begin; i < ys.end; ++i) {
          for (int64_t j = xs.begin; j < xs.end; ++j) {
            const int64_t pixel = (top + i * s.dilation_h) * s.in_w + left + j * s.dilation_w;
            decltype(most) one;
            std::memcpy(&one, image + pixel * channels + c, sizeof(one));
            most = one > most ? one : most;
          }
        }
        std::memcpy(to + c, &most, sizeof(most));
      };
      // The last vector overlaps channels that are already done.
      const auto pool_all = [&](auto zeros) {
        constexpr int64_t kBytes = sizeof(zeros);
        int64_t c = 0;
        for (; c + kBytes <= channels; c += kBytes) pool(zeros, c);
        if (c < channels) pool(zeros, channels - kBytes);
      };
      if (channels >= static_cast<int64_t>(sizeof(WideBytes))) {
        pool_all(WideBytes{});
      } else if (channels >= static_cast<int64_t>(sizeof(Bytes))) {
        pool_all(Bytes{});
      } else {
        for (int64_t c = 0; c < channels; ++c) pool(uint8_t{}, c);
      }
    }
  }
}

// means[sample, channel] of images [samples, plane, channels]. [begin, end) is a range of samples.
void NhwcMeans(const float* input, int64_t plane, int64_t channels, float* means, int64_t begin,
               int64_t end) {
  const float scale = 1 / static_cast<float>(plane);
  for (int64_t sample = begin; sample < end; ++sample) {
    const float* image = input + sample * plane * channels;
    for (int64_t c = 0; c < channels; c += kLanes) {
      const int64_t lanes = Min(kLanes, channels - c);
      // Two sums halve the chain of dependent additions, and the rounding errors.
      Vec sums[2] = {};
      for (int64_t p = 0; p < plane; ++p) {
        const float* from = image + p * channels + c;
        sums[p & 1] += lanes == kLanes ? Load(from) : LoadPart(from, lanes);
      }
      StorePart(means + sample * channels + c, (sums[0] + sums[1]) * scale, lanes);
    }
  }
}

// sums[sample, channel] of such images of bytes.
void NhwcSumsBytes(const uint8_t* input, int64_t plane, int64_t channels, int32_t* sums, int64_t begin,
                   int64_t end) {
  for (int64_t sample = begin; sample < end; ++sample) {
    const uint8_t* image = input + sample * plane * channels;
    int32_t* to = sums + sample * channels;
    std::memset(to, 0, channels * sizeof(*to));
    for (int64_t p = 0; p < plane; ++p, image += channels) {
      for (int64_t c = 0; c < channels; ++c) to[c] += image[c];
    }
  }
}

// output = input * scale[sample, channel]. [begin, end) is a range of pixels, counted over all samples.
void NhwcScale(const float* input, const float* scale, int64_t plane, int64_t channels, float* output,
               int64_t begin, int64_t end) {
  for (int64_t p = begin; p < end; ++p) {
    const float* from = input + p * channels;
    const float* factors = scale + p / plane * channels;
    for (int64_t c = 0; c < channels; ++c) output[p * channels + c] = from[c] * factors[c];
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
