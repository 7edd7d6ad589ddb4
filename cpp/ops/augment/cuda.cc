#include "ops/augment/cuda.h"

#include <ATen/ops/empty.h>
#include <c10/core/DeviceGuard.h>

#include "ops/augment/device.h"
#include "ops/cuda/kernels.h"

namespace dyconv {

#if defined(DYCONV_CUDA_KERNELS) || defined(DYCONV_EMULATE_CUDA)

namespace {

using kernels::cuda::AugmentArgs;
using kernels::cuda::AugmentSample;

at::Tensor SamplesOf(const std::vector<SampleChoices>& choices, const std::vector<int64_t>& indices) {
  constexpr int64_t kNumbers = sizeof(AugmentSample) / sizeof(int64_t);
  at::Tensor host = at::empty({static_cast<int64_t>(indices.size()), kNumbers}, at::kLong);
  auto* samples = reinterpret_cast<AugmentSample*>(host.mutable_data_ptr<int64_t>());
  for (size_t b = 0; b < indices.size(); ++b) {
    const SampleChoices& c = choices[b];
    samples[b] = {indices[b],     c.window.top, c.window.left,  c.window.height,
                  c.window.width, c.flip,       c.vertical_flip};
  }
  return host;
}

// Per channel, the factor and the offset for a byte.
at::Tensor ScalesOf(const AugmentConfig& config, int64_t channels, bool normalise) {
  at::Tensor host = at::empty({2, channels}, at::kFloat);
  auto* values = host.mutable_data_ptr<float>();
  const auto of = [](const std::vector<float>& list, int64_t c) {
    return list.size() == 1 ? list[0] : list[static_cast<size_t>(c)];
  };
  for (int64_t c = 0; c < channels; ++c) {
    const float mean = normalise ? of(config.mean, c) : 0.0f, std = normalise ? of(config.std, c) : 1.0f;
    values[c] = 1.0f / (255.0f * std);
    values[channels + c] = -mean / std;
  }
  return host;
}

}  // namespace

at::Tensor ResampleWithKernel(const AugmentConfig& config, const std::vector<SampleChoices>& choices,
                              const at::Tensor& images, const std::vector<int64_t>& indices, bool normalise,
                              const BatchFormat& format) {
  AugmentArgs args;
  args.batch = static_cast<int64_t>(indices.size());
  args.channels = images.size(1), args.height = images.size(2), args.width = images.size(3);
  args.resize_h = config.resize_h > 0 ? config.resize_h : args.height;
  args.resize_w = config.resize_w > 0 ? config.resize_w : args.width;
  args.out_h = config.out_h, args.out_w = config.out_w;
  if (!kernels::cuda::AugmentFits(args)) return {};
  const auto memory = format.channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  at::Tensor output = at::empty({args.batch, args.channels, args.out_h, args.out_w},
                                images.options().dtype(ScalarTypeOf(format.type)).memory_format(memory));
  if (!CudaKernelsTake(output)) return {};
  const c10::OptionalDeviceGuard guard(images.device());
  const at::Tensor set = images.contiguous();
  const at::Tensor samples = ToDevice(SamplesOf(choices, indices), images.device());
  const at::Tensor scales = ToDevice(ScalesOf(config, args.channels, normalise), images.device());
  args.images = set.const_data_ptr<uint8_t>();
  args.samples = reinterpret_cast<const AugmentSample*>(samples.const_data_ptr<int64_t>());
  args.scale = scales.const_data_ptr<float>(), args.bias = args.scale + args.channels;
  args.channels_last = format.channels_last, args.element = ElementOf(output);
  args.output = output.mutable_data_ptr();
  kernels::cuda::Augment(args, CurrentStream(output));
  return output;
}

#else

at::Tensor ResampleWithKernel(const AugmentConfig&, const std::vector<SampleChoices>&, const at::Tensor&,
                              const std::vector<int64_t>&, bool, const BatchFormat&) {
  return {};
}

#endif

}  // namespace dyconv
