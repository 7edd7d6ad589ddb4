#include "ops/cuda/kernels.h"

#include <c10/util/Exception.h>

#if defined(DYCONV_CUDA_KERNELS)
#include <c10/cuda/CUDAStream.h>

#include <map>
#include <mutex>

#include "ops/cuda/device.h"
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

const GpuName& GpuNameOf(const at::Tensor& tensor) {
#if defined(DYCONV_EMULATE_CUDA)
  (void)tensor;
  static const GpuName emulation{"emulation", ""};
  return emulation;
#else
  static std::mutex mutex;
  static auto* names =
      new std::map<int64_t, GpuName>;  // background threads may use it while the process ends
  const std::lock_guard lock(mutex);
  const int64_t index = tensor.device().index();
  const auto found = names->find(index);
  if (found != names->end()) return found->second;
  const CudaDevice device = GetCudaDevice(index);
  const auto capability = std::to_string(device.major) + "." + std::to_string(device.minor);
  return names->emplace(index, GpuName{device.name, capability}).first->second;
#endif
}

#else

bool CudaKernelsBuilt() { return false; }
bool CudaKernelsTake(const at::Tensor&) { return false; }
const GpuName& GpuNameOf(const at::Tensor&) { FailWithoutCudaKernels(); }

#endif

void FailWithoutCudaKernels() { TORCH_INTERNAL_ASSERT(false, "the CUDA kernels are not part of this build"); }

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

bool IsDenseChannelsLast(const at::Tensor& image) { return !image.is_contiguous(); }

at::Tensor DenseImage(const at::Tensor& image) {
  const bool dense = image.is_contiguous() || image.is_contiguous(at::MemoryFormat::ChannelsLast);
  return dense ? image : image.contiguous();
}

at::Tensor DenseLike(const at::Tensor& image, const at::Tensor& like) {
  return image.contiguous(IsDenseChannelsLast(like) ? at::MemoryFormat::ChannelsLast
                                                    : at::MemoryFormat::Contiguous);
}

}  // namespace dyconv
