#include "program/batch.h"

#include <algorithm>
#include <cstring>
#include <numeric>
#include <span>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "dtype_name.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;

// Below this number of bytes for each thread, starting a parallel loop takes longer than the copy.
constexpr int64_t kBytesPerThread = 1 << 18;

// A request is a List of inputs, or its only input.
std::span<const Value> InputsOf(const Value& request) {
  const List* inputs = request.As<List>();
  return inputs == nullptr ? std::span(&request, 1) : std::span(*inputs);
}

const Tensor& InputAt(const std::vector<Value>& requests, size_t request, size_t input) {
  const std::span<const Value> inputs = InputsOf(requests[request]);
  const Tensor* tensor = inputs[input].As<Tensor>();
  if (tensor == nullptr || tensor->dim() == 0) {
    Fail(tensor == nullptr ? ErrorKind::kArgument : ErrorKind::kShape,
         "Expected a Tensor [rows, ...] for requests[", request, "][", input, "] but received ",
         tensor == nullptr ? inputs[input].ToString() : std::string("one without dimensions"));
  }
  return *tensor;
}

void CheckLikeFirst(const Tensor& first, const Tensor& tensor, size_t request, size_t input) {
  if (tensor.scalar_type() != first.scalar_type()) {
    Fail(ErrorKind::kDType, "Expected ", DTypeName(first.scalar_type()), ", as in requests[0], for requests[",
         request, "][", input, "] but received ", DTypeName(tensor.scalar_type()));
  }
  if (tensor.device() != first.device()) {
    Fail(ErrorKind::kDevice, "Expected ", first.device().str(), ", as in requests[0], for requests[", request,
         "][", input, "] but received ", tensor.device().str());
  }
  if (tensor.dim() != first.dim() || tensor.sizes().slice(1) != first.sizes().slice(1)) {
    Fail(ErrorKind::kShape, "Expected the sizes of requests[0][", input, "] after the first, [",
         c10::Join(", ", first.sizes().slice(1)), "], for requests[", request, "][", input,
         "] but received [", c10::Join(", ", tensor.sizes()), "]");
  }
}

// Whether the bytes of the tensor are its elements in order.
bool IsPlain(const Tensor& tensor) {
  return tensor.is_cpu() && tensor.is_contiguous() && !tensor.is_conj() && !tensor.is_neg();
}

// at::cat() along the first dimension; images of a service are too few for its parallel loops.
Tensor Join(const Tensors& parts) {
  if (!std::all_of(parts.begin(), parts.end(), IsPlain)) return at::cat(parts);
  int64_t rows = 0;
  std::vector<int64_t> offsets;
  for (const Tensor& part : parts) {
    offsets.push_back(rows);
    rows += part.size(0);
  }
  std::vector<int64_t> sizes = parts[0].sizes().vec();
  sizes[0] = rows;
  Tensor joined = at::empty(sizes, parts[0].options());
  if (joined.numel() == 0) return joined;
  const int64_t row_bytes = static_cast<int64_t>(joined.nbytes()) / rows;
  auto* const target = static_cast<char*>(joined.data_ptr());
  const int64_t count = static_cast<int64_t>(parts.size());
  const int64_t part_bytes = std::max<int64_t>(1, static_cast<int64_t>(joined.nbytes()) / count);
  at::parallel_for(
      0, count, std::max<int64_t>(1, kBytesPerThread / part_bytes), [&](int64_t begin, int64_t end) {
        for (int64_t i = begin; i < end; ++i)
          std::memcpy(target + offsets[i] * row_bytes, parts[i].const_data_ptr(), parts[i].nbytes());
      });
  return joined;
}

void CheckRows(const Tensor& output, int64_t total) {
  if (output.dim() > 0 && output.size(0) == total) return;
  Fail(ErrorKind::kShape, "Expected [", total,
       ", ...], a row for each input row, for the output but received [", c10::Join(", ", output.sizes()),
       "]");
}

// A copy of some rows. They are few: operations of libtorch would take several times as long as the copy.
Tensor CopyRows(const Tensor& output, int64_t start, int64_t count) {
  if (!IsPlain(output)) return output.narrow(0, start, count).clone();
  std::vector<int64_t> sizes = output.sizes().vec();
  sizes[0] = count;
  const Tensor rows = at::empty(sizes, output.options());
  if (rows.numel() == 0) return rows;
  const auto row_bytes = static_cast<int64_t>(output.nbytes()) / output.size(0);
  std::memcpy(rows.mutable_data_ptr(), static_cast<const char*>(output.const_data_ptr()) + start * row_bytes,
              rows.nbytes());
  return rows;
}

// The output with the rows of one request.
Value RowsOf(const Value& output, int64_t start, int64_t count, int64_t total) {
  Value rows = output;
  ForEachValue(rows, [&](Value& part) {
    Tensor* tensor = part.As<Tensor>();
    if (tensor == nullptr) return;
    CheckRows(*tensor, total);
    *tensor = CopyRows(*tensor, start, count);
  });
  return rows;
}

// The inputs of the batch. `rows` receives the number of rows of each request.
std::vector<Value> JoinRequests(const std::vector<Value>& requests, std::vector<int64_t>& rows) {
  const size_t inputs = InputsOf(requests[0]).size();
  Require(inputs > 0, ErrorKind::kArgument, "Expected at least one input in requests[0] but received none");
  for (size_t i = 0; i < requests.size(); ++i) {
    const size_t count = InputsOf(requests[i]).size();
    if (count == inputs) continue;
    Fail(ErrorKind::kArgument, "Expected as many inputs in requests[", i, "] as in requests[0] but received ",
         count);
  }
  for (size_t i = 0; i < requests.size(); ++i) rows.push_back(InputAt(requests, i, 0).size(0));
  std::vector<Value> joined;
  for (size_t input = 0; input < inputs; ++input) {
    Tensors parts;
    for (size_t i = 0; i < requests.size(); ++i) {
      const Tensor& part = InputAt(requests, i, input);
      CheckLikeFirst(InputAt(requests, 0, input), part, i, input);
      if (part.size(0) != rows[i]) {
        Fail(ErrorKind::kShape, "Expected ", rows[i], " rows, as in requests[", i, "][0], for requests[", i,
             "][", input, "] but received ", part.size(0));
      }
      parts.push_back(part);
    }
    joined.emplace_back(parts.size() == 1 ? parts[0] : Join(parts));
  }
  return joined;
}

}  // namespace

Value RunBatch(Runner& runner, const std::vector<Value>& requests) {
  Require(!requests.empty(), ErrorKind::kArgument, "Expected at least one request but received none");
  const at::NoGradGuard no_grad;
  std::vector<int64_t> rows;
  Value output = runner.Run(JoinRequests(requests, rows));
  const int64_t total = std::accumulate(rows.begin(), rows.end(), int64_t{0});
  if (requests.size() == 1) {
    ForEachValue(output, [&](Value& part) {
      Tensor* tensor = part.As<Tensor>();
      if (tensor == nullptr) return;
      CheckRows(*tensor, total);
      if (tensor->requires_grad()) *tensor = tensor->detach();
    });
    return List{std::move(output)};
  }
  List outputs;
  int64_t start = 0;
  for (const int64_t count : rows) {
    outputs.push_back(RowsOf(output, start, count, total));
    start += count;
  }
  return outputs;
}

}  // namespace dyconv
