#include "bindings/optim_rows.h"

#include <sstream>
#include <string>

#include <ATen/ATen.h>
#include <ATen/MemoryOverlap.h>

#include "napi/convert.h"
#include "napi/errors.h"

namespace dyconv {
namespace {

using at::Tensor;

template <class T>
std::string Text(const T& value) {
  std::ostringstream text;
  text << value;
  return text.str();
}

std::string Shape(const Tensor& tensor) { return Text(tensor.sizes()); }

// Called for error messages only, so that the text is not made on every step.
std::string NameOf(const char* what, size_t parameter) {
  return std::string(what) + " of parameter " + std::to_string(parameter);
}

[[noreturn]] void Mismatch(ErrorKind kind, const std::string& expected, const std::string& received,
                           const std::string& name) {
  throw TypedError(
      kind, "Expected " + expected + ", as the parameter has, for " + name + " but received " + received);
}

void CheckFits(const Tensor& parameter, const Tensor& other, const char* what, size_t index) {
  if (other.layout() != at::kStrided)
    Mismatch(ErrorKind::kArgument, "a dense layout", Text(other.layout()), NameOf(what, index));
  if (other.sizes() != parameter.sizes())
    Mismatch(ErrorKind::kShape, "shape " + Shape(parameter), Shape(other), NameOf(what, index));
  if (other.scalar_type() != parameter.scalar_type())
    Mismatch(ErrorKind::kDType, DTypeName(parameter.scalar_type()), DTypeName(other.scalar_type()),
             NameOf(what, index));
  if (other.device() != parameter.device())
    Mismatch(ErrorKind::kDevice, Text(parameter.device()), Text(other.device()), NameOf(what, index));
}

bool Overlaps(const Tensor& tensor) { return at::has_internal_overlap(tensor) == at::MemOverlap::Yes; }

// Whether two tensors of one shape have their elements in the same order in memory; dimensions of size 1 do
// not matter.
bool SameOrder(at::IntArrayRef sizes, at::IntArrayRef a, at::IntArrayRef b) {
  for (size_t i = 0; i < sizes.size(); ++i) {
    if (sizes[i] != 1 && a[i] != b[i]) return false;
  }
  return true;
}

}  // namespace

void RefuseOverlap(const Tensor& tensor, const std::string& name) {
  if (!Overlaps(tensor)) return;
  throw TypedError(ErrorKind::kArgument, "Expected a Tensor with a place in memory for every element for " +
                                             name + " but received an expanded one of shape " +
                                             Shape(tensor) + ": clone() it first");
}

void CheckOneNumber(const Tensor& tensor, const char* name) {
  if (tensor.numel() == 1 && tensor.scalar_type() == at::kFloat && tensor.layout() == at::kStrided) return;
  throw TypedError(ErrorKind::kArgument, std::string("Expected one float32 number for ") + name +
                                             " but received " + DTypeName(tensor.scalar_type()) +
                                             " of shape " + Shape(tensor));
}

std::vector<OptimRow> RowsWithGradient(const std::vector<Tensor>& parameters,
                                       const std::vector<StateList>& state, std::vector<size_t>* indices) {
  std::vector<OptimRow> rows;
  rows.reserve(parameters.size());
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& parameter = parameters[i];
    const Tensor& gradient = parameter.grad();
    if (!gradient.defined()) continue;
    if (Overlaps(parameter)) RefuseOverlap(parameter, "parameter " + std::to_string(i));
    CheckFits(parameter, gradient, "the gradient", i);
    OptimRow row;
    row.reserve(2 + state.size());
    row.push_back(parameter);
    row.push_back(gradient);
    for (const StateList& list : state) {
      const std::optional<Tensor>& tensor = list.tensors.at(i);
      row.push_back(tensor.value_or(Tensor()));
      if (!tensor) continue;
      CheckFits(parameter, *tensor, list.name, i);
      if (Overlaps(*tensor)) RefuseOverlap(*tensor, NameOf(list.name, i));
    }
    rows.push_back(std::move(row));
    if (indices != nullptr) indices->push_back(i);
  }
  // libtorch's fused kernels do not increment version counters. What depends on a version of the weights,
  // such as the base expert of a dynamic convolution or a graph that needs the old values, must see the
  // change.
  for (const OptimRow& row : rows) {
    if (!row[0].is_inference()) row[0].unsafeGetTensorImpl()->bump_version();
  }
  return rows;
}

std::vector<Tensor> StepsOf(const OptionalTensors& steps, const std::vector<size_t>& indices) {
  std::vector<Tensor> counts;
  for (const size_t i : indices) {
    counts.push_back(steps.at(i).value());
    CheckOneNumber(counts.back(), "step");
  }
  return counts;
}

void FusedLists::Add(const OptimRow& row, const Tensor& step) {
  const Tensor& parameter = row[0];
  const bool dense = parameter.is_non_overlapping_and_dense();
  const at::DimVector strides =
      dense ? at::DimVector(parameter.strides()) : c10::contiguous_strides(parameter.sizes());
  for (size_t j = 0; j < row.size(); ++j) {
    const Tensor& tensor = row[j];
    if (tensor.strides() == at::IntArrayRef(strides)) {
      columns_[j].push_back(tensor);
    } else if (SameOrder(tensor.sizes(), tensor.strides(), strides)) {
      columns_[j].push_back(tensor.as_strided(tensor.sizes(), strides));
    } else {
      const Tensor copy = at::empty_strided(tensor.sizes(), strides, tensor.options());
      copy.copy_(tensor);
      columns_[j].push_back(copy);
      // The kernels only read gradients.
      if (j != 1) copies_.emplace_back(tensor, copy);
    }
  }
  if (step.defined()) steps_.push_back(step);
}

void FusedLists::WriteBack() const {
  for (const auto& [original, copy] : copies_) original.copy_(copy);
}

WidenedRows::WidenedRows(std::vector<OptimRow> rows) : rows_(std::move(rows)) {
  for (OptimRow& row : rows_) {
    if (!row[0].is_cpu() || !at::isReducedFloatingType(row[0].scalar_type())) continue;
    for (size_t j = 0; j < row.size(); ++j) {
      const Tensor original = row[j];
      row[j] = original.to(at::kFloat);
      if (j != 1) copies_.emplace_back(original, row[j]);
    }
  }
}

void WidenedRows::WriteBack() const {
  for (const auto& [original, copy] : copies_) original.copy_(copy);
}

std::vector<FusedLists> GroupRows(const std::vector<OptimRow>& rows, const std::vector<Tensor>& steps) {
  std::vector<FusedLists> groups;
  for (size_t i = 0; i < rows.size(); ++i) {
    auto group = groups.begin();
    while (group != groups.end() && !group->Takes(rows[i][0])) ++group;
    if (group == groups.end()) group = groups.insert(group, FusedLists(rows[i].size()));
    group->Add(rows[i], steps.empty() ? Tensor() : steps[i]);
  }
  return groups;
}

}  // namespace dyconv
