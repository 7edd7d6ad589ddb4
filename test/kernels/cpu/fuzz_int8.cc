// The kernels for int8, beside loops over integers: every bit of the results has to be the same, except after
// activations with an exponential.
#if defined(__clang__)
#pragma STDC FP_CONTRACT OFF
#else
#pragma GCC optimize("fp-contract=off")
#endif

#include <algorithm>
#include <cmath>

#include "activated.h"
#include "convolution.h"

namespace fuzz {
namespace {

using kernels::Activation;
using kernels::Int8ConvArgs;
using kernels::KernelTable;

float Clamp(float x, float least, float most) {
  x = x > least ? x : least;
  return x < most ? x : most;
}

float Float32Activated(float x, Activation activation) {
  const float clamped = Clamp(x + 3, 0, 6) * (1.0f / 6);
  switch (activation) {
    case Activation::kNone: return x;
    case Activation::kRelu: return x < 0 ? 0 : x;
    case Activation::kRelu6: return Clamp(x, 0, 6);
    case Activation::kHardswish: return x * clamped;
    case Activation::kHardsigmoid: return clamped;
    // Compared with a tolerance.
    case Activation::kSigmoid:
    case Activation::kSilu:
    case Activation::kGelu: return static_cast<float>(Activated(static_cast<double>(x), activation));
  }
  return x;
}

uint8_t Quantized(float x, float factor, int32_t zero) {
  const auto of = [&](int32_t limit) { return static_cast<float>(limit - zero); };
  return static_cast<uint8_t>(std::nearbyint(Clamp(x * factor, of(0), of(255))) + static_cast<float>(zero));
}

void FillBytes(Random& random, Guarded<uint8_t>& bytes) {
  const bool most = random.OneIn(4);
  for (int64_t i = 0; i < bytes.size(); ++i) bytes[i] = most ? 255 : static_cast<uint8_t>(random.Between(0, 255));
}

DynamicConvShape AnyInt8Conv(Random& random) {
  DynamicConvShape s;
  SetAxes(s, Axis::Any(random, false), Axis::Any(random, false));
  s.batch = random.Between(1, 4);
  s.experts = random.OneIn(2) ? random.Between(1, 5) : 0;
  s.in_channels = random.OneIn(2) ? 4 * random.Between(1, 12) : random.Between(1, random.OneIn(2) ? 70 : 20);
  s.out_channels = random.Between(1, random.OneIn(4) ? 300 : 70);
  if (random.OneIn(4)) {
    // A linear map.
    s.in_w = s.kernel_h = s.kernel_w = s.stride_h = s.stride_w = s.dilation_h = s.dilation_w = s.out_w = 1;
    s.padding_h = s.padding_w = 0;
    s.out_h = s.in_h;
    if (s.experts == 0) s.batch = 1;
  }
  return s;
}

// The weights of a sample as integers, [O, I, taps], and their scales.
struct Integers {
  std::vector<int32_t> weights;
  std::vector<float> scales;
};

// From rows of numbers, one for each output channel, that stand for the numbers times a scale.
Integers Rounded(const std::vector<float>& numbers, const std::vector<float>& scales) {
  const int64_t row = static_cast<int64_t>(numbers.size() / scales.size());
  Integers result;
  for (size_t o = 0; o < scales.size(); ++o) {
    const float* from = numbers.data() + o * row;
    float most = 0;
    for (int64_t i = 0; i < row; ++i) most = std::fmax(most, std::fabs(from[i]));
    const float factor = most >= 0x1p-100f ? 127 / most : 0;
    result.scales.push_back(most / 127 * scales[o]);
    for (int64_t i = 0; i < row; ++i)
      result.weights.push_back(static_cast<int32_t>(std::nearbyint(from[i] * factor)));
  }
  return result;
}

// Those that are mixed from experts of 16 bits by an attention of 16 bits.
Integers MixedOf(const DynamicConvShape& s, Guarded<float>& experts, const float* attention) {
  const int64_t own = s.expert_size(), row = own / s.out_channels;
  float size = 0;
  for (int64_t k = 0; k < s.experts; ++k) size += std::fabs(attention[k]);
  std::vector<float> mixed(own), scales;
  for (int64_t o = 0; o < s.out_channels; ++o) {
    float most = 0;
    for (int64_t i = 0; i < s.experts * row; ++i)
      most = std::fmax(most, std::fabs(experts[i / row * own + o * row + i % row]));
    const float factor = most >= 0x1p-100f ? 32767 / most : 0;
    scales.push_back(most / 32767 * (size / 32767));
    for (int64_t i = 0; i < row; ++i) {
      int64_t sum = 0;
      for (int64_t k = 0; k < s.experts; ++k) {
        const float share = Clamp(attention[k] * (32767 / size), -32767, 32767);
        const float weight = Clamp(experts[k * own + o * row + i] * factor, -32767, 32767);
        sum += static_cast<int64_t>(std::nearbyint(share)) * static_cast<int64_t>(std::nearbyint(weight));
      }
      mixed[o * row + i] = static_cast<float>(static_cast<int32_t>(sum));
    }
  }
  return Rounded(mixed, scales);
}

Integers IntegersOf(const DynamicConvShape& s, Guarded<float>& weight, const float* attention) {
  if (s.experts > 0) return MixedOf(s, weight, attention);
  const std::vector<float> floats(weight.data(), weight.data() + weight.size());
  return Rounded(floats, std::vector<float>(s.out_channels, 1.0f));
}

int64_t SumOf(const DynamicConvShape& s, const Integers& integers, Guarded<uint8_t>& input, int32_t zero, int64_t b,
              int64_t pixel, int64_t o) {
  int64_t sum = 0;
  for (int64_t t = 0; t < s.kernel_size(); ++t) {
    const int64_t y = pixel / s.out_w * s.stride_h - s.padding_h + t / s.kernel_w * s.dilation_h;
    const int64_t x = pixel % s.out_w * s.stride_w - s.padding_w + t % s.kernel_w * s.dilation_w;
    if (y < 0 || y >= s.in_h || x < 0 || x >= s.in_w) continue;
    for (int64_t c = 0; c < s.in_channels; ++c)
      sum += (input[((b * s.in_h + y) * s.in_w + x) * s.in_channels + c] - zero) *
             integers.weights[(o * s.in_channels + c) * s.kernel_size() + t];
  }
  return sum;
}

void Differ(const char* what, int64_t i, double got, double wanted) {
  std::fprintf(stderr, "%s: element %lld is %.9g, not %.9g, in the case of seed %llu\n", what,
               static_cast<long long>(i), got, wanted, static_cast<unsigned long long>(current));
  std::exit(1);
}

}  // namespace

void FuzzInt8(Random& random, const KernelTable& table) {
  const auto s = AnyInt8Conv(random);
  Int8ConvArgs args;
  args.shape = s;
  args.plan = table.PlanInt8Conv(s, random.Between(1, 5));
  const auto& plan = args.plan;
  const int64_t outputs = s.batch * s.out_plane() * s.out_channels, kind = random.Between(0, 2);
  Guarded<uint8_t> input(s.batch * s.in_plane() * s.in_channels, !random.OneIn(3)), residual8(outputs),
      output8(outputs);
  Guarded<uint8_t> scratch((plan.scratch + 63) / 64 * 64);
  Guarded<float> weight(std::max<int64_t>(1, s.experts) * s.expert_size()), attention(s.batch * s.experts),
      residual(outputs), output(outputs), bias(s.batch * plan.columns), scales(plan.columns);
  Guarded<int32_t> sums(plan.columns);
  Guarded<int8_t> packed(plan.packed);
  Guarded<int16_t> experts(plan.experts);
  FillBytes(random, input);
  FillBytes(random, residual8);
  for (auto* tensor : {&weight, &attention, &residual, &bias}) tensor->Fill(random);
  if (random.OneIn(4)) {
    const float same = random.OneIn(2) ? 1 : -0.01f;
    std::fill(weight.data(), weight.data() + weight.size(), same);
  }
  if (random.OneIn(8)) std::fill(weight.data(), weight.data() + s.expert_size() / s.out_channels, 0.0f);
  args.input = input.data();
  args.input_scale = std::fabs(random.Number()) / 16;
  args.input_zero = static_cast<int32_t>(random.OneIn(2) ? 0 : random.Between(0, 255));
  args.bias = bias.data();
  if (s.experts > 0) args.bias_stride = plan.columns;
  if (kind == 1) args.residual = residual.data();
  if (kind == 2) args.residual8 = residual8.data();
  args.residual_scale = std::fabs(random.Number()) / 16;
  args.residual_zero = static_cast<int32_t>(random.Between(0, 255));
  args.activation = AnyActivation(random);
  const bool exact = args.activation < Activation::kSigmoid;
  const bool narrow = random.OneIn(2);
  if (narrow) args.output8 = output8.data();
  else args.output = output.data();
  args.output_factor = 1 / (0.001f + std::fabs(random.Number()));
  args.output_zero = static_cast<int32_t>(random.Between(0, 255));
  args.experts = experts.data();
  args.expert_scales = scales.data();
  args.attention = attention.data();
  if (s.experts > 0) {
    InRanges(random, plan.vectors, [&](int64_t begin, int64_t end) {
      table.PackInt8Experts(s, plan, weight.data(), experts.data(), scales.data(), begin, end);
    });
  } else {
    args.weights = {packed.data(), scales.data(), sums.data()};
    InRanges(random, plan.panels, [&](int64_t begin, int64_t end) {
      table.PackInt8Weights(s, plan, weight.data(), args.weights, begin, end);
    });
  }
  InRanges(random, plan.items, [&](int64_t begin, int64_t end) { table.Int8Conv(args, begin, end, scratch.data()); });
  for (int64_t b = 0; b < s.batch; ++b) {
    const Integers integers = IntegersOf(s, weight, attention.data() + b * s.experts);
    for (int64_t i = 0; i < s.out_plane() * s.out_channels; ++i) {
      const int64_t o = i % s.out_channels, at = b * s.out_plane() * s.out_channels + i;
      const int64_t sum = SumOf(s, integers, input, args.input_zero, b, i / s.out_channels, o);
      float x = static_cast<float>(static_cast<int32_t>(sum)) * (integers.scales[o] * args.input_scale) +
                bias[b * args.bias_stride + o];
      if (kind == 1) x += residual[at];
      if (kind == 2)
        x += (static_cast<float>(residual8[at]) - static_cast<float>(args.residual_zero)) * args.residual_scale;
      x = Float32Activated(x, args.activation);
      if (narrow) {
        const uint8_t wanted = Quantized(x, args.output_factor, args.output_zero);
        if (std::abs(output8[at] - wanted) > (exact ? 0 : 1)) Differ("output of an int8 convolution", at, output8[at], wanted);
      } else if (exact ? output[at] != x : std::fabs(output[at] - x) > 1e-6f * std::fmax(1.0f, std::fabs(x))) {
        Differ("output of an int8 convolution", at, output[at], x);
      }
    }
  }
}

void FuzzInt8Pool(Random& random, const KernelTable& table) {
  Axis y, x;
  do y = Axis::Any(random, false), x = Axis::Any(random, false);
  while (2 * y.padding > y.kernel || 2 * x.padding > x.kernel);
  const kernels::MaxPoolShape s{y.in,     x.in,     y.out,     x.out,     y.kernel,   x.kernel,
                                y.stride, x.stride, y.padding, x.padding, y.dilation, x.dilation};
  const int64_t batch = random.Between(1, 4), channels = random.Between(1, 150);
  const int32_t zero = static_cast<int32_t>(random.Between(0, 255));
  const float factor = 200 * std::fabs(random.Number());
  Guarded<float> floats(batch * s.in_plane() * channels, !random.OneIn(3));
  Guarded<uint8_t> input(floats.size(), !random.OneIn(3)), output(batch * s.out_plane() * channels);
  floats.Fill(random);
  if (random.OneIn(4)) floats[0] = random.OneIn(2) ? NAN : -INFINITY;
  InRanges(random, floats.size(), [&](int64_t begin, int64_t end) {
    table.QuantizeFloats(floats.data(), factor, zero, input.data(), begin, end);
  });
  for (int64_t i = 0; i < floats.size(); ++i) {
    const uint8_t wanted = Quantized(floats[i], factor, zero);
    if (input[i] != wanted) Differ("uint8 of floats", i, input[i], wanted);
  }
  InRanges(random, batch * s.out_h, [&](int64_t begin, int64_t end) {
    table.NhwcMaxPoolBytes(s, channels, input.data(), output.data(), begin, end);
  });
  Guarded<int32_t> sums(batch * channels);
  InRanges(random, batch, [&](int64_t begin, int64_t end) {
    table.NhwcSumsBytes(input.data(), s.in_plane(), channels, sums.data(), begin, end);
  });
  for (int64_t i = 0; i < sums.size(); ++i) {
    int32_t sum = 0;
    for (int64_t p = 0; p < s.in_plane(); ++p)
      sum += input[(i / channels * s.in_plane() + p) * channels + i % channels];
    if (sums[i] != sum) Differ("sums of bytes", i, sums[i], sum);
  }
  for (int64_t i = 0; i < output.size(); ++i) {
    const int64_t c = i % channels, pixel = i / channels, b = pixel / s.out_plane(), at = pixel % s.out_plane();
    uint8_t most = 0;
    for (int64_t t = 0; t < s.kernel_h * s.kernel_w; ++t) {
      const int64_t in_y = at / s.out_w * s.stride_h - s.padding_h + t / s.kernel_w * s.dilation_h;
      const int64_t in_x = at % s.out_w * s.stride_w - s.padding_w + t % s.kernel_w * s.dilation_w;
      if (in_y < 0 || in_y >= s.in_h || in_x < 0 || in_x >= s.in_w) continue;
      most = std::max(most, input[((b * s.in_h + in_y) * s.in_w + in_x) * channels + c]);
    }
    if (output[i] != most) Differ("maxima of bytes", i, output[i], most);
  }
}

}  // namespace fuzz
