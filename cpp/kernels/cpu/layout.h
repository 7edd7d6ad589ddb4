// Conversions between the layout of tensors and that of the products: images to and from channel-last rows,
// and weights to and from rows of channels, one for each tap.
#pragma once

#include "kernels/cpu/bf16.h"

namespace dyconv::kernels::DYCONV_ISA {

// Calls visit(begin) for blocks of kLanes that cover [0, count), count >= kLanes; the last may overlap the
// one before.
template <typename Visit>
DYCONV_INLINE void ForEachBlock(int64_t count, const Visit& visit) {
  int64_t begin = 0;
  for (; begin + kLanes <= count; begin += kLanes) visit(begin);
  if (begin < count) visit(count - kLanes);
}

// Calls visit(image) with the input or the output in its dtype, float32 or bfloat16.
template <typename Visit>
DYCONV_INLINE void WithInput(const DynamicConvArgs& args, const Visit& visit) {
  args.input16 != nullptr ? visit(args.input16) : visit(args.input);
}
template <typename Visit>
DYCONV_INLINE void WithOutput(const DynamicConvArgs& args, const Visit& visit) {
  args.output16 != nullptr ? visit(args.output16) : visit(args.output);
}

// Vector kPart of a[0], b[0], c[0], a[1], b[1], ...
template <int kPart, int... kJ>
DYCONV_INLINE Vec Interleaved(Vec a, Vec b, Vec c, std::integer_sequence<int, kJ...>) {
  constexpr int kFirst = kPart * kLanes;
  const Vec ab = Shuffle<((kFirst + kJ) / 3 + ((kFirst + kJ) % 3 == 1 ? kLanes : 0))...>(a, b);
  return Shuffle<((kFirst + kJ) % 3 == 2 ? kLanes + (kFirst + kJ) / 3 : kJ)...>(ab, c);
}

// ImageToRows for three channels and nothing between the rows: what images of red, green and blue are.
template <typename T>
void ThreeToRows(const T* image, int64_t plane, int64_t count, const int32_t* pixels, float* rows) {
  constexpr auto kOrder = std::make_integer_sequence<int, kLanes>();
  for (int64_t p = 0; p < count;) {
    float* to = rows + static_cast<int64_t>(pixels[p]) * 3;
    if (p + kLanes <= count && pixels[p + kLanes - 1] == pixels[p] + kLanes - 1) {
      const Vec a = Widened(image + p), b = Widened(image + plane + p), c = Widened(image + 2 * plane + p);
      Store(to, Interleaved<0>(a, b, c, kOrder));
      Store(to + kLanes, Interleaved<1>(a, b, c, kOrder));
      Store(to + 2 * kLanes, Interleaved<2>(a, b, c, kOrder));
      p += kLanes;
    } else {
      for (int64_t c = 0; c < 3; ++c) to[c] = WidenedOne(image[c * plane + p]);
      ++p;
    }
  }
}

// rows[pixels[p] * ld + c] = image[c, p]
template <typename T>
void ImageToRows(const T* image, const ImageStrides& strides, int64_t channels, int64_t count,
                 const int32_t* pixels, float* rows, int64_t ld) {
  if (strides.channel == 1) {
    for (int64_t p = 0; p < count; ++p) {
      const T* from = image + p * strides.pixel;
      float* row = rows + pixels[p] * ld;
      for (int64_t c = 0; c < channels; ++c) row[c] = WidenedOne(from[c]);
    }
  } else if (channels == 3 && ld == 3) {
    ThreeToRows(image, strides.channel, count, pixels, rows);
  } else if (channels < kLanes || count < kLanes) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < count; ++p) {
        rows[pixels[p] * ld + c] = WidenedOne(image[c * strides.channel + p]);
      }
    }
  } else {
    ForEachBlock(count, [&](int64_t p) {
      ForEachBlock(channels, [&](int64_t c) {
        Vec block[kLanes];
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) block[i] = Widened(image + (c + i) * strides.channel + p);
        Transpose(block);
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) Store(rows + pixels[p + i] * ld + c, block[i]);
      });
    });
  }
}

// image[c, p] = rows[pixels[p] * ld + c] + add[c]
template <typename T>
void RowsToImage(const float* rows, int64_t ld, const int32_t* pixels, const float* add, int64_t channels,
                 int64_t count, T* image, const ImageStrides& strides) {
  if (strides.channel == 1) {
    for (int64_t p = 0; p < count; ++p) {
      const float* row = rows + pixels[p] * ld;
      T* to = image + p * strides.pixel;
      for (int64_t c = 0; c < channels; ++c) StoreRoundedOne(to + c, row[c] + add[c]);
    }
  } else if (channels < kLanes || count < kLanes) {
    for (int64_t c = 0; c < channels; ++c) {
      for (int64_t p = 0; p < count; ++p) {
        StoreRoundedOne(image + c * strides.channel + p, rows[pixels[p] * ld + c] + add[c]);
      }
    }
  } else {
    ForEachBlock(channels, [&](int64_t c) {
      const Vec bias = Load(add + c);
      ForEachBlock(count, [&](int64_t p) {
        Vec block[kLanes];
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) block[i] = Load(rows + pixels[p + i] * ld + c) + bias;
        Transpose(block);
#pragma GCC unroll 16
        for (int i = 0; i < kLanes; ++i) StoreRounded(image + (c + i) * strides.channel + p, block[i]);
      });
    });
  }
}

