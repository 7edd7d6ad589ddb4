// Between ATen tensors and the kernels of kernels/cuda.
#pragma once

#include <ATen/core/Tensor.h>

#include "kernels/cuda/kernels.h"

namespace dyconv {

// Whether the kernels can take this tensor: it is on a GPU (on the CPU, in a build that emulates CUDA) and of
// float32, bfloat16 or float16. Never without nvcc at build time.
bool CudaKernelsTake(const at::Tensor& tensor);

// Whether this build has the kernels at all.
bool CudaKernelsBuilt();

// Where work on the tensor's device is queued.
kernels::cuda::Stream CurrentStream(const at::Tensor& tensor);

kernels::cuda::Element ElementOf(const at::Tensor& tensor);

// Whether a 4-D tensor is stored with its channels last; the tensor must be dense one way or the other.
bool IsChannelsLast(const at::Tensor& image);

// The tensor itself where it is dense, contiguous or channels_last; else a contiguous copy.
at::Tensor Dense(const at::Tensor& image);

// The tensor stored as `like` is.
at::Tensor DenseLike(const at::Tensor& image, const at::Tensor& like);

}  // namespace dyconv
