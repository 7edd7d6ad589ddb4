// Pooling, normalization, routing, mixing and noise, each compared with loops in float64.
#include <algorithm>
#include <limits>

#include "activated.h"
#include "guarded.h"

namespace fuzz {
namespace {

using kernels::KernelTable;
using kernels::MaxPoolShape;

struct PoolAxis {
  int64_t in, kernel, stride, padding, dilation, out;
};

// Windows as PyTorch counts them, none of them outside of the image: cpp/ops/pool.cc excludes those.
PoolAxis AnyPoolAxis(Random& random) {
  for (;;) {
    PoolAxis a{random.Between(1, random.OneIn(8) ? 70 : 9), random.Between(1, 9), random.Between(1, 8), 0,
               random.OneIn(2) ? 1 : random.Between(1, 9),  0};
    a.padding = random.Between(0, a.kernel / 2);
    const int64_t room = a.in + 2 * a.padding - a.dilation * (a.kernel - 1) - 1;
    if (room < 0) continue;
    const bool ceil = random.OneIn(2);
    a.out = (room + (ceil ? a.stride - 1 : 0)) / a.stride + 1;
    if (ceil && (a.out - 1) * a.stride >= a.in + a.padding) --a.out;
    bool outside = false;
    for (int64_t i = 0; i < a.out; ++i) {
      bool meets = false;
      for (int64_t t = 0; t < a.kernel; ++t) {
        const int64_t at = i * a.stride - a.padding + t * a.dilation;
        meets |= at >= 0 && at < a.in;
      }
      outside |= !meets;
    }
    if (!outside) return a;
  }
}

// The first pixel of the window that has the maximum, or the first NaN.
int64_t Winner(const MaxPoolShape& s, const float* plane, int64_t y, int64_t x) {
  int64_t best = -1;
  for (int64_t t = 0; t < s.kernel_h * s.kernel_w; ++t) {
    const int64_t at_y = y * s.stride_h - s.padding_h + t / s.kernel_w * s.dilation_h;
    const int64_t at_x = x * s.stride_w - s.padding_w + t % s.kernel_w * s.dilation_w;
    if (at_y < 0 || at_y >= s.in_h || at_x < 0 || at_x >= s.in_w) continue;
    const int64_t at = at_y * s.in_w + at_x;
    if (best < 0 || plane[at] > plane[best] || std::isnan(plane[at])) best = at;
  }
  return best;
}

void Unless(bool right, const char* what) { Compare(what, {right ? 0.0 : 1.0}, {0}, 0); }

}  // namespace

void FuzzMaxPool(Random& random, const KernelTable& table) {
  PoolAxis y, x;
  do y = AnyPoolAxis(random), x = AnyPoolAxis(random);
  while (y.stride * x.stride > kernels::kMaxPhases);
  const MaxPoolShape s{y.in,      x.in,      y.out,      x.out,      y.kernel,  x.kernel, y.stride,
                       x.stride,  y.padding, x.padding,  y.dilation, x.dilation};
  const int64_t planes = random.Between(1, 9);
  Guarded<float> input(planes * s.in_plane(), !random.OneIn(3)), output(planes * s.out_plane()),
      scratch(Rounded(table.MaxPoolScratch(s))), grad(planes * s.out_plane()), grad_input(planes * s.in_plane());
  Guarded<uint8_t> winners(planes * s.out_plane());
  Guarded<uint16_t> input16(input.size(), !random.OneIn(3)), output16(output.size());
  input.Fill(random);
  grad.Fill(random);
  if (random.OneIn(3)) {
    for (int64_t i = 0; i < input.size(); ++i) {
      if (random.OneIn(4)) input[i] = random.OneIn(2) ? -INFINITY : random.OneIn(2) ? NAN : INFINITY;
    }
  }
  for (int64_t i = 0; i < input.size(); ++i) {
    input16[i] = std::isnan(input[i]) ? 0x7fc0 : ToBf16(input[i]);
    input[i] = FromBf16(input16[i]);
  }
  const bool narrow = random.OneIn(2), backward = random.OneIn(2);
  uint8_t* taps = backward ? winners.data() : nullptr;
  InRanges(random, planes, [&](int64_t begin, int64_t end) {
    if (narrow) {
      table.MaxPoolForwardBf16(s, input16.data(), output16.data(), taps, begin, end, scratch.data());
    } else {
      table.MaxPoolForward(s, input.data(), output.data(), taps, begin, end, scratch.data());
    }
  });
  std::vector<double> expected(grad_input.size(), 0);
  for (int64_t i = 0; i < output.size(); ++i) {
    const float* plane = input.data() + i / s.out_plane() * s.in_plane();
    const int64_t at = Winner(s, plane, i % s.out_plane() / s.out_w, i % s.out_w);
    const float got = narrow ? FromBf16(output16[i]) : output[i];
    Unless(got == plane[at] || (std::isnan(got) && std::isnan(plane[at])), "a maximum");
    expected[i / s.out_plane() * s.in_plane() + at] += grad[i];
  }
  if (!backward) return;
  InRanges(random, planes, [&](int64_t begin, int64_t end) {
    table.MaxPoolBackward(s, grad.data(), winners.data(), grad_input.data(), begin, end);
  });
  Compare("max pool gradient", grad_input.Doubles(), expected, 1e-5);
}

namespace {

using kernels::Activation;

// The derivative of Activated where IsSmooth.
double Slope(Activation activation, double x) {
  constexpr double kStep = 1e-6;
  return (Activated(x + kStep, activation) - Activated(x - kStep, activation)) / (2 * kStep);
}
bool IsSmooth(double x) {
  return std::fabs(x) > 1e-3 && std::fabs(std::fabs(x) - 3) > 1e-3 && std::fabs(x - 6) > 1e-3;
}

}  // namespace

void FuzzBatchNorm(Random& random, const KernelTable& table) {
  const int64_t batch = random.Between(1, 9), channels = random.Between(1, 9),
                plane = random.Between(1, random.OneIn(3) ? 300 : 20), size = batch * channels * plane;
  Guarded<float> input(size), residual(size), grad(size), output(size), grad_input(size), grad_residual(size),
      weight(channels), bias(channels), mean(channels), inv_std(channels), variance(channels),
      grad_weight(channels), grad_bias(channels);
  for (auto* tensor : {&input, &residual, &grad, &weight, &bias}) tensor->Fill(random);
  kernels::BatchNormArgs args;
  args.batch = batch, args.channels = channels, args.plane = plane, args.eps = 1e-3;
  args.input = input.data(), args.output = output.data(), args.gradient = grad.data();
  args.weight = random.OneIn(2) ? weight.data() : nullptr;
  args.bias = random.OneIn(2) ? bias.data() : nullptr;
  args.residual = random.OneIn(2) ? residual.data() : nullptr;
  args.activation = AnyActivation(random);
  args.mean = mean.data(), args.inv_std = inv_std.data(), args.variance = variance.data();
  args.grad_input = grad_input.data(), args.grad_residual = grad_residual.data();
  args.grad_weight = grad_weight.data(), args.grad_bias = grad_bias.data();
  InRanges(random, channels, [&](int64_t begin, int64_t end) { table.BatchNormForward(args, begin, end); });
  const double count = static_cast<double>(batch * plane);
  std::vector<double> expected(size), into_input(size), into_residual(size), into_weight(channels),
      into_bias(channels);
  for (int64_t c = 0; c < channels; ++c) {
    double sum = 0, squares = 0, along = 0;
    const auto each = [&](const auto& visit) {
      for (int64_t b = 0; b < batch; ++b) {
        for (int64_t p = 0; p < plane; ++p) visit((b * channels + c) * plane + p);
      }
    };
    each([&](int64_t i) { sum += input[i]; });
    const double m = sum / count;
    each([&](int64_t i) { squares += (input[i] - m) * (input[i] - m); });
    const double inverse = 1 / std::sqrt(squares / count + args.eps), scale = args.weight ? weight[c] : 1;
    each([&](int64_t i) {
      const double x = (input[i] - m) * inverse * scale + (args.bias ? bias[c] : 0) +
                       (args.residual ? residual[i] : 0);
      expected[i] = Activated(x, args.activation);
      if (!IsSmooth(x)) grad[i] = 0;
      into_residual[i] = grad[i] * Slope(args.activation, x);
      into_bias[c] += into_residual[i];
      into_weight[c] += into_residual[i] * (input[i] - m) * inverse;
    });
    along = into_weight[c] * inverse / count;
    each([&](int64_t i) {
      into_input[i] = (into_residual[i] - into_bias[c] / count - (input[i] - m) * along) * inverse * scale;
    });
  }
  Compare("batch norm", output.Doubles(), expected, 1e-3);
  InRanges(random, channels, [&](int64_t begin, int64_t end) { table.BatchNormBackward(args, begin, end); });
  // A variance near 0 multiplies rounding by up to 1 / sqrt(eps).
  Compare("batch norm input gradient", grad_input.Doubles(), into_input, 1e-2);
  Compare("batch norm residual gradient", grad_residual.Doubles(), into_residual, 1e-3);
  Compare("batch norm weight gradient", grad_weight.Doubles(), into_weight, 1e-2);
  Compare("batch norm bias gradient", grad_bias.Doubles(), into_bias, 1e-3);
}

void FuzzRouting(Random& random, const KernelTable& table) {
  kernels::RoutingArgs args;
  args.batch = random.Between(0, 9), args.channels = random.Between(1, 40), args.plane = random.Between(1, 40);
  args.hidden_size = random.Between(1, 40), args.experts = random.Between(1, 9);
  args.temperature = random.OneIn(4) ? 1.2e-38f : 1 + random.Number() / 2;
  args.softmax = random.OneIn(2);
  const int64_t in = args.channels, hidden = args.hidden_size, experts = args.experts, batch = args.batch;
  Guarded<float> planes(batch * in * args.plane), w1(hidden * in), b1(hidden), w2(experts * hidden),
      b2(experts), means(batch * in), units(batch * hidden), attention(batch * experts),
      grad_attention(batch * experts), grad_logits(batch * experts), grad_hidden(batch * hidden),
      grad_means(batch * in), grad_w1(hidden * in), grad_b1(hidden), grad_w2(experts * hidden);
  Guarded<uint16_t> planes16(planes.size());
  for (auto* tensor : {&planes, &w1, &b1, &w2, &b2, &grad_attention}) tensor->Fill(random);
  const bool narrow = random.OneIn(2);
  for (int64_t i = 0; i < planes.size(); ++i) planes[i] = FromBf16(planes16[i] = ToBf16(planes[i]));
  args.planes = narrow ? nullptr : planes.data();
  args.planes16 = narrow ? planes16.data() : nullptr;
  args.w1 = w1.data(), args.w2 = w2.data();
  args.b1 = random.OneIn(2) ? b1.data() : nullptr;
  args.b2 = random.OneIn(2) ? b2.data() : nullptr;
  args.means = means.data(), args.hidden = units.data(), args.attention = attention.data();
  args.grad_attention = grad_attention.data(), args.grad_logits = grad_logits.data();
  args.grad_hidden = grad_hidden.data(), args.grad_means = grad_means.data(), args.grad_w1 = grad_w1.data();
  args.grad_b1 = grad_b1.data(), args.grad_w2 = grad_w2.data();
  InRanges(random, batch, [&](int64_t begin, int64_t end) { table.RoutingForward(args, begin, end); });
  InRanges(random, batch, [&](int64_t begin, int64_t end) { table.RoutingGradMeans(args, begin, end); });
  InRanges(random, hidden, [&](int64_t begin, int64_t end) { table.RoutingGradWeights(args, begin, end); });
  for (int64_t b = 0; b < batch; ++b) {
    double sum = 0;
    for (int64_t k = 0; k < experts; ++k) {
      const float a = attention[b * experts + k];
      Unless(a >= 0 && a <= 1, "an attention");
      sum += a;
    }
    if (args.softmax) Compare("attention", {sum}, {1}, 1e-5);
  }
}

void FuzzMixing(Random& random, const KernelTable& table) {
  kernels::DynamicConvShape s;
  s.experts = random.Between(1, 9), s.groups = random.Between(1, 3);
  s.in_channels = s.groups * random.Between(1, 9), s.out_channels = s.groups * random.Between(1, 9);
  s.kernel_h = random.Between(1, 5), s.kernel_w = random.Between(1, 5);
  const int64_t size = s.expert_size(), columns = s.in_channels * s.kernel_size();
  Guarded<float> weight(s.experts * size, !random.OneIn(3)), attention(s.experts), mixed(size), grad(size),
      grad_weight(s.experts * size), grad_attention(s.experts), largest(s.experts * (s.out_channels + columns));
  for (auto* tensor : {&weight, &attention, &grad}) tensor->Fill(random);
  std::fill_n(grad_attention.data(), s.experts, 0.0f);
  std::vector<double> mixture(size, 0), of_weight(weight.size()), of_attention(s.experts, 0), most(largest.size(), 0);
  double terms = 0;  // of an attention's gradient, which may cancel
  for (int64_t k = 0; k < s.experts; ++k) {
    double* out = most.data() + k * (s.out_channels + columns);
    const int64_t row = s.in_per_group() * s.kernel_size();
    for (int64_t i = 0; i < size; ++i) {
      const double w = weight[k * size + i], g = grad[i];
      mixture[i] += attention[k] * w;
      of_weight[k * size + i] = attention[k] * g;
      of_attention[k] += g * w;
      terms += std::fabs(g * w);
      const int64_t o = i / row;
      double* in = out + s.out_channels + o / s.out_per_group() * row + i % row;
      out[o] = std::max(out[o], std::fabs(w));
      *in = std::max(*in, std::fabs(w));
    }
  }
  InRanges(random, size, [&](int64_t begin, int64_t end) {
    table.MixExperts(weight.data(), attention.data(), s.experts, size, mixed.data(), begin, end);
    table.UnmixExperts(weight.data(), attention.data(), s.experts, size, grad.data(), grad_weight.data(),
                       grad_attention.data(), begin, end);
  });
  InRanges(random, s.experts, [&](int64_t begin, int64_t end) {
    table.LargestWeights(s, weight.data(), largest.data(), begin, end);
  });
  Compare("mixture", mixed.Doubles(), mixture, 1e-5);
  Compare("unmixed weight", grad_weight.Doubles(), of_weight, 1e-5);
  std::vector<double> got = grad_attention.Doubles();
  for (auto* sums : {&got, &of_attention}) sums->push_back(terms);
  Compare("unmixed attention", got, of_attention, 1e-5);
  Compare("largest weights", largest.Doubles(), most, 0);
}

void FuzzNoise(Random& random, const KernelTable& table) {
  kernels::RandomState state{};
  for (auto& number : state.state) number = static_cast<uint32_t>(random.Between(0, 0xffffffff));
  state.next = random.Between(0, kernels::RandomState::kSize);
  const int64_t count = random.Between(0, random.OneIn(2) ? 9 : 2000);
  Guarded<float> noise(count);
  table.BernoulliNoise(state, 0.5, 2, noise.data(), count);
  for (int64_t i = 0; i < count; ++i) Unless(noise[i] == 0 || noise[i] == 2, "noise");
  Unless(state.next >= 0 && state.next <= kernels::RandomState::kSize, "a state");
}

}  // namespace fuzz
