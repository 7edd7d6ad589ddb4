#include "ops/index_checks.h"

#include <cmath>

#include <ATen/Dispatch.h>
#include <ATen/ops/nan_to_num.h>
#include <ATen/ops/where.h>

#include "typed_error.h"

namespace dyconv {
namespace {

using at::Tensor;

void CheckLengths(at::IntArrayRef lengths, int64_t batch, int64_t longest, const char* name) {
  Require(static_cast<int64_t>(lengths.size()) == batch, ErrorKind::kShape, "Expected ", batch,
          " lengths, one a sequence, for ", name, " of ctcLoss but received ", lengths.size());
  for (const int64_t length : lengths) {
    Require(length >= 0 && length <= longest, ErrorKind::kArgument, "Expected integers from 0 to ", longest,
            " for ", name, " of ctcLoss but received ", length);
  }
}

// `targets` is contiguous, on the CPU: rows of equal length, or all sequences concatenated.
template <class T>
void CheckLabels(const Tensor& targets, at::IntArrayRef lengths, int64_t classes) {
  const T* row = targets.const_data_ptr<T>();
  for (const int64_t length : lengths) {
    for (int64_t i = 0; i < length; ++i) {
      Require(row[i] >= 0 && row[i] < classes, ErrorKind::kArgument, "Expected classes from 0 to ",
              classes - 1, " for targets of ctcLoss but received ", row[i]);
    }
    row += targets.dim() == 2 ? targets.size(1) : length;
  }
}

// Beyond this, a float32 coordinate does not determine a pixel, and may overflow when multiplied by the size
// of an image.
constexpr double kFarthest = 1e9;

template <class T>
bool AllNear(const T* values, int64_t count) {
  bool near = true;
  for (int64_t i = 0; i < count; ++i) near &= std::abs(values[i]) <= static_cast<T>(kFarthest);  // NaN is not
  return near;
}

bool AllNear(const Tensor& grid) {
  if (!grid.is_contiguous()) return grid.abs().le(kFarthest).all().item<bool>();
  if (grid.scalar_type() == at::kFloat) return AllNear(grid.const_data_ptr<float>(), grid.numel());
  if (grid.scalar_type() == at::kDouble) return AllNear(grid.const_data_ptr<double>(), grid.numel());
  return grid.abs().le(kFarthest).all().item<bool>();
}

}  // namespace

void CheckCtcLoss(const Tensor& log_probs, const Tensor& targets, at::IntArrayRef input_lengths,
                  at::IntArrayRef target_lengths, int64_t blank) {
  Require(log_probs.dim() == 2 || log_probs.dim() == 3, ErrorKind::kShape,
          "Expected shape [T, B, C] or [T, C] for logProbs of ctcLoss but received ", log_probs.sizes());
  Require(targets.dim() == 1 || targets.dim() == 2, ErrorKind::kShape,
          "Expected shape [B, S] or [sum of targetLengths] for targets of ctcLoss but received ",
          targets.sizes());
  Require(targets.scalar_type() == at::kLong || targets.scalar_type() == at::kInt, ErrorKind::kDType,
          "Expected dtype int64 or int32 for targets of ctcLoss");
  const int64_t batch = log_probs.dim() == 3 ? log_probs.size(1) : 1, classes = log_probs.size(-1);
  Require(blank >= 0 && blank < classes, ErrorKind::kArgument, "Expected an integer from 0 to ", classes - 1,
          " for blank of ctcLoss but received ", blank);
  CheckLengths(input_lengths, batch, log_probs.size(0), "inputLengths");
  CheckLengths(target_lengths, batch, targets.size(-1), "targetLengths");
  if (targets.dim() == 2) {
    Require(targets.size(0) == batch, ErrorKind::kShape, "Expected shape [", batch,
            ", S] for targets of ctcLoss but received ", targets.sizes());
  } else {
    int64_t total = 0;
    for (const int64_t length : target_lengths) total += length;
    Require(total == targets.size(0), ErrorKind::kShape, "Expected shape [", total,
            "], the sum of targetLengths, for targets of ctcLoss but received ", targets.sizes());
  }
  const Tensor labels = targets.detach().to(at::kCPU).contiguous();
  labels.scalar_type() == at::kLong ? CheckLabels<int64_t>(labels, target_lengths, classes)
                                    : CheckLabels<int32_t>(labels, target_lengths, classes);
}

void CheckRepeats(const Tensor& repeats, int64_t size) {
  if (!repeats.is_cpu() || repeats.dim() > 1) return;
  if (repeats.scalar_type() != at::kLong && repeats.scalar_type() != at::kInt) return;
  const Tensor counts = repeats.detach().to(at::kLong).contiguous();
  // One count for all positions.
  const int64_t times = counts.numel() == 1 ? size : 1;
  int64_t total = 0;
  for (int64_t i = 0; i < counts.numel(); ++i) {
    const int64_t count = counts.const_data_ptr<int64_t>()[i];
    Require(count >= 0, ErrorKind::kArgument,
            "Expected integers of at least 0 for repeats of repeatInterleave but received ", count);
    int64_t product;
    Require(
        !__builtin_mul_overflow(count, times, &product) && !__builtin_add_overflow(total, product, &total),
        ErrorKind::kShape, "Expected repeats whose sum fits 64 bits for repeats of repeatInterleave");
  }
}

Tensor SafeGrid(const Tensor& grid, GridPadding padding) {
  if (padding == GridPadding::kZeros || !grid.is_cpu() || !at::isFloatingType(grid.scalar_type()) ||
      AllNear(grid)) {
    return grid;
  }
  if (padding == GridPadding::kBorder) {
    return at::nan_to_num(grid, -1.0, kFarthest, -kFarthest).clamp(-kFarthest, kFarthest);
  }
  return at::where(grid.abs().le(kFarthest), grid, -1.0);
}

}  // namespace dyconv
