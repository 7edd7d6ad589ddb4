// What an optimizer changes, checked and laid out for the fused kernels of libtorch.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <utility>
#include <vector>

namespace dyconv {

using OptionalTensors = std::vector<std::optional<at::Tensor>>;

// State tensors by parameter, and their name in messages.
struct StateList {
  const char* name;
  const OptionalTensors& tensors;
};

// A parameter that has a gradient, with its state: parameter, gradient, state of every list. All have the
// same shape, dtype and device; none that is written to has two elements in one place.
using OptimRow = std::vector<at::Tensor>;

// The rows of the parameters that have a gradient. Throws before anything is changed where one does not fit.
// A missing state tensor is an undefined one. `indices`, where given, gets the numbers of the parameters.
std::vector<OptimRow> RowsWithGradient(const std::vector<at::Tensor>& parameters,
                                       const std::vector<StateList>& state,
                                       std::vector<size_t>* indices = nullptr);

// Throws if several elements of the tensor share one place in memory, as those of an expanded tensor do.
void RefuseOverlap(const at::Tensor& tensor, const std::string& name);

// Throws unless it is one float32 number.
void CheckOneNumber(const at::Tensor& tensor, const char* name);

// The step counts (or other single numbers) of the parameters that have a gradient.
std::vector<at::Tensor> StepsOf(const OptionalTensors& steps, const std::vector<size_t>& indices);

// Rows of one device and dtype as lists for the fused kernels. Those kernels pair the numbers of a row by
// their place in memory, whatever the strides say. So a row goes in as it is only where all its tensors have
// the same dense strides. Of another row, tensors are copied to such strides, and WriteBack copies the
// results to where they belong.
class FusedLists {
 public:
  explicit FusedLists(size_t columns) : columns_(columns) {}

  void Add(const OptimRow& row, const at::Tensor& step = {});
  // Parameters, gradients, then the state lists.
  const std::vector<at::Tensor>& operator[](size_t column) const { return columns_[column]; }
  const std::vector<at::Tensor>& steps() const { return steps_; }
  at::Device device() const { return columns_[0][0].device(); }
  bool Takes(const at::Tensor& parameter) const {
    return columns_[0][0].device() == parameter.device() &&
           columns_[0][0].scalar_type() == parameter.scalar_type();
  }
  void WriteBack() const;

 private:
  std::vector<std::vector<at::Tensor>> columns_;
  std::vector<at::Tensor> steps_;
  std::vector<std::pair<at::Tensor, at::Tensor>> copies_;  // where a result belongs, and where it is
};

// Rows for a kernel whose 16-bit form cannot be used on the CPU: rows of such a parameter are copied to
// float32, and WriteBack rounds the results to where they belong. Other rows stay as they are.
class WidenedRows {
 public:
  explicit WidenedRows(std::vector<OptimRow> rows);

  const std::vector<OptimRow>& rows() const { return rows_; }
  void WriteBack() const;

 private:
  std::vector<OptimRow> rows_;
  std::vector<std::pair<at::Tensor, at::Tensor>> copies_;  // where a result belongs, and where it is
};

// One FusedLists for every device and dtype; `steps`, if not empty, has one tensor a row.
std::vector<FusedLists> GroupRows(const std::vector<OptimRow>& rows,
                                  const std::vector<at::Tensor>& steps = {});

}  // namespace dyconv
