#include "cuda_kernels.h"

#include <ATen/ops/empty.h>
#include <c10/core/DeviceGuard.h>
#include <c10/util/Exception.h>

#if defined(DYCONV_CUDA_KERNELS)
#include <c10/cuda/CUDAStream.h>
#endif

namespace dyconv {

#if defined(DYCONV_CUDA_KERNELS) || defined(DYCONV_EMULATE_CUDA)

bool CudaKernelsBuilt() { return true; }

bool CudaKernelsTake(const at::Tensor& tensor) {
  const auto type = tensor.scalar_type();
  if (type != at::kFloat && type != at::kBFloat16 && type != at::kHalf) return false;
#if defined(DYCONV_EMULATE_CUDA)
  return tensor.device().is_cpu();
#else
  return tensor.device().is_cuda();
#endif
}

#else

bool CudaKernelsBuilt() { return false; }
bool CudaKernelsTake(const at::Tensor&) { return false; }

#endif

kernels::cuda::Stream CurrentStream(const at::Tensor& tensor) {
#if defined(DYCONV_CUDA_KERNELS)
  return c10::cuda::getCurrentCUDAStream(tensor.device().index()).stream();
#else
  (void)tensor;
  return nullptr;
#endif
}

kernels::cuda::Element ElementOf(const at::Tensor& tensor) {
  using kernels::cuda::Element;
  switch (tensor.scalar_type()) {
    case at::kFloat:
      return Element::kFloat;
    case at::kBFloat16:
      return Element::kBFloat16;
    case at::kHalf:
      return Element::kHalf;
    default:
      TORCH_INTERNAL_ASSERT(false, "the CUDA kernels do not take ", tensor.scalar_type());
  }
}

bool IsChannelsLast(const at::Tensor& image) { return !image.is_contiguous(); }

at::Tensor Dense(const at::Tensor& image) {
  const bool dense = image.is_contiguous() || image.is_contiguous(at::MemoryFormat::ChannelsLast);
  return dense ? image : image.contiguous();
}

at::Tensor DenseLike(const at::Tensor& image, const at::Tensor& like) {
  return image.contiguous(IsChannelsLast(like) ? at::MemoryFormat::ChannelsLast
                                               : at::MemoryFormat::Contiguous);
}

at::Tensor AugmentWithKernel(const at::Tensor& images, const at::Tensor& indices, const at::Tensor& mean,
                             const at::Tensor& std, kernels::cuda::AugmentArgs args, at::ScalarType dtype,
                             bool channels_last) {
  TORCH_CHECK_TYPE(images.scalar_type() == at::kByte && images.dim() == 4,
                   "Expected a uint8 Tensor of shape [N, C, H, ", "W] for images but got ",
                   images.scalar_type(), " of shape ", images.sizes());
  TORCH_CHECK_TYPE(indices.scalar_type() == at::kLong && indices.dim() == 1,
                   "Expected an int64 Tensor of shape [B] for indices but got ", indices.scalar_type(),
                   " of shape ", indices.sizes());
  for (const auto* values : {&mean, &std}) {
    TORCH_CHECK_VALUE(values->scalar_type() == at::kFloat && values->numel() == images.size(1),
                      "Expected float32 of shape [", images.size(1), "] for mean and std but got ",
                      values->scalar_type(), " of shape ", values->sizes());
  }
  for (const auto* tensor : {&indices, &mean, &std}) {
    TORCH_CHECK(tensor->device() == images.device(), "Expected all tensors on the same device, ",
                images.device(), ", but got one on ", tensor->device());
  }
  const auto format = channels_last ? at::MemoryFormat::ChannelsLast : at::MemoryFormat::Contiguous;
  auto output = at::empty({indices.size(0), images.size(1), args.out_h, args.out_w},
                          images.options().dtype(dtype).memory_format(format));
  TORCH_CHECK(CudaKernelsTake(output),
              "Expected images on a GPU, and an add-on built with nvcc, for augmentation on ",
              "the device but got images on ", images.device(), " and dtype ", dtype);
#if defined(DYCONV_CUDA_KERNELS) || defined(DYCONV_EMULATE_CUDA)
  const c10::OptionalDeviceGuard guard(images.device());
  const auto set = images.contiguous(), order = indices.contiguous();
  const auto means = mean.contiguous(), stds = std.contiguous();
  args.images = set.const_data_ptr<uint8_t>();
  args.count = set.size(0), args.channels = set.size(1), args.height = set.size(2), args.width = set.size(3);
  args.indices = order.const_data_ptr<int64_t>();
  args.batch = order.size(0);
  args.mean = means.const_data_ptr<float>(), args.std = stds.const_data_ptr<float>();
  args.channels_last = IsChannelsLast(output), args.element = ElementOf(output);
  args.output = output.mutable_data_ptr();
  kernels::cuda::Augment(args, CurrentStream(output));
#endif
  return output;
}

}  // namespace dyconv
