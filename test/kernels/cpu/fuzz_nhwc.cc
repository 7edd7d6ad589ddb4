// The inference kernels on channels-last images: convolutions with packed weights, depthwise ones, pooling,
// means and scaling, each beside loops in float64.
#include <algorithm>
#include <limits>

#include "activated.h"
#include "convolution.h"

namespace fuzz {
namespace {

using kernels::Activation;
using kernels::Epilogue;
using kernels::KernelTable;

DynamicConvShape AnyConv(Random& random, bool depthwise) {
  DynamicConvShape s;
  SetAxes(s, Axis::Any(random, false), Axis::Any(random, false));
  s.batch = random.Between(1, 4);
  s.experts = 1;
  s.in_channels = random.Between(1, random.OneIn(2) ? 70 : 20);
  s.out_channels = depthwise ? s.in_channels : random.Between(1, random.OneIn(4) ? 300 : 70);
  s.groups = depthwise ? s.in_channels : 1;
  return s;
}

// What a convolution should give, [pixels of all samples, out_channels]. The bias is [batch, ...].
std::vector<double> Expected(const DynamicConvShape& s, const std::vector<double>& input,
                             const Guarded<float>& weight, const Guarded<float>& attention,
                             const Guarded<float>& bias, const std::vector<double>& residual,
                             Activation activation) {
  std::vector<double> planes(s.batch * s.out_channels * s.out_plane());
  const std::vector<double> shares = attention.Doubles(), weights = weight.Doubles(), biases = bias.Doubles();
  kernels::ref::DynamicConvForward(s, input.data(), weights.data(), shares.data(), nullptr, planes.data());
  const int64_t bias_stride = bias.size() / s.batch;
  std::vector<double> rows(planes.size());
  for (int64_t b = 0; b < s.batch; ++b) {
    for (int64_t p = 0; p < s.out_plane(); ++p) {
      for (int64_t o = 0; o < s.out_channels; ++o) {
        const int64_t at = (b * s.out_plane() + p) * s.out_channels + o;
        const double sum = planes[(b * s.out_channels + o) * s.out_plane() + p] + biases[b * bias_stride + o];
        rows[at] = Activated(sum + (residual.empty() ? 0 : residual[at]), activation);
      }
    }
  }
  return rows;
}

}  // namespace

void FuzzNhwcConv(Random& random, const KernelTable& table) {
  auto s = AnyConv(random, false);
  Image input(random, s.batch, s.in_channels, s.in_plane());
  const bool last = input.strides.channel == 1;
  if (random.OneIn(2)) {
    s.experts = random.Between(2, 4);
    if (table.PlanNhwcConv(s, last, 1).copies_input) s.experts = 1;
  }
  const auto plan = table.PlanNhwcConv(s, last, random.Between(1, 5));
  Guarded<float> weight(s.experts * s.expert_size()), packed(s.experts * plan.packed), bias(s.batch * plan.bias),
      attention(s.batch * s.experts), residual(s.batch * s.out_plane() * s.out_channels), output(residual.size()),
      scratch(Rounded(plan.scratch));
  for (auto* tensor : {&input.numbers(), &weight, &bias, &attention, &residual}) tensor->Fill(random);
  if (s.experts == 1) std::fill(attention.data(), attention.data() + attention.size(), 1.0f);
  const bool adds = random.OneIn(2);
  kernels::NhwcConvArgs args;
  args.shape = s;
  args.plan = plan;
  args.input = input.data();
  args.input_strides = input.strides;
  args.packed = packed.data();
  args.attention = attention.data();
  args.output = output.data();
  args.epilogue = {bias.data(), adds ? residual.data() : nullptr, AnyActivation(random)};
  // Without experts all samples share a bias.
  if (s.experts > 1) {
    args.bias_stride = plan.bias;
  } else {
    for (int64_t b = 1; b < s.batch; ++b)
      std::copy(bias.data(), bias.data() + plan.bias, bias.data() + b * plan.bias);
  }
  for (int64_t k = 0; k < s.experts; ++k) {
    InRanges(random, plan.panels, [&](int64_t begin, int64_t end) {
      table.PackNhwcConv(args, weight.data() + k * s.expert_size(), packed.data() + k * plan.packed, begin, end);
    });
  }
  InRanges(random, plan.items,
           [&](int64_t begin, int64_t end) { table.NhwcConv(args, begin, end, scratch.data()); });
  Compare("output of a packed convolution", output.Doubles(),
          Expected(s, input.Doubles(), weight, attention, bias,
                   adds ? residual.Doubles() : std::vector<double>(), args.epilogue.activation),
          2e-4);
}

void FuzzNhwcDepthwise(Random& random, const KernelTable& table) {
  const auto s = AnyConv(random, true);
  const bool own = random.OneIn(2);  // each sample has a kernel of its own
  auto reference = s;
  reference.experts = own ? s.batch : 1;
  Guarded<float> input(s.batch * s.in_plane() * s.in_channels, !random.OneIn(3)),
      weight(reference.experts * s.expert_size()), packed(weight.size()), bias(s.batch * s.out_channels),
      attention(s.batch * reference.experts), residual(s.batch * s.out_plane() * s.out_channels),
      output(residual.size());
  for (auto* tensor : {&input, &weight, &bias, &residual}) tensor->Fill(random);
  for (int64_t i = 0; i < attention.size(); ++i)
    attention[i] = i / reference.experts == i % reference.experts || !own ? 1 : 0;
  for (int64_t i = s.out_channels; !own && i < bias.size(); ++i) bias[i] = bias[i - s.out_channels];
  std::vector<double> planes(input.size());
  for (int64_t i = 0; i < input.size(); ++i) {
    const int64_t pixel = i / s.in_channels, b = pixel / s.in_plane();
    planes[(b * s.in_channels + i % s.in_channels) * s.in_plane() + pixel % s.in_plane()] = input[i];
  }
  const bool adds = random.OneIn(2);
  kernels::NhwcDepthwiseArgs args;
  args.shape = s;
  args.input = input.data();
  args.packed = packed.data();
  args.output = output.data();
  args.epilogue = {bias.data(), adds ? residual.data() : nullptr, AnyActivation(random)};
  if (own) {
    args.packed_stride = s.expert_size();
    args.bias_stride = s.out_channels;
  }
  for (int64_t k = 0; k < reference.experts; ++k) {
    const int64_t offset = k * s.expert_size();
    InRanges(random, s.out_channels, [&](int64_t begin, int64_t end) {
      table.PackNhwcDepthwise(s, weight.data() + offset, packed.data() + offset, begin, end);
    });
  }
  InRanges(random, s.batch * s.out_h, [&](int64_t begin, int64_t end) { table.NhwcDepthwise(args, begin, end); });
  Compare("output of a packed depthwise convolution", output.Doubles(),
          Expected(reference, planes, weight, attention, bias, adds ? residual.Doubles() : std::vector<double>(),
                   args.epilogue.activation),
          2e-5);
}

void FuzzNhwcPool(Random& random, const KernelTable& table) {
  Axis y, x;
  do y = Axis::Any(random, false), x = Axis::Any(random, false);
  while (2 * y.padding > y.kernel || 2 * x.padding > x.kernel);
  kernels::NhwcPoolArgs args;
  args.shape = {y.in, x.in, y.out, x.out, y.kernel, x.kernel, y.stride, x.stride, y.padding, x.padding,
                y.dilation, x.dilation};
  args.channels = random.Between(1, 90);
  const auto& s = args.shape;
  const int64_t batch = random.Between(1, 4), channels = args.channels;
  Guarded<float> input(batch * s.in_plane() * channels, !random.OneIn(3)), output(batch * s.out_plane() * channels),
      means(batch * channels), scaled(input.size());
  input.Fill(random);
  const bool special = random.OneIn(4);
  for (int64_t i = 0; special && i < input.size(); ++i)
    if (random.OneIn(5)) input[i] = random.OneIn(2) ? -INFINITY : NAN;
  args.input = input.data();
  args.output = output.data();
  InRanges(random, batch * s.out_h, [&](int64_t begin, int64_t end) { table.NhwcMaxPool(args, begin, end); });
  bool right = true;
  for (int64_t i = 0; i < output.size(); ++i) {
    const int64_t c = i % channels, pixel = i / channels, b = pixel / s.out_plane(),
                  at = pixel % s.out_plane();
    float most = -INFINITY;
    for (int64_t t = 0; t < s.kernel_h * s.kernel_w; ++t) {
      const int64_t in_y = at / s.out_w * s.stride_h - s.padding_h + t / s.kernel_w * s.dilation_h;
      const int64_t in_x = at % s.out_w * s.stride_w - s.padding_w + t % s.kernel_w * s.dilation_w;
      if (in_y < 0 || in_y >= s.in_h || in_x < 0 || in_x >= s.in_w) continue;
      const float number = input[((b * s.in_h + in_y) * s.in_w + in_x) * channels + c];
      if (number > most || std::isnan(number)) most = std::isnan(most) ? most : number;
    }
    right &= std::isnan(most) ? std::isnan(output[i]) : output[i] == most;
  }
  Compare("maxima of a channels-last pool", {right ? 0.0 : 1.0}, {0}, 0);
  if (special) return;
  InRanges(random, batch, [&](int64_t begin, int64_t end) {
    table.NhwcMeans(input.data(), s.in_plane(), channels, means.data(), begin, end);
  });
  std::vector<double> wanted(means.size()), products;
  for (int64_t i = 0; i < input.size(); ++i) {
    const int64_t channel = i / channels / s.in_plane() * channels + i % channels;
    wanted[channel] += static_cast<double>(input[i]) / static_cast<double>(s.in_plane());
  }
  Compare("means of channels", means.Doubles(), wanted, 1e-5);
  InRanges(random, batch * s.in_plane(), [&](int64_t begin, int64_t end) {
    table.NhwcScale(input.data(), means.data(), s.in_plane(), channels, scaled.data(), begin, end);
  });
  for (int64_t i = 0; i < input.size(); ++i)
    products.push_back(static_cast<double>(input[i]) * means[i / channels / s.in_plane() * channels + i % channels]);
  Compare("scaled channels", scaled.Doubles(), products, 1e-6);
}

}  // namespace fuzz
