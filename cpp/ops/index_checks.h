// Checks of indices, lengths and coordinates with which libtorch's CPU kernels access memory unchecked. What
// libtorch checks itself is not checked again.
#pragma once

#include <ATen/core/Tensor.h>

namespace dyconv {

// ctcLoss: lengths that fit the tensors, and labels that are classes. Labels beyond a target's length are not
// read and may have any value.
void CheckCtcLoss(const at::Tensor& log_probs, const at::Tensor& targets, at::IntArrayRef input_lengths,
                  at::IntArrayRef target_lengths, int64_t blank);

// repeatInterleave: repeats whose sum, the size of the result, fits 64 bits. `size` is the size of the
// dimension.
void CheckRepeats(const at::Tensor& repeats, int64_t size);

enum class GridPadding : int64_t { kZeros, kBorder, kReflection };  // libtorch's numbers

// gridSample: the grid with coordinates that are safe for libtorch's backward pass. NaN is replaced by -1, as
// PyTorch documents. Coordinates so far outside that float32 cannot represent them exactly are replaced by
// the border, or for reflection by -1, as in libtorch's forward pass. Returns the same tensor if nothing
// needs replacing.
at::Tensor SafeGrid(const at::Tensor& grid, GridPadding padding);

}  // namespace dyconv
