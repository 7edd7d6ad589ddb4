// A random convolution with its tensors, and the results of the reference.
#pragma once

#include <algorithm>
#include <memory>
#include <optional>

#include "guarded.h"
#include "kernels/ref/dynamic_conv.h"

namespace fuzz {

using kernels::DynamicConvArgs;
using kernels::DynamicConvPlan;
using kernels::DynamicConvShape;
using kernels::ImageStrides;

// One axis: sizes from 1 to 9, reduced as cpp/ops/window.h does.
struct Axis {
  int64_t in, kernel, stride, padding, dilation, out;

  static Axis Any(Random& random, bool winograd) {
    Axis a{};
    do {
      a = {random.Between(1, 9), random.Between(1, random.OneIn(4) ? 9 : 4), random.Between(1, 9),
           random.Between(0, 4), random.Between(1, 9),          0};
      if (random.OneIn(2)) a.stride = a.dilation = 1;
      if (winograd) a.stride = a.dilation = 1, a.kernel = 3;
      a.Reduce();
    } while (a.out < 1);
    return a;
  }
  void Reduce() {
    if (kernel == 1) dilation = 1;
    const int64_t room = in + 2 * padding - dilation * (kernel - 1) - 1;
    out = room < 0 ? 0 : room / stride + 1;
    stride = std::min(stride, std::max<int64_t>(room + 1, 16));
  }
};

inline void SetAxes(DynamicConvShape& s, const Axis& y, const Axis& x) {
  s.in_h = y.in, s.kernel_h = y.kernel, s.stride_h = y.stride, s.padding_h = y.padding;
  s.in_w = x.in, s.kernel_w = x.kernel, s.stride_w = x.stride, s.padding_w = x.padding;
  s.dilation_h = y.dilation, s.dilation_w = x.dilation, s.out_h = y.out, s.out_w = x.out;
}

// A [batch, channels, plane] image in the memory order of the case, contiguous or channels last.
class Image {
 public:
  Image(Random& random, int64_t batch, int64_t channels, int64_t plane)
      : numbers_(batch * channels * plane, !random.OneIn(4)), batch_(batch), channels_(channels),
        plane_(plane) {
    last_ = random.OneIn(2);
    strides = last_ ? ImageStrides{channels * plane, 1, channels} : ImageStrides{channels * plane, plane, 1};
    if (batch * plane == 0) last_ = false;
  }
  float* data() { return numbers_.data(); }
  Guarded<float>& numbers() { return numbers_; }
  // In the reference's order.
  std::vector<double> Doubles() {
    std::vector<double> all;
    all.reserve(numbers_.size());
    for (int64_t b = 0; b < batch_; ++b) {
      for (int64_t c = 0; c < channels_; ++c) {
        for (int64_t p = 0; p < plane_; ++p)
          all.push_back(numbers_[b * strides.batch + c * strides.channel + p * strides.pixel]);
      }
    }
    return all;
  }
  ImageStrides strides;

 private:
  Guarded<float> numbers_;
  int64_t batch_, channels_, plane_;
  bool last_;
};

// Numbers that bfloat16 can hold, and a buffer of them as such.
inline std::unique_ptr<Guarded<uint16_t>> AsBf16(Guarded<float>& numbers) {
  auto narrow = std::make_unique<Guarded<uint16_t>>(numbers.size());
  for (int64_t i = 0; i < numbers.size(); ++i) {
    (*narrow)[i] = ToBf16(numbers[i]);
    numbers[i] = FromBf16((*narrow)[i]);
  }
  return narrow;
}

struct Convolution {
  Convolution(Random& random, const DynamicConvShape& shape, bool is_static);

  DynamicConvShape shape;
  bool is_static, relative = false, has_bias;
  int64_t first_expert = 0;
  Image input, grad_output;
  Guarded<float> weight, attention, bias;
  Guarded<float> swapped;  // attention in the kernels' order
  std::vector<double> output, grad_input, grad_weight, grad_attention, grad_bias;

  DynamicConvArgs Args(const DynamicConvPlan& plan);
  // Runs the reference on the current values of the tensors.
  void Expect();
  // The attention's gradient from sums of partial ones, as cpp/ops/dynamic_conv/relative_experts.cc does; `totals` may be
  // null.
  std::vector<double> AttentionGrad(const std::vector<double>& partial, const float* totals,
                                    const float* grad_output_sums);
};

}  // namespace fuzz
