// New tensors.
#include <algorithm>
#include <cstring>

#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "napi/typed_array.h"
#include "ops/checked_size.h"

namespace dyconv {
namespace {

using at::Tensor;

// libtorch counts the indices of a triangle with products that may overflow, and adds to the offset. Sizes
// that overflow are an error; an offset beyond the matrix is clamped to its edge.
int64_t TriangleOffset(int64_t rows, int64_t columns, int64_t offset) {
  Require(rows >= 0 && columns >= 0, ErrorKind::kArgument,
          "Expected integers of at least 0 for rows and columns but received ", rows, " and ", columns);
  CheckedBytes({2, rows, columns}, sizeof(int64_t), "the bytes of all indices");
  return std::clamp(offset, -rows, columns);
}

// A copy of the array as a tensor. `dtype` is that of the array's bytes; the sizes of the elements must
// agree.
Tensor FromData(const TypedArray& data, const IntList& shape, at::ScalarType dtype, at::Device device) {
  CheckTypedArray(data, shape, dtype);
  Tensor tensor = at::empty(shape, OptionsOf(dtype, at::kCPU));
  if (tensor.numel() > 0) std::memcpy(tensor.data_ptr(), data.bytes, tensor.nbytes());
  return device.is_cpu() ? tensor : tensor.to(device);
}

}  // namespace

const OpTable& CreateOps() {
  static const OpTable table = {
      Bind("fromData(data, shape, dtype, device)", FromData),
      Bind("empty(shape, dtype, device)", [](const IntList& shape, at::ScalarType t,
                                             at::Device d) { return at::empty(shape, OptionsOf(t, d)); }),
      Bind("full(shape, value, dtype, device)",
           [](const IntList& shape, const at::Scalar& value, at::ScalarType t, at::Device d) {
             return at::full(shape, value, OptionsOf(t, d));
           }),
      Bind("rand(shape, dtype, device)", [](const IntList& shape, at::ScalarType t,
                                            at::Device d) { return at::rand(shape, OptionsOf(t, d)); }),
      Bind("randn(shape, dtype, device)", [](const IntList& shape, at::ScalarType t,
                                             at::Device d) { return at::randn(shape, OptionsOf(t, d)); }),
      Bind("randint(low, high, shape, dtype, device)",
           [](int64_t low, int64_t high, const IntList& shape, at::ScalarType t, at::Device d) {
             return at::randint(low, high, shape, OptionsOf(t, d));
           }),
      Bind("randperm(n, dtype, device)",
           [](int64_t n, at::ScalarType t, at::Device d) { return at::randperm(n, OptionsOf(t, d)); }),
      Bind("arange(start, end, step, dtype, device)",
           [](const at::Scalar& start, const at::Scalar& end, const at::Scalar& step, at::ScalarType t,
              at::Device d) { return at::arange(start, end, step, OptionsOf(t, d)); }),
      Bind("linspace(start, end, steps, dtype, device)",
           [](const at::Scalar& start, const at::Scalar& end, int64_t steps, at::ScalarType t, at::Device d) {
             return at::linspace(start, end, steps, OptionsOf(t, d));
           }),
      Bind("logspace(start, end, steps, base, dtype, device)",
           [](const at::Scalar& start, const at::Scalar& end, int64_t steps, double base, at::ScalarType t,
              at::Device d) { return at::logspace(start, end, steps, base, OptionsOf(t, d)); }),
      Bind("eye(n, m, dtype, device)", [](int64_t n, int64_t m, at::ScalarType t,
                                          at::Device d) { return at::eye(n, m, OptionsOf(t, d)); }),
      Bind("trilIndices(rows, columns, offset)",
           [](int64_t rows, int64_t columns, int64_t offset) {
             return at::tril_indices(rows, columns, TriangleOffset(rows, columns, offset));
           }),
      Bind("triuIndices(rows, columns, offset)",
           [](int64_t rows, int64_t columns, int64_t offset) {
             return at::triu_indices(rows, columns, TriangleOffset(rows, columns, offset));
           }),
  };
  return table;
}

}  // namespace dyconv
