// Sums, means and maxima of rows of a table, with the checks of indices and offsets that libtorch lacks.
#pragma once

#include <ATen/core/Tensor.h>

#include <optional>

namespace dyconv {

enum class BagMode : int64_t { kSum = 0, kMean = 1, kMax = 2 };

// As at::embedding_bag without its statistics. `indices` [N] selects rows of `weight`, `offsets` [B] is the
// start of each bag; on the CPU both are checked first.
at::Tensor EmbeddingBag(const at::Tensor& weight, const at::Tensor& indices, const at::Tensor& offsets,
                        BagMode mode, const std::optional<at::Tensor>& per_sample_weights,
                        bool include_last_offset, std::optional<int64_t> padding_idx);

}  // namespace dyconv
