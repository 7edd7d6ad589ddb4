// Linear maps and matrix products: by oneDNN, which libtorch contains for convolutions, where that is faster
// than libtorch's BLAS. ATen level: no N-API, no JS.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace dyconv {

// As at::linear: input [..., I], weight [O, I], bias [O] or none -> [..., O]. Same gradients of any order,
// same errors.
at::Tensor Linear(const at::Tensor& input, const at::Tensor& weight, const std::optional<at::Tensor>& bias);

// As at::matmul.
at::Tensor MatMul(const at::Tensor& a, const at::Tensor& b);

}  // namespace dyconv
