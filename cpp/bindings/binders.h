// Adaptors for the usual shapes of operations, and what several tables share.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "napi/bind.h"

namespace dyconv {

using IntList = std::vector<int64_t>;
using Dim = std::optional<int64_t>;
using Dims = std::optional<IntList>;
using OptionalTensor = std::optional<at::Tensor>;

using Unary = at::Tensor (*)(const at::Tensor&);
using Binary = at::Tensor (*)(const at::Tensor&, const at::Tensor&);
using UnaryInPlace = at::Tensor& (at::Tensor::*)() const;

inline Op BindUnary(const char* signature, Unary function) {
  return Bind(signature, [function](const at::Tensor& x) { return function(x); });
}

// Either operand may be a number.
inline Op BindBinary(const char* signature, Binary function) {
  return Bind(signature,
              [function](const Operand& a, const Operand& b) { return function(a.tensor, b.tensor); });
}

inline Op BindInPlace(const char* signature, UnaryInPlace method) {
  return Bind(signature, [method](const at::Tensor& x) -> at::Tensor { return (x.*method)(); });
}

// An absent `dim` means all dimensions, as in PyTorch.
inline at::OptionalIntArrayRef Over(const Dims& dims) {
  return dims ? at::OptionalIntArrayRef(*dims) : at::OptionalIntArrayRef();
}

// lib/ops/loss.ts lets no name pass but 'none', 'mean' and 'sum'.
inline at::Reduction::Reduction ReductionOf(const std::string& name) {
  if (name == "none") return at::Reduction::None;
  if (name == "sum") return at::Reduction::Sum;
  return at::Reduction::Mean;
}

inline at::Tensor Reduce(const at::Tensor& losses, const std::string& reduction) {
  if (reduction == "none") return losses;
  return reduction == "sum" ? losses.sum() : losses.mean();
}

}  // namespace dyconv