// sums[c] = the sum of rows[p * ld + c] over all `count` pixels.
inline void SumRows(const float* rows, int64_t ld, int64_t count, int64_t channels, float* sums) {
  std::memset(sums, 0, channels * sizeof(float));
  for (int64_t p = 0; p < count; ++p, rows += ld) {
    for (int64_t c = 0; c < channels; ++c) sums[c] += rows[c];
  }
}

// to[t * step + j] = from[j * taps + t] for j < columns.
template <typename Weights>
void Deinterleave(const Weights& from, int64_t taps, int64_t columns, float* to, int64_t step) {
  int64_t j = 0;
  if (taps == 1) {
    for (; j < columns; ++j) to[j] = from[j];
    return;
  }
  // Blocks of kLanes columns x kLanes taps, as long as whole vectors can be read.
  for (; j + kLanes <= columns; j += kLanes) {
    for (int64_t t = 0; t < taps; t += kLanes) {
      if ((j + kLanes - 1) * taps + t + kLanes > columns * taps) {
        for (int64_t i = j; i < j + kLanes; ++i) {
          for (int64_t u = t; u < Min(t + kLanes, taps); ++u) to[u * step + i] = from[i * taps + u];
        }
        continue;
      }
      Vec block[kLanes];
#pragma GCC unroll 16
      for (int i = 0; i < kLanes; ++i) block[i] = from.Vector((j + i) * taps + t);
      Transpose(block);
      for (int64_t u = 0; u < Min(kLanes, taps - t); ++u) Store(to + (t + u) * step + j, block[u]);
    }
  }
  for (; j < columns; ++j) {
    for (int64_t t = 0; t < taps; ++t) to[t * step + j] = from[j * taps + t];
  }
}

// to[j * taps + t] = from[t * step + j] for j < columns.
inline void Interleave(const float* from, int64_t step, int64_t taps, int64_t columns, float* to) {
  int64_t j = 0;
  if (taps == 1) {
    for (; j < columns; ++j) to[j] = from[j];
    return;
  }
  // Up to kLanes taps: whole vectors are stored in ascending order, each over the surplus of the one before.
  for (; taps <= kLanes && j + kLanes <= columns; j += kLanes) {
    Vec block[kLanes];
    for (int64_t t = 0; t < kLanes; ++t) block[t] = t < taps ? Load(from + t * step + j) : Vec{};
    Transpose(block);
    for (int64_t i = 0; i < kLanes; ++i) {
      float* row = to + (j + i) * taps;
      if (i * taps + kLanes <= kLanes * taps) {
        Store(row, block[i]);
      } else {
        std::memcpy(row, &block[i], taps * sizeof(float));
      }
    }
  }
  for (; j < columns; ++j) {
    for (int64_t t = 0; t < taps; ++t) to[j * taps + t] = from[t * step + j];
  }
}

// Index of every real pixel of image rows [first, last) in an image padded by (pad_h, pad_w) to padded_w
// columns.
inline void PaddedPixels(int64_t first, int64_t last, int64_t width, int64_t pad_h, int64_t pad_w,
                         int64_t padded_w, int32_t* pixels) {
  for (int64_t y = first; y < last; ++y) {
    for (int64_t x = 0; x < width; ++x) *pixels++ = static_cast<int32_t>((y + pad_h) * padded_w + x + pad_w);
  }
}

// Index in the padded image of the first tap of every output pixel of output rows [first, last).
inline void TapPixels(const DynamicConvShape& s, int64_t first, int64_t last, int64_t padded_w,
                      int32_t* pixels) {
  for (int64_t y = first; y < last; ++y) {
    for (int64_t x = 0; x < s.out_w; ++x)
      *pixels++ = static_cast<int32_t>(y * s.stride_h * padded_w + x * s.stride_w);
  }
}

// The positions of the pixels of an image: pixel (y, x) is row origin + y * width + x.
struct ImageRows {
  int64_t origin, width;
};

// Pixels of an image's input and output that belong together.
struct PixelPairs {
  const int32_t* inputs;
  const int32_t* outputs;
  int64_t count;
};

// The pixels that one tap joins: outputs of output rows [first, last), counted from row `first`, and the
// inputs, in that order. Those whose input is padding are left out, so products never run over zeros.
inline PixelPairs TapPairs(const DynamicConvShape& s, int64_t tap, int64_t first, int64_t last,
                           const ImageRows& input, int32_t* inputs, int32_t* outputs) {
  const int64_t top = tap / s.kernel_w * s.dilation_h - s.padding_h;
  const int64_t left = tap % s.kernel_w * s.dilation_w - s.padding_w;
  int64_t begin = 0, end = s.out_w, count = 0;
  while (begin < end && begin * s.stride_w + left < 0) ++begin;
  while (begin < end && (end - 1) * s.stride_w + left >= s.in_w) --end;
  for (int64_t y = first; y < last; ++y) {
    const int64_t in_y = y * s.stride_h + top;
    if (in_y < 0 || in_y >= s.in_h) continue;
    const int64_t from = input.origin + in_y * input.width + left, to = (y - first) * s.out_w;
    for (int64_t x = begin; x < end; ++x, ++count) {
      inputs[count] = static_cast<int32_t>(from + x * s.stride_w);
      outputs[count] = static_cast<int32_t>(to + x);
    }
  }
  return {inputs, outputs, count};
}

inline void Iota(int64_t count, int32_t* pixels) {
  for (int64_t p = 0; p < count; ++p) pixels[p] = static_cast<int32_t>(p);
}

}  // namespace dyconv::kernels::DYCONV_ISA
