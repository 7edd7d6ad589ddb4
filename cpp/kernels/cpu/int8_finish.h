// The last step of the kernels for int8: from sums to float32, or to uint8 again. int8_round.h comes before.
#pragma once

#include "kernels/cpu/int8_dot.h"
#include "kernels/cpu/int8_round.h"
#include "kernels/int8.h"

namespace dyconv::kernels::DYCONV_ISA {

// What follows the sums of a tile. A copy: stores of bytes could change what is behind a pointer.
struct Finish {
  const int32_t* weight_sums;
  const float* scales;
  const float* bias;
  float input_scale;
  int32_t input_zero;
  const float* residual;
  const uint8_t* residual8;
  float residual_scale, residual_zero;
  float output_factor;
  int32_t output_zero;

  Finish(const Int8ConvArgs& args, const Int8Weights& weights, const float* bias)
      : weight_sums(weights.sums),
        scales(weights.scales),
        bias(bias),
        input_scale(args.input_scale),
        input_zero(args.input_zero),
        residual(args.residual),
        residual8(args.residual8),
        residual_scale(args.residual_scale),
        residual_zero(static_cast<float>(args.residual_zero)),
        output_factor(args.output_factor),
        output_zero(args.output_zero) {}

  // The results of `lanes` columns from `c` on, which are stored from `at` on.
  template <Activation kActivation>
  DYCONV_INLINE Vec Of(IntVec sums, int64_t c, int64_t at, int64_t lanes) const {
    const IntVec exact = sums - input_zero * LoadInts(weight_sums + c);
    Vec x = __builtin_convertvector(exact, Vec) * (Load(scales + c) * input_scale) + Load(bias + c);
    if (residual8 != nullptr) x += (LoadBytes(residual8 + at, lanes) - residual_zero) * residual_scale;
    if (residual != nullptr) x += lanes == kLanes ? Load(residual + at) : LoadPart(residual + at, lanes);
    return Activated<kActivation>(x);
  }
  DYCONV_INLINE void StoreTo(uint8_t* to, Vec x, int64_t lanes) const {
    StoreBytes(to, Quantized(x, output_factor, output_zero), lanes);
  }
  DYCONV_INLINE void StoreTo(float* to, Vec x, int64_t lanes) const {
    lanes == kLanes ? Store(to, x) : StorePart(to, x, lanes);
  }
};

// Stores the sums of a tile, whose rows are `step` apart in the output.
template <Activation kActivation, typename Out>
void FinishRows(const Finish finish, const int32_t* sums, int64_t rows, int64_t width, int64_t at,
                int64_t step, int64_t columns, Out* output) {
  for (int64_t m = 0; m < rows; ++m, sums += width, at += step) {
    int64_t c = 0;
    for (; c + kLanes <= columns; c += kLanes) {
      const Vec x = finish.Of<kActivation>(LoadInts(sums + c), c, at + c, kLanes);
      finish.StoreTo(output + at + c, x, kLanes);
    }
    if (c < columns) {
      const Vec x = finish.Of<kActivation>(LoadInts(sums + c), c, at + c, columns - c);
      finish.StoreTo(output + at + c, x, columns - c);
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
