// Conversion between ATen tensors and the arguments of kernels/cuda.
#pragma once

#include <ATen/core/Tensor.h>

#include <string>

#include "kernels/cuda/kernels.h"

namespace dyconv {

// Whether the kernels can use this tensor: it is on a GPU (on the CPU in a build that emulates CUDA), of
// float32, bfloat16 or float16. Always false if nvcc was missing at build time.
bool CudaKernelsTake(const at::Tensor& tensor);

// Whether this build has the kernels at all.
bool CudaKernelsBuilt();
// What their callers do in a build without them, where CudaKernelsTake() is false.
[[noreturn]] void FailWithoutCudaKernels();

// The GPU of a tensor that the kernels take.
struct GpuName {
  std::string name;        // such as "NVIDIA H200"; "emulation" in a build that emulates CUDA
  std::string capability;  // compute capability, such as "9.0"
};
// Asks the driver once for every device.
const GpuName& GpuNameOf(const at::Tensor& tensor);

// The stream of the tensor's device.
kernels::cuda::Stream CurrentStream(const at::Tensor& tensor);

kernels::cuda::Element ElementOf(const at::Tensor& tensor);

// Whether a 4-D tensor that is dense in either layout is stored with channels last alone; where both layouts
// are the same, it is not.
bool IsDenseChannelsLast(const at::Tensor& image);

// The tensor itself if it is dense (contiguous or channels_last), otherwise a contiguous copy.
at::Tensor DenseImage(const at::Tensor& image);

// The tensor in the memory format of `like`.
at::Tensor DenseLike(const at::Tensor& image, const at::Tensor& like);

}  // namespace dyconv
