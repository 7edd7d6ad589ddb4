#include "ops/augment.h"
#include "support.h"

namespace check {
namespace {

void Check(const std::string& name, dyconv::AugmentConfig config, int64_t channels, int64_t height,
           int64_t width, Element element, bool channels_last) {
  constexpr int64_t kCount = 9;
  std::mt19937 random(17);
  std::vector<uint8_t> bytes(kCount * channels * height * width);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  const std::vector<int64_t> indices{3, 0, 8, 5, 3};
  const auto batch = static_cast<int64_t>(indices.size());
  config.mean.clear(), config.std.clear();
  for (int64_t c = 0; c < channels; ++c) {
    config.mean.push_back(0.4f + 0.05f * static_cast<float>(c));
    config.std.push_back(0.2f + 0.03f * static_cast<float>(c));
  }
  const int64_t plane = config.out_h * config.out_w;
  std::vector<float> expected(batch * channels * plane);
  const uint64_t seed = 0x123456789abcdefull, epoch = 4;
  dyconv::AugmentBatch(
      config, {.data = bytes.data(), .count = kCount, .channels = channels, .height = height, .width = width},
      indices.data(), batch, seed, epoch, expected.data(), 1);
  InEveryOrder("augmentation", name + " " + Name(element) + (channels_last ? " channels last" : ""), [&] {
    Buffer output(element, expected.size());
    AugmentArgs args;
    args.images = bytes.data(), args.count = kCount;
    args.channels = channels, args.height = height, args.width = width;
    args.indices = indices.data(), args.batch = batch;
    args.resize_h = config.resize_h, args.resize_w = config.resize_w;
    args.out_h = config.out_h, args.out_w = config.out_w;
    args.crop = config.crop, args.scale_min = config.scale_min, args.scale_max = config.scale_max;
    args.ratio_min = config.ratio_min, args.ratio_max = config.ratio_max;
    args.padding = config.padding, args.flip = config.flip;
    args.mean = config.mean.data(), args.std = config.std.data();
    args.seed = seed, args.epoch = epoch;
    args.channels_last = channels_last, args.element = element, args.output = output.data();
    Augment(args, nullptr);
    auto got = output.Floats();
    if (channels_last) got = Transposed(got, batch, plane, channels);
    return std::vector<Result>{{"batch", got, Doubles(expected), Precision(element)}};
  });
}

}  // namespace

void CheckAugment() {
  constexpr auto kFloat = Element::kFloat, kBFloat16 = Element::kBFloat16, kHalf = Element::kHalf;
  const dyconv::AugmentConfig article{
      .resize_h = 34, .resize_w = 34, .out_h = 32, .out_w = 32, .crop = true, .flip = 0.5};
  Check("resize, random crop and flip", article, 3, 16, 16, kFloat, false);
  Check("resize, random crop and flip", article, 3, 16, 16, kBFloat16, true);
  Check("narrow and high", article, 1, 20, 6, kFloat, false);
  Check("crop that never fits",
        {.out_h = 8,
         .out_w = 9,
         .crop = true,
         .scale_min = 4,
         .scale_max = 5,
         .ratio_min = 0.9,
         .ratio_max = 1.1},
        1, 10, 20, kFloat, false);
  Check("padded crop", {.out_h = 12, .out_w = 12, .padding = 3, .flip = 0.5}, 3, 12, 12, kFloat, true);
  Check("resize alone", {.out_h = 50, .out_w = 70}, 2, 9, 11, kHalf, false);
}

}  // namespace check
