// The arguments of an optimizer step, checked and arranged for libtorch's fused kernels.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>
#include <utility>
#include <vector>

namespace dyconv {

using OptionalTensors = std::vector<std::optional<at::Tensor>>;

// State tensors by parameter, and their name in error messages.
struct StateList {
  const char* name;
  const OptionalTensors& tensors;
};

// A parameter that has a gradient, with its state: parameter, gradient, state of every list. All have the
// same shape, dtype and device; no tensor that is written to has overlapping elements.
using OptimRow = std::vector<at::Tensor>;

// The rows of the parameters that have a gradient. Throws before anything is changed if a tensor does not
// fit. A missing state tensor is undefined. `indices`, if given, receives the indices of the parameters.
std::vector<OptimRow> RowsWithGradient(const std::vector<at::Tensor>& parameters,
                                       const std::vector<StateList>& state,
                                       std::vector<size_t>* indices = nullptr);

// Throws if elements of the tensor share memory, as those of an expanded tensor do.
void RefuseOverlap(const at::Tensor& tensor, const std::string& name);

// Throws unless it is one float32 number.
void CheckOneNumber(const at::Tensor& tensor, const char* name);

// The step counts (or other single numbers) of the parameters that have a gradient.
std::vector<at::Tensor> StepsOf(const OptionalTensors& steps, const std::vector<size_t>& indices);

// Rows of one device and dtype as lists for the fused kernels. These kernels combine the elements of a row by
// their address and ignore strides. So a row is passed as it is only if all its tensors have the same dense
// strides. Otherwise tensors are copied to such strides, and WriteBack copies the results back.
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
  std::vector<std::pair<at::Tensor, at::Tensor>> copies_;  // destination and source
};

// Rows for a kernel whose 16-bit version cannot be used on the CPU: rows of 16-bit parameters are copied to
// float32, and WriteBack rounds the results into the parameters. Other rows are not copied.
class WidenedRows {
 public:
  explicit WidenedRows(std::vector<OptimRow> rows);

  const std::vector<OptimRow>& rows() const { return rows_; }
  void WriteBack() const;

 private:
  std::vector<OptimRow> rows_;
  std::vector<std::pair<at::Tensor, at::Tensor>> copies_;  // destination and source
};

// One FusedLists per device and dtype; `steps`, if not empty, has one tensor per row.
std::vector<FusedLists> GroupRows(const std::vector<OptimRow>& rows,
                                  const std::vector<at::Tensor>& steps = {});

}  // namespace dyconv
