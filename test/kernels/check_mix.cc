#include "kernels/ref/dynamic_conv.h"
#include "support.h"

namespace check {
namespace {

using dyconv::kernels::DynamicConvShape;
namespace ref = dyconv::kernels::ref;

struct Problem {
  int64_t batch, groups, experts, out_per_group, height, width;
  bool channels_last, bias;
  Element element;
  size_t shift = 0;  // elements from a 16-byte boundary to the first image
  MixSplits splits = {};
};

// A 1x1 convolution with one input channel a group: its outputs are what is mixed.
DynamicConvShape ShapeOf(const Problem& p) {
  DynamicConvShape s;
  s.batch = p.batch, s.in_channels = p.groups, s.in_h = s.out_h = p.height, s.in_w = s.out_w = p.width;
  s.experts = p.experts, s.out_channels = p.groups * p.out_per_group;
  s.kernel_h = s.kernel_w = 1, s.groups = p.groups;
  return s;
}

struct Setup {
  std::vector<float> attention, bias, grad, convs;  // convs is [B, groups, K, O / groups, P]
  std::vector<double> output, grad_attention, grad_bias, grad_convs;
};

Setup MakeSetup(const Problem& p) {
  Data data(5);
  Setup t;
  const DynamicConvShape s = ShapeOf(p);
  const int64_t plane = p.height * p.width, outs = s.out_channels, Og = p.out_per_group;
  // Integers divided by 8, whose products all element types represent exactly.
  const auto eighths = [&](int64_t count) {
    auto numbers = data.Numbers(count);
    for (float& n : numbers) n = std::round(n * 8) / 8;
    return Doubles(numbers);
  };
  const auto input = eighths(p.batch * p.groups * plane), weight = eighths(p.experts * outs);
  t.attention = data.Attention(p.batch, p.experts);
  t.bias = data.Numbers(p.experts * outs, p.element);
  t.grad = data.Numbers(p.batch * outs * plane, p.element);
  const auto attention = Doubles(t.attention), bias = Doubles(t.bias), grad = Doubles(t.grad);
  t.output.resize(t.grad.size());
  ref::DynamicConvForward(s, input.data(), weight.data(), attention.data(), p.bias ? bias.data() : nullptr,
                          t.output.data());
  std::vector<double> grad_input(input.size()), grad_weight(weight.size());
  t.grad_attention.resize(attention.size()), t.grad_bias.resize(bias.size());
  ref::DynamicConvBackward(s, input.data(), weight.data(), attention.data(), p.bias ? bias.data() : nullptr,
                           grad.data(),
                           {grad_input.data(), grad_weight.data(), t.grad_attention.data(),
                            p.bias ? t.grad_bias.data() : nullptr});
  t.convs.resize(p.batch * p.experts * outs * plane), t.grad_convs.resize(t.convs.size());
  for (int64_t b = 0; b < p.batch; ++b) {
    for (int64_t g = 0; g < p.groups; ++g) {
      for (int64_t k = 0; k < p.experts; ++k) {
        for (int64_t o = 0; o < Og; ++o) {
          for (int64_t n = 0; n < plane; ++n) {
            const int64_t at = (((b * p.groups + g) * p.experts + k) * Og + o) * plane + n;
            t.convs[at] =
                static_cast<float>(input[(b * p.groups + g) * plane + n] * weight[k * outs + g * Og + o]);
            t.grad_convs[at] = attention[b * p.experts + k] * grad[(b * outs + g * Og + o) * plane + n];
          }
        }
      }
    }
  }
  return t;
}

void Check(const Problem& p) {
  const Setup t = MakeSetup(p);
  const int64_t plane = p.height * p.width, outs = p.groups * p.out_per_group;
  const auto laid = [&](const std::vector<float>& x, int64_t channels) {
    return p.channels_last ? Transposed(x, p.batch, channels, plane) : x;
  };
  const auto unlaid = [&](const std::vector<float>& x, int64_t channels) {
    return p.channels_last ? Transposed(x, p.batch, plane, channels) : x;
  };
  Buffer convs(p.element, laid(t.convs, p.experts * outs));
  Buffer grad(p.element, laid(t.grad, outs), p.shift);
  Buffer bias(p.element, t.bias);
  const std::string problem = std::to_string(p.batch) + " samples, " + std::to_string(p.experts) +
                              " experts, " + std::to_string(p.groups) + "x" +
                              std::to_string(p.out_per_group) + " channels, " + std::to_string(p.height) +
                              "x" + std::to_string(p.width) + " " + Name(p.element) +
                              (p.channels_last ? " channels last" : "") + (p.bias ? "" : " no bias") +
                              (p.shift == 0 ? "" : " shifted by " + std::to_string(p.shift)) + " splits " +
                              std::to_string(p.splits.forward_blocks) + " " +
                              std::to_string(p.splits.backward_pixels);
  InEveryOrder("mix", problem, [&] {
    Buffer output(p.element, t.grad.size(), p.shift), grad_convs(p.element, t.convs.size());
    MixArgs args;
    args.batch = p.batch, args.groups = p.groups, args.experts = p.experts,
    args.out_per_group = p.out_per_group;
    args.plane = plane, args.channels_last = p.channels_last, args.element = p.element;
    args.splits = p.splits;
    args.convs = convs.data(), args.attention = t.attention.data(), args.output = output.data();
    if (p.bias) args.bias = bias.data();
    MixForward(args, nullptr);
    args.grad_output = grad.data(), args.grad_convs = grad_convs.data();
    std::vector<float> sums(p.batch * outs, NAN), partials(p.batch * MixSlices(args) * p.experts, NAN);
    std::vector<float> grad_attention(p.batch * p.experts, NAN), grad_bias(p.experts * outs, NAN);
    args.sums = sums.data(), args.partials = partials.data(), args.grad_attention = grad_attention.data();
    if (p.bias) args.grad_bias = grad_bias.data();
    MixBackward(args, nullptr);
    const double precision = Precision(p.element);
    std::vector<Result> results{
        {"output", unlaid(output.Floats(), outs), t.output, precision},
        {"gradient of the outputs", unlaid(grad_convs.Floats(), p.experts * outs), t.grad_convs, precision},
        {"attention gradient", grad_attention, t.grad_attention, 5e-6}};
    if (p.bias) results.push_back({"bias gradient", grad_bias, t.grad_bias, 5e-6});
    return results;
  });
}

}  // namespace

void CheckMix() {
  constexpr auto kFloat = Element::kFloat, kBFloat16 = Element::kBFloat16, kHalf = Element::kHalf;
  Check({2, 1, 2, 20, 7, 7, false, true, kFloat});
  Check({2, 1, 4, 9, 4, 6, false, true, kFloat});     // 16 bytes at once
  Check({3, 2, 5, 6, 3, 3, false, true, kFloat});     // groups, more experts than a chunk
  Check({2, 1, 2, 150, 2, 2, false, false, kFloat});  // more planes than a block
  Check({2, 1, 2, 160, 3, 3, true, true, kFloat});    // 4 channels at once
  Check({2, 2, 3, 33, 5, 5, true, true, kFloat});     // odd channels
  Check({1, 1, 1, 1, 1, 1, false, true, kFloat});
  Check({1, 1, 16, 3, 2, 5, true, false, kFloat});
  Check({5, 1, 2, 40, 3, 3, true, true, kFloat});  // more samples than blocks along y
  Check({5, 1, 2, 9, 3, 3, false, true, kFloat});
  Check({2, 1, 2, 12, 4, 4, false, true, kBFloat16});  // 8 at once
  Check({2, 1, 2, 72, 3, 3, true, true, kBFloat16});
  Check({2, 2, 4, 8, 3, 3, false, true, kHalf});
  Check({2, 1, 4, 64, 3, 3, true, true, kHalf});
  Check({0, 1, 2, 4, 3, 3, false, true, kFloat});
  // The least and the most that a table may have, and fewer blocks than the image needs.
  Check({2, 1, 2, 40, 5, 5, false, true, kFloat, 0, {1, 1}});
  Check({2, 1, 3, 40, 5, 5, true, true, kFloat, 0, {1, 1}});
  Check({2, 2, 4, 24, 4, 4, false, true, kBFloat16, 0, {2, 70}});
  Check({2, 1, 2, 150, 3, 3, false, true, kFloat, 0, {INT32_MAX, INT32_MAX}});
  // Views that start at unaligned addresses.
  Check({2, 1, 2, 8, 4, 4, false, true, kFloat, 1});
  Check({2, 1, 2, 64, 3, 3, true, true, kFloat, 1});
  Check({2, 1, 2, 12, 4, 4, false, true, kBFloat16, 3});
  Check({2, 1, 2, 64, 3, 3, true, true, kBFloat16, 2});
}

}  // namespace check
