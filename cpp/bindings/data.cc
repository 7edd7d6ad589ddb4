// Batches for training and evaluation, made on the environment's data thread while JavaScript computes.
#include <memory>

#include <ATen/core/grad_mode.h>
#include <ATen/ops/empty.h>
#include <c10/core/CPUAllocator.h>

#include "bindings/bindings.h"
#include "kernels/augment/augment.h"
#include "napi/buffers.h"
#include "napi/choice.h"
#include "napi/hot_path.h"
#include "napi/native_object.h"
#include "ops/augment/device.h"
#include "ops/checked_size.h"

namespace dyconv {

// What lib/data/plan.ts makes of a transform: how to make the batches of a loader. Read and checked once.
struct AugmentPlan {
  AugmentConfig config;
  BatchFormat format;
  bool pinned = false;  // page-locked memory, which is copied to CUDA asynchronously
};
using SharedPlan = std::shared_ptr<const AugmentPlan>;

template <>
inline constexpr ObjectType kObjectType<AugmentPlan> = {"a plan of augmentPlan()",
                                                        {0xcc8cacc028057135, 0x0c262d24cb88643f}};

namespace {

template <class T>
T Property(const Argument& argument, const char* name) {
  return FromJs<T>::Get({argument.call, argument.js.As<Napi::Object>().Get(name), argument.index});
}

Range RangeOf(const Argument& argument, const char* name) {
  const auto bounds = Property<std::array<double, 2>>(argument, name);
  return {bounds[0], bounds[1]};
}

std::vector<float> FloatsOf(const Argument& argument, const char* name) {
  const auto numbers = Property<std::vector<double>>(argument, name);
  return {numbers.begin(), numbers.end()};
}

}  // namespace

template <>
inline constexpr auto kNames<CropKind> = std::to_array<Named<CropKind>>({{"none", CropKind::kNone},
                                                                         {"resized", CropKind::kResized},
                                                                         {"random", CropKind::kRandom},
                                                                         {"center", CropKind::kCenter}});
template <>
inline constexpr auto kNames<ElementType> = std::to_array<Named<ElementType>>(
    {{"float32", ElementType::kFloat32}, {"bfloat16", ElementType::kBFloat16}});

namespace {

SharedPlan MakePlan(Call& call, const Napi::Value& js) {
  const Argument argument{call, js, 0};
  if (js.Type() != napi_object) argument.Reject("an object");
  auto plan = std::make_shared<AugmentPlan>();
  AugmentConfig& config = plan->config;
  const auto pair = [&](const char* name, int64_t& height, int64_t& width) {
    const auto sizes = Property<std::array<int64_t, 2>>(argument, name);
    height = sizes[0], width = sizes[1];
  };
  pair("resize", config.resize_h, config.resize_w);
  pair("size", config.out_h, config.out_w);
  pair("cropSize", config.crop_h, config.crop_w);
  config.crop = Property<CropKind>(argument, "crop");
  config.padding = Property<int64_t>(argument, "padding");
  config.scale = RangeOf(argument, "scale");
  config.ratio = RangeOf(argument, "ratio");
  config.flip = Property<double>(argument, "flip");
  config.vertical_flip = Property<double>(argument, "verticalFlip");
  config.jitter = {RangeOf(argument, "brightness"), RangeOf(argument, "contrast"),
                   RangeOf(argument, "saturation"), RangeOf(argument, "hue")};
  config.erasing = {Property<double>(argument, "erase"), RangeOf(argument, "eraseScale"),
                    RangeOf(argument, "eraseRatio"), FloatsOf(argument, "eraseValue")};
  config.mean = FloatsOf(argument, "mean");
  config.std = FloatsOf(argument, "std");
  plan->format.type = Property<ElementType>(argument, "dtype");
  plan->format.channels_last = Property<bool>(argument, "channelsLast");
  plan->pinned = Property<bool>(argument, "pinned");
  CheckAugmentConfig(config);
  return plan;
}

ImageSet ImagesIn(const Call& call, const TypedArray& bytes, const std::array<int64_t, 3>& shape) {
  const auto [channels, height, width] = shape;
  if (bytes.type != napi_uint8_array) {
    throw TypedError(ErrorKind::kArgument, "Expected a Uint8Array for images of " + call.Name());
  }
  const int64_t sample = CheckedNumel(shape, "the bytes of an image");
  if (sample == 0 || bytes.length % static_cast<size_t>(sample) != 0) {
    throw TypedError(ErrorKind::kShape, "Expected whole images of " + std::to_string(sample) +
                                            " bytes for images of " + call.Name() + " but received " +
                                            std::to_string(bytes.length) + " bytes");
  }
  return {.data = static_cast<const uint8_t*>(bytes.bytes),
          .count = static_cast<int64_t>(bytes.length) / sample,
          .channels = channels,
          .height = height,
          .width = width};
}

// mix: null, or the share for mixup, or the share and the box [top, left, height, width] for CutMix.
std::optional<Mix> MixOf(const Call& call, const std::optional<std::vector<double>>& numbers) {
  if (!numbers.has_value()) return std::nullopt;
  const std::vector<double>& n = *numbers;
  if (n.size() != 1 && n.size() != 5)
    throw TypedError(ErrorKind::kArgument, "Expected 1 or 5 numbers for mix of " + call.Name());
  Mix mix{.share = static_cast<float>(n[0]), .boxed = n.size() == 5, .box = {}};
  if (mix.boxed) {
    const auto whole = [&](size_t i) { return static_cast<int64_t>(n[i]); };
    mix.box = {whole(1), whole(2), whole(3), whole(4)};
  }
  return mix;
}

void CheckMix(const Call& call, const std::optional<Mix>& mix, const AugmentConfig& config) {
  if (!mix.has_value() || !mix->boxed) return;
  const CropBox& box = mix->box;
  if (box.top < 0 || box.left < 0 || box.height < 0 || box.width < 0 || box.top + box.height > config.out_h ||
      box.left + box.width > config.out_w) {
    throw TypedError(ErrorKind::kArgument, "Expected a box inside the image for mix of " + call.Name());
  }
}

// Images of different sizes, stored one after the other in one array. sizes: height and width of each.
std::vector<ImageSet> PackedImages(const Call& call, const TypedArray& bytes, int64_t channels,
                                   const std::vector<int64_t>& sizes) {
  std::vector<ImageSet> images;
  const auto* data = static_cast<const uint8_t*>(bytes.bytes);
  int64_t left = static_cast<int64_t>(bytes.length);
  const auto reject = [&] {
    throw TypedError(ErrorKind::kShape, "Expected sizes that give " + std::to_string(bytes.length) +
                                            " bytes for sizes of " + call.Name());
  };
  if (bytes.type != napi_uint8_array || sizes.size() % 2 != 0) reject();
  for (size_t i = 0; i < sizes.size(); i += 2) {
    const int64_t height = sizes[i], width = sizes[i + 1];
    int64_t length = 0;
    if (channels < 1 || height < 1 || width < 1 || __builtin_mul_overflow(channels, height, &length) ||
        __builtin_mul_overflow(length, width, &length) || length > left)
      reject();
    images.push_back({.data = data, .count = 1, .channels = channels, .height = height, .width = width});
    data += length;
    left -= length;
  }
  if (left != 0) reject();
  return images;
}

// Makes a batch on the data thread. `check()` throws if the plan does not fit the images, `fill(out)` writes
// them.
template <class Check, class Fill>
Napi::Value BatchAsync(Call& call, const SharedPlan& plan, std::array<int64_t, 2> count_channels,
                       const std::optional<Mix>& mix, int threads, Check check, Fill fill) {
  auto batch = std::make_shared<at::Tensor>();
  return call.data.data.Run(
      call.env, call.Name(),
      [plan, count_channels, mix, threads, check = std::move(check), fill = std::move(fill), batch] {
        check();
        const AugmentConfig& config = plan->config;
        const std::array<int64_t, 4> sizes{count_channels[0], count_channels[1], config.out_h, config.out_w};
        *batch = at::empty(
            sizes, at::TensorOptions(ScalarTypeOf(plan->format.type)).pinned_memory(plan->pinned),
            plan->format.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous);
        fill(batch->data_ptr());
        if (mix.has_value()) MixBatch(*mix, sizes, plan->format, batch->data_ptr(), threads);
      },
      [batch](Napi::Env env) { return WrapTensor(env, AddonData::Of(env), *batch); });
}

Napi::Value AugmentBatchAsync(Call& call, const TypedArray& bytes, const std::array<int64_t, 3>& shape,
                              const std::vector<int64_t>& indices, const SharedPlan& plan,
                              const std::optional<std::vector<double>>& mixing, int64_t seed, int64_t epoch,
                              int64_t threads) {
  const ImageSet images = ImagesIn(call, bytes, shape);
  const std::optional<Mix> mix = MixOf(call, mixing);
  CheckMix(call, mix, plan->config);
  // Keeps the array, and so its memory, alive while the job reads it. lib/data/batches.ts ensures that the
  // memory cannot be detached or made smaller.
  auto pin = std::make_shared<JsValue>(call.data.js_home, call.ValueAt(0));
  const auto workers = static_cast<int>(threads);
  return BatchAsync(
      call, plan, {static_cast<int64_t>(indices.size()), images.channels}, mix, workers,
      [images, plan, indices] { CheckAugmentFit(plan->config, images, indices); },
      [pin, images, plan, indices, seed, epoch, workers](void* out) {
        AugmentBatch(plan->config, images, indices, static_cast<uint64_t>(seed), static_cast<uint64_t>(epoch),
                     plan->format, out, workers);
      });
}

Napi::Value AugmentImagesAsync(Call& call, const TypedArray& bytes, int64_t channels,
                               const std::vector<int64_t>& sizes, const std::vector<int64_t>& keys,
                               const SharedPlan& plan, const std::optional<std::vector<double>>& mixing,
                               int64_t seed, int64_t epoch, int64_t threads) {
  const std::vector<ImageSet> images = PackedImages(call, bytes, channels, sizes);
  Require(images.size() == keys.size(), ErrorKind::kArgument, "Expected one key for each of ", images.size(),
          " images for keys but received ", keys.size());
  const std::optional<Mix> mix = MixOf(call, mixing);
  CheckMix(call, mix, plan->config);
  auto pin = std::make_shared<JsValue>(call.data.js_home, call.ValueAt(0));
  const auto workers = static_cast<int>(threads);
  return BatchAsync(
      call, plan, {static_cast<int64_t>(images.size()), channels}, mix, workers,
      [images, plan] {
        for (const ImageSet& image : images) CheckAugmentFit(plan->config, image, {0});
      },
      [pin, images, plan, keys, seed, epoch, workers](void* out) {
        AugmentImages(plan->config, images, keys, static_cast<uint64_t>(seed), static_cast<uint64_t>(epoch),
                      plan->format, out, workers);
      });
}

Napi::Value AugmentOnDeviceAsync(Call& call, const at::Tensor& images, const std::vector<int64_t>& indices,
                                 const SharedPlan& plan, const std::optional<std::vector<double>>& mixing,
                                 int64_t seed, int64_t epoch) {
  const std::optional<Mix> mix = MixOf(call, mixing);
  CheckMix(call, mix, plan->config);
  auto batch = std::make_shared<at::Tensor>();
  return call.data.data.Run(
      call.env, call.Name(),
      [images, plan, indices, mix, seed, epoch, batch] {
        at::NoGradGuard no_grad;
        *batch = AugmentOnDevice(plan->config, images, indices, static_cast<uint64_t>(seed),
                                 static_cast<uint64_t>(epoch), plan->format, mix);
      },
      [batch](Napi::Env env) { return WrapTensor(env, AddonData::Of(env), *batch); });
}

// Memory of libtorch's allocator as an ArrayBuffer, not zeroed. For data sets: the allocator uses huge pages,
// so the first write to hundreds of megabytes takes a fraction of the time it takes in memory of V8.
Napi::Value AllocateBytes(Call& call, int64_t length) {
  Require(length >= 0, ErrorKind::kArgument, "Expected an integer of at least 0 for length of allocateBytes");
  const auto bytes = static_cast<size_t>(length);
  auto* owner = new c10::DataPtr(c10::GetCPUAllocator()->allocate(bytes));
  const Napi::Value buffer = ExternalBuffer(call.env, call.data, owner->get(), bytes, owner,
                                            [](void* held) { delete static_cast<c10::DataPtr*>(held); });
  // Runtimes without external buffers: lib/data/bytes.ts then allocates memory of V8.
  return buffer.IsEmpty() ? call.env.Null() : buffer;
}

}  // namespace

const OpTable& DataOps() {
  static const OpTable table = {
      Bind("augmentPlan(plan)", MakePlan),
      Bind("augmentBatch(images, shape, indices, plan, mix, seed, epoch, threads)", AugmentBatchAsync),
      Bind("augmentImages(images, channels, sizes, keys, plan, mix, seed, epoch, threads)",
           AugmentImagesAsync),
      Bind("augmentOnDevice(images, indices, plan, mix, seed, epoch)", AugmentOnDeviceAsync),
      Bind("toDevice(input, device)", ToDevice),
      Bind("allocateBytes(length)", AllocateBytes),
  };
  return table;
}

}  // namespace dyconv
