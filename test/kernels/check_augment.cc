#include "kernels/augment/augment.h"
#include "support.h"

namespace check {
namespace {

using dyconv::AugmentConfig, dyconv::CropKind;

void Check(const std::string& name, AugmentConfig config, int64_t channels, int64_t height, int64_t width,
           Element element, bool channels_last) {
  constexpr int64_t kCount = 9;
  constexpr uint64_t kSeed = 0x123456789abcdefull, kEpoch = 4;
  std::mt19937 random(17);
  std::vector<uint8_t> bytes(kCount * channels * height * width);
  for (uint8_t& byte : bytes) byte = static_cast<uint8_t>(random());
  const std::vector<int64_t> indices{3, 0, 8, 5, 3};
  const auto batch = static_cast<int64_t>(indices.size());
  std::vector<float> scale, bias;
  config.mean.clear(), config.std.clear();
  for (int64_t c = 0; c < channels; ++c) {
    config.mean.push_back(0.4f + 0.05f * static_cast<float>(c));
    config.std.push_back(0.2f + 0.03f * static_cast<float>(c));
    scale.push_back(1.0f / (255.0f * config.std.back()));
    bias.push_back(-config.mean.back() / config.std.back());
  }
  std::vector<AugmentSample> samples;
  for (const int64_t index : indices) {
    const auto c = Choose(config, height, width, kSeed, kEpoch, static_cast<uint64_t>(index));
    samples.push_back({index, c.window.top, c.window.left, c.window.height, c.window.width, c.flip,
                       c.vertical_flip});
  }
  const int64_t plane = config.out_h * config.out_w;
  std::vector<float> expected(batch * channels * plane);
  AugmentBatch(config,
               {.data = bytes.data(), .count = kCount, .channels = channels, .height = height, .width = width},
               indices, kSeed, kEpoch, {}, expected.data(), 1);
  InEveryOrder("augmentation", name + " " + Name(element) + (channels_last ? " channels last" : ""), [&] {
    Buffer output(element, expected.size());
    AugmentArgs args;
    args.images = bytes.data(), args.samples = samples.data(), args.batch = batch;
    args.channels = channels, args.height = height, args.width = width;
    args.resize_h = config.resize_h > 0 ? config.resize_h : height;
    args.resize_w = config.resize_w > 0 ? config.resize_w : width;
    args.out_h = config.out_h, args.out_w = config.out_w;
    args.scale = scale.data(), args.bias = bias.data();
    args.channels_last = channels_last, args.element = element, args.output = output.data();
    if (!AugmentFits(args)) throw std::logic_error("the tables do not fit");
    Augment(args, nullptr);
    auto got = output.Floats();
    if (channels_last) got = Transposed(got, batch, plane, channels);
    return std::vector<Result>{{"batch", got, Doubles(expected), Precision(element)}};
  });
}

}  // namespace

void CheckAugment() {
  constexpr auto kFloat = Element::kFloat, kBFloat16 = Element::kBFloat16, kHalf = Element::kHalf;
  const AugmentConfig article{
      .resize_h = 34, .resize_w = 34, .out_h = 32, .out_w = 32, .crop = CropKind::kResized, .flip = 0.5};
  Check("resize, random crop and flip", article, 3, 16, 16, kFloat, false);
  Check("resize, random crop and flip", article, 3, 16, 16, kBFloat16, true);
  Check("narrow and high", article, 1, 20, 6, kFloat, false);
  Check("padded crop, enlarged",
        {.out_h = 17, .out_w = 15, .crop = CropKind::kRandom, .crop_h = 12, .crop_w = 10, .padding = 3},
        3, 12, 12, kFloat, true);
  Check("central crop beyond the image",
        {.out_h = 12, .out_w = 12, .crop = CropKind::kCenter, .crop_h = 12, .crop_w = 12}, 1, 5, 8, kFloat,
        false);
  Check("turned over both ways", {.out_h = 50, .out_w = 70, .flip = 0.5, .vertical_flip = 0.5}, 2, 9, 11,
        kHalf, false);
  Check("several blocks an image", {.out_h = 5, .out_w = 900, .vertical_flip = 1}, 1, 3, 7, kFloat, false);
}

}  // namespace check
