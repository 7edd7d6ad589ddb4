#include "ops/augment/device.h"

#include <ATen/ops/arange.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/full.h>
#include <ATen/ops/stack.h>
#include <ATen/ops/tensor.h>
#include <ATen/ops/where.h>
#include <ATen/ops/zeros.h>

#include "ops/augment/cuda.h"
#include "typed_error.h"

namespace dyconv {

namespace {

using at::Tensor;
using at::indexing::Slice;

// One number of each sample's choices as a column [B, 1, 1, 1] on the device.
template <class Field>
Tensor Column(const std::vector<SampleChoices>& choices, const at::Device& device, const Field& field) {
  const auto count = static_cast<int64_t>(choices.size());
  Tensor host = at::empty({count, 1, 1, 1}, at::kDouble);
  auto* values = host.data_ptr<double>();
  for (int64_t b = 0; b < count; ++b) values[b] = static_cast<double>(field(choices[static_cast<size_t>(b)]));
  return ToDevice(host, device);
}

struct Axis {
  int64_t source, resized, out;
  Tensor offset, crop, flip;  // [B, 1, 1, 1]
};

// The taps of an axis as a matrix [B, out, source]: row x holds the weight of each source position in output
// x. Bilinear weights are a triangle around the exact position; positions outside the image are black, so
// they need no weight.
Tensor Taps(const Axis& axis) {
  const auto options = axis.offset.options();
  const auto flat = [](const Tensor& column) { return column.view({-1, 1}); };
  Tensor x = at::arange(axis.out, options).unsqueeze(0);
  x = at::where(flat(axis.flip) > 0, static_cast<double>(axis.out - 1) - x, x);
  const Tensor crop = flat(axis.crop);
  const Tensor exact =
      ((x + 0.5) * crop / static_cast<double>(axis.out) - 0.5).clamp_min(0).minimum(crop - 1);
  const Tensor low = exact.floor(), fraction = exact - low;
  const Tensor positions = at::arange(axis.source, options);
  const double scale = static_cast<double>(axis.source) / static_cast<double>(axis.resized);
  Tensor taps;
  for (const bool upper : {false, true}) {
    const Tensor share = upper ? fraction : 1.0 - fraction;
    const Tensor at = flat(axis.offset) + (upper ? (low + 1).minimum(crop - 1) : low);
    const Tensor inside = at.ge(0).logical_and(at.lt(axis.resized));
    const Tensor inner = ((at + 0.5) * scale - 0.5).clamp(0, static_cast<double>(axis.source - 1));
    const Tensor hat = (1.0 - (inner.unsqueeze(2) - positions).abs()).clamp_min(0);
    const Tensor part = hat * (share * inside).unsqueeze(2);
    taps = upper ? taps + part : part;
  }
  return taps.to(at::kFloat);
}

Tensor Grey(const Tensor& x) {
  if (x.size(1) == 1) return x;
  const Tensor weights = at::tensor({0.2989f, 0.587f, 0.114f}, x.options()).view({1, 3, 1, 1});
  return (x * weights).sum(1, /*keepdim=*/true);
}

Tensor TurnHue(const Tensor& x, const Tensor& turn) {
  const Tensor r = x.select(1, 0), g = x.select(1, 1), b = x.select(1, 2);
  const Tensor value = std::get<0>(x.max(1)), chroma = value - std::get<0>(x.min(1));
  const Tensor inverse = at::where(chroma > 0, chroma, at::full({}, 1.0, x.options())).reciprocal();
  const Tensor hue = at::where(value == r, (g - b) * inverse,
                               at::where(value == g, 2.0 + (b - r) * inverse, 4.0 + (r - g) * inverse));
  const Tensor turned = (hue + 6.0 * turn.squeeze(1)).remainder(6.0);
  const auto channel = [&](double shift) {
    const Tensor k = (turned + shift).remainder(6.0);
    return value - chroma * k.minimum(4.0 - k).clamp(0, 1);
  };
  return at::stack({channel(5), channel(3), channel(1)}, 1);
}

Tensor ColourOf(uint8_t step, const Tensor& x, const Tensor& factor) {
  switch (step) {
    case kBrightness:
      return (x * factor).clamp(0, 1);
    case kContrast:
      return (factor * x + (1.0 - factor) * Grey(x).mean({1, 2, 3}, /*keepdim=*/true)).clamp(0, 1);
    case kSaturation:
      return x.size(1) == 1 ? x : (factor * x + (1.0 - factor) * Grey(x)).clamp(0, 1);
    default:
      return x.size(1) == 1 ? x : TurnHue(x, factor);
  }
}

// Every sample has its own order of steps: for each of the four positions, samples with the same step are
// processed together.
void JitterColours(const AugmentConfig& config, const std::vector<SampleChoices>& choices, Tensor& x) {
  const std::array<Range, 4> ranges{config.jitter.brightness, config.jitter.contrast,
                                    config.jitter.saturation, config.jitter.hue};
  for (size_t place = 0; place < 4; ++place) {
    for (const uint8_t step : {kBrightness, kContrast, kSaturation, kHue}) {
      const double neutral = step == kHue ? 0.0 : 1.0;
      if (ranges[step].low == neutral && ranges[step].high == neutral) continue;
      std::vector<int64_t> samples;
      std::vector<SampleChoices> theirs;
      for (size_t b = 0; b < choices.size(); ++b) {
        if (choices[b].order[place] != step) continue;
        samples.push_back(static_cast<int64_t>(b));
        theirs.push_back(choices[b]);
      }
      if (samples.empty()) continue;
      const Tensor index = ToDevice(at::tensor(samples, at::kLong), x.device());
      const Tensor factor =
          Column(theirs, x.device(), [&](const SampleChoices& c) { return c.factor[step]; }).to(at::kFloat);
      x.index_copy_(0, index, ColourOf(step, x.index_select(0, index), factor));
    }
  }
}

Tensor PerChannel(const std::vector<float>& values, const Tensor& like) {
  return ToDevice(at::tensor(values, at::kFloat), like.device()).view({1, -1, 1, 1});
}

// Values of erased pixels: the constant, or noise made on the host by the generators of the samples.
Tensor Replacement(const AugmentConfig& config, const std::vector<SampleChoices>& choices, const Tensor& x) {
  if (!config.erasing.value.empty()) return PerChannel(config.erasing.value, x);
  Tensor noise = at::zeros(x.sizes(), at::kFloat);
  auto values = noise.accessor<float, 4>();
  for (int64_t b = 0; b < x.size(0); ++b) {
    SampleRandom random = choices[static_cast<size_t>(b)].noise;
    const CropBox& box = choices[static_cast<size_t>(b)].erased;
    for (int64_t c = 0; c < x.size(1); ++c) {
      for (int64_t y = box.top; y < box.top + box.height; ++y) {
        for (int64_t left = box.left; left < box.left + box.width; ++left)
          values[b][c][y][left] = static_cast<float>(random.Normal());
      }
    }
  }
  return ToDevice(noise, x.device());
}

Tensor Erase(const AugmentConfig& config, const std::vector<SampleChoices>& choices, const Tensor& x) {
  const auto column = [&](int64_t CropBox::*field) {
    return Column(choices, x.device(), [&](const SampleChoices& c) { return c.erased.*field; });
  };
  const Tensor top = column(&CropBox::top), left = column(&CropBox::left);
  const Tensor bottom = top + column(&CropBox::height), right = left + column(&CropBox::width);
  const Tensor rows = at::arange(x.size(2), top.options()).view({1, 1, -1, 1});
  const Tensor columns = at::arange(x.size(3), top.options()).view({1, 1, 1, -1});
  const Tensor inside =
      rows.ge(top).logical_and(rows.lt(bottom)).logical_and(columns.ge(left)).logical_and(columns.lt(right));
  return at::where(inside, Replacement(config, choices, x), x);
}

Tensor Mixed(const Mix& mix, const Tensor& x) {
  const Tensor before = x.roll({1}, {0});
  if (!mix.boxed) return mix.share * x + (1.0 - mix.share) * before;
  const CropBox& box = mix.box;
  const std::vector<at::indexing::TensorIndex> part{Slice(), Slice(), Slice(box.top, box.top + box.height),
                                                    Slice(box.left, box.left + box.width)};
  Tensor out = x.clone();
  out.index_put_(part, mix.share * x.index(part) + (1.0 - mix.share) * before.index(part));
  return out;
}

Tensor Resampled(const AugmentConfig& config, const std::vector<SampleChoices>& choices, const Tensor& images,
                 const std::vector<int64_t>& indices) {
  const auto device = images.device();
  const auto column = [&](const auto& field) { return Column(choices, device, field); };
  const int64_t height = images.size(2), width = images.size(3);
  const Axis rows{height,
                  config.resize_h > 0 ? config.resize_h : height,
                  config.out_h,
                  column([](const SampleChoices& c) { return c.window.top; }),
                  column([](const SampleChoices& c) { return c.window.height; }),
                  column([](const SampleChoices& c) { return c.vertical_flip; })};
  const Axis columns{width,
                     config.resize_w > 0 ? config.resize_w : width,
                     config.out_w,
                     column([](const SampleChoices& c) { return c.window.left; }),
                     column([](const SampleChoices& c) { return c.window.width; }),
                     column([](const SampleChoices& c) { return c.flip; })};
  const Tensor picked = images.index_select(0, ToDevice(at::tensor(indices, at::kLong), device));
  const Tensor levels = picked.to(at::kFloat) / 255.0;
  return Taps(rows).unsqueeze(1).matmul(levels.matmul(Taps(columns).unsqueeze(1).transpose(2, 3)));
}

}  // namespace

at::ScalarType ScalarTypeOf(ElementType type) {
  return type == ElementType::kFloat32 ? at::kFloat : at::kBFloat16;
}

at::Tensor ToDevice(const at::Tensor& tensor, const at::Device& device) {
  if (device.is_cuda() && tensor.device().is_cpu()) {
    // The caching host allocator keeps the page-locked memory until the copy is complete.
    return tensor.pin_memory().to(device, tensor.scalar_type(), /*non_blocking=*/true);
  }
  return tensor.to(device);
}

at::Tensor AugmentOnDevice(const AugmentConfig& config, const at::Tensor& images,
                           const std::vector<int64_t>& indices, uint64_t seed, uint64_t epoch,
                           const BatchFormat& format, const std::optional<Mix>& mix) {
  if (images.dim() != 4 || images.scalar_type() != at::kByte) {
    Fail(ErrorKind::kArgument, "Expected a uint8 Tensor of shape [N, C, H, W] for images");
  }
  const ImageSet shape{nullptr, images.size(0), images.size(1), images.size(2), images.size(3)};
  CheckAugmentFit(config, shape, indices);
  const auto memory = format.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  const auto dtype = ScalarTypeOf(format.type);
  if (indices.empty()) {
    return at::empty({0, shape.channels, config.out_h, config.out_w}, images.options().dtype(dtype), memory);
  }
  std::vector<SampleChoices> choices;
  for (const int64_t index : indices)
    choices.push_back(Choose(config, shape.height, shape.width, seed, epoch, static_cast<uint64_t>(index)));
  const bool jitter = config.jitter.Active(), erasing = config.erasing.probability > 0;
  // The steps after the kernel are computed in float32.
  const bool finished = !jitter && !erasing && !mix.has_value();
  Tensor x = ResampleWithKernel(config, choices, images, indices, /*normalise=*/!jitter,
                                finished ? format : BatchFormat{});
  const bool by_kernel = x.defined();
  if (!by_kernel) x = Resampled(config, choices, images, indices);
  if (jitter) JitterColours(config, choices, x);
  if (jitter || !by_kernel) x = (x - PerChannel(config.mean, x)) / PerChannel(config.std, x);
  if (erasing) x = Erase(config, choices, x);
  if (mix.has_value()) x = Mixed(*mix, x);
  return x.to(dtype).contiguous(memory);
}

}  // namespace dyconv
