// Adaptors for common signatures of operations, and helpers that several tables use.
#pragma once

#include <optional>
#include <string>
#include <vector>

#include "napi/bind.h"
#include "napi/choice.h"
#include "ops/optional_tensor.h"

namespace dyconv {

using IntList = std::vector<int64_t>;
using Dim = std::optional<int64_t>;
using Dims = std::optional<IntList>;
using OptionalDType = std::optional<at::ScalarType>;

inline at::TensorOptions OptionsOf(at::ScalarType dtype, at::Device device) {
  return at::device(device).dtype(dtype);
}

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

using at::Reduction::Reduction;

template <>
inline constexpr auto kNames<Reduction> = std::to_array<Named<Reduction>>(
    {{"none", at::Reduction::None}, {"mean", at::Reduction::Mean}, {"sum", at::Reduction::Sum}});

inline at::Tensor Reduce(const at::Tensor& losses, Reduction reduction) {
  if (reduction == at::Reduction::None) return losses;
  return reduction == at::Reduction::Sum ? losses.sum() : losses.mean();
}

}  // namespace dyconv
