#include "kernels/ref/dynamic_conv.h"

namespace dyconv::kernels::ref {
namespace {

// Calls visit(input offset, weight offset) for every product that output element (b, k, o, y, x) sums.
// Offsets are into the whole tensors; taps that fall into the zero padding are left out.
template <typename Visit>
void ForEachProduct(const DynamicConvShape& s, int64_t b, int64_t k, int64_t o, int64_t y, int64_t x,
                    const Visit& visit) {
  const int64_t first_channel = o / s.out_per_group() * s.in_per_group();
  for (int64_t i = 0; i < s.in_per_group(); ++i) {
    for (int64_t r = 0; r < s.kernel_h; ++r) {
      const int64_t in_y = y * s.stride_h - s.padding_h + r * s.dilation_h;
      if (in_y < 0 || in_y >= s.in_h) continue;
      for (int64_t c = 0; c < s.kernel_w; ++c) {
        const int64_t in_x = x * s.stride_w - s.padding_w + c * s.dilation_w;
        if (in_x < 0 || in_x >= s.in_w) continue;
        visit(((b * s.in_channels + first_channel + i) * s.in_h + in_y) * s.in_w + in_x,
              (((k * s.out_channels + o) * s.in_per_group() + i) * s.kernel_h + r) * s.kernel_w + c);
      }
    }
  }
}

// Calls visit(b, o, y, x, output offset) for every output element.
template <typename Visit>
void ForEachOutput(const DynamicConvShape& s, const Visit& visit) {
  int64_t offset = 0;
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t o = 0; o < s.out_channels; ++o) {
      for (int64_t y = 0; y < s.out_h; ++y) {
        for (int64_t x = 0; x < s.out_w; ++x) visit(b, o, y, x, offset++);
      }
    }
  }
}

}  // namespace

void DynamicConvForward(const DynamicConvShape& s, const double* input, const double* weight,
                        const double* attention, const double* bias, double* output) {
  ForEachOutput(s, [&](int64_t b, int64_t o, int64_t y, int64_t x, int64_t offset) {
    double sum = 0;
    for (int64_t k = 0; k < s.experts; ++k) {
      double expert = bias ? bias[k * s.out_channels + o] : 0;
      ForEachProduct(s, b, k, o, y, x, [&](int64_t in, int64_t w) { expert += input[in] * weight[w]; });
      sum += attention[b * s.experts + k] * expert;
    }
    output[offset] = sum;
  });
}

void DynamicConvBackward(const DynamicConvShape& s, const double* input, const double* weight,
                         const double* attention, const double* bias, const double* grad_output,
                         const DynamicConvGrads& grads) {
  ForEachOutput(s, [&](int64_t b, int64_t o, int64_t y, int64_t x, int64_t offset) {
    const double grad = grad_output[offset];
    for (int64_t k = 0; k < s.experts; ++k) {
      const double a = attention[b * s.experts + k];
      double expert = bias ? bias[k * s.out_channels + o] : 0;
      ForEachProduct(s, b, k, o, y, x, [&](int64_t in, int64_t w) {
        expert += input[in] * weight[w];
        grads.input[in] += grad * a * weight[w];
        grads.weight[w] += grad * a * input[in];
      });
      grads.attention[b * s.experts + k] += grad * expert;
      if (bias) grads.bias[k * s.out_channels + o] += grad * a;
    }
  });
}

}  // namespace dyconv::kernels::ref
