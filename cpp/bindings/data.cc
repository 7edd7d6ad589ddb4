// Batches for training and evaluation, made on the environment's data thread while JavaScript computes.
#include <memory>
#include <thread>

#include "bindings/bindings.h"
#include "ops/augment.h"

namespace dyconv {
namespace {

// Keeps a JavaScript object, and with it the memory of a typed array, alive while a job reads it. Its end
// normally comes on the JavaScript thread; a job that is dropped elsewhere leaves the reference to the
// closing environment.
class Pin {
 public:
  Pin(napi_env env, napi_value object) : env_(env), thread_(std::this_thread::get_id()) {
    Check(env, napi_create_reference(env, object, 1, &reference_), "napi_create_reference");
  }
  Pin(const Pin&) = delete;
  Pin& operator=(const Pin&) = delete;
  ~Pin() {
    if (std::this_thread::get_id() == thread_) napi_delete_reference(env_, reference_);
  }

 private:
  napi_env env_;
  std::thread::id thread_;
  napi_ref reference_ = nullptr;
};

ImageSet ImagesIn(const Call& call, const TypedArray& bytes, const std::array<int64_t, 3>& shape) {
  const auto [channels, height, width] = shape;
  if (bytes.type != napi_uint8_array) {
    throw TypedError(ErrorKind::kArgument, "Expected a Uint8Array for images of " + call.Name());
  }
  const int64_t sample = channels * height * width;
  if (sample <= 0 || bytes.length % static_cast<size_t>(sample) != 0) {
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

// sizes: height and width before the crop (0: the image's own), height and width of the batch.
// crop: smallest and largest area, smallest and largest aspect ratio; null for none.
napi_value AugmentBatchAsync(Call& call, const TypedArray& bytes, const std::array<int64_t, 3>& shape,
                             const std::vector<int64_t>& indices, const std::array<int64_t, 4>& sizes,
                             const std::optional<std::array<double, 4>>& crop, int64_t padding, double flip,
                             const std::vector<double>& mean, const std::vector<double>& std, int64_t seed,
                             int64_t epoch, int64_t threads) {
  const ImageSet images = ImagesIn(call, bytes, shape);
  AugmentConfig config{.resize_h = sizes[0],
                       .resize_w = sizes[1],
                       .out_h = sizes[2],
                       .out_w = sizes[3],
                       .padding = padding,
                       .flip = flip};
  config.mean.assign(mean.begin(), mean.end());
  config.std.assign(std.begin(), std.end());
  if (crop.has_value()) {
    config.crop = true;
    config.scale_min = (*crop)[0], config.scale_max = (*crop)[1];
    config.ratio_min = (*crop)[2], config.ratio_max = (*crop)[3];
  }
  auto pin = std::make_shared<Pin>(call.env, call.arguments[0]);
  auto batch = std::make_shared<at::Tensor>();
  return call.data.data.Run(
      call.env, call.Name(),
      [pin, images, config, indices, seed, epoch, threads, batch] {
        const auto count = static_cast<int64_t>(indices.size());
        *batch = at::empty({count, images.channels, config.out_h, config.out_w});
        AugmentBatch(config, images, indices.data(), count, static_cast<uint64_t>(seed),
                     static_cast<uint64_t>(epoch), batch->data_ptr<float>(), static_cast<int>(threads));
      },
      [batch](napi_env env) { return WrapTensor(env, AddonData::Of(env), *batch); });
}

}  // namespace

const OpTable& DataOps() {
  static const OpTable table = {
      Bind(
          "augmentBatch(images, shape, indices, sizes, crop, padding, flip, mean, std, seed, epoch, threads)",
          AugmentBatchAsync),
  };
  return table;
}

}  // namespace dyconv
