#include "convolution.h"

namespace fuzz {

Convolution::Convolution(Random& random, const DynamicConvShape& s, bool is_static)
    : shape(s),
      is_static(is_static),
      has_bias(random.OneIn(2)),
      input(random, s.batch, s.in_channels, s.in_plane()),
      grad_output(random, s.batch, s.out_channels, s.out_plane()),
      weight(s.experts * s.expert_size()),
      attention(s.batch * s.experts),
      bias(s.experts * s.out_channels),
      swapped(s.batch * s.experts) {
  for (auto* tensor : {&input.numbers(), &grad_output.numbers(), &weight, &attention, &bias}) {
    tensor->Fill(random);
  }
  relative = !is_static && random.OneIn(2);
  first_expert = relative ? random.Between(0, s.experts - 1) : 0;
  for (int64_t b = 0; b < s.batch; ++b) {
    float* a = attention.data() + b * s.experts;
    float sum = 0;
    for (int64_t k = 0; k < s.experts; ++k) sum += a[k] = is_static ? 1 : relative ? std::fabs(a[k]) + 0.1f : a[k];
    for (int64_t k = 0; relative && k < s.experts; ++k) a[k] /= sum;
    float* to = swapped.data() + b * s.experts;
    std::copy_n(a, s.experts, to);
    std::swap(to[0], to[first_expert]);
  }
}

DynamicConvArgs Convolution::Args(const DynamicConvPlan& plan) {
  DynamicConvArgs args;
  args.shape = shape;
  args.plan = plan;
  args.input = input.data();
  args.input_strides = input.strides;
  args.grad_output = grad_output.data();
  args.grad_output_strides = grad_output.strides;
  args.weight = weight.data();
  args.attention = is_static ? nullptr : swapped.data();
  args.bias = has_bias ? bias.data() : nullptr;
  args.relative = relative;
  args.first_expert = first_expert;
  return args;
}

void Convolution::Expect() {
  const auto &s = shape;
  const auto x = input.Doubles(), w = weight.Doubles(), a = attention.Doubles(), b = bias.Doubles(),
             g = grad_output.Doubles();
  const double* biases = has_bias ? b.data() : nullptr;
  output.assign(s.batch * s.out_channels * s.out_plane(), 0);
  grad_input.assign(x.size(), 0);
  grad_weight.assign(w.size(), 0);
  grad_attention.assign(a.size(), 0);
  grad_bias.assign(b.size(), 0);
  kernels::ref::DynamicConvForward(s, x.data(), w.data(), a.data(), biases, output.data());
  kernels::ref::DynamicConvBackward(
      s, x.data(), w.data(), a.data(), biases, g.data(),
      {grad_input.data(), grad_weight.data(), grad_attention.data(), has_bias ? grad_bias.data() : nullptr});
}

std::vector<double> Convolution::AttentionGrad(const std::vector<double>& partial, const float* totals,
                                               const float* grad_output_sums) {
  const auto& s = shape;
  std::vector<double> grads = partial;
  for (int64_t b = 0; b < s.batch; ++b) {
    double* grad = grads.data() + b * s.experts;
    if (relative) {
      double first = totals == nullptr ? grad[0] : totals[b];
      for (int64_t k = 1; totals != nullptr && k < s.experts; ++k)
        first -= swapped[b * s.experts + k] * grad[k];
      grad[0] = first;
      for (int64_t k = 1; k < s.experts; ++k) grad[k] += first;
      std::swap(grad[0], grad[first_expert]);
    }
    for (int64_t k = 0; has_bias && k < s.experts; ++k) {
      for (int64_t o = 0; o < s.out_channels; ++o)
        grad[k] += static_cast<double>(bias[k * s.out_channels + o]) * grad_output_sums[b * s.out_channels + o];
    }
  }
  return grads;
}

}  // namespace fuzz
