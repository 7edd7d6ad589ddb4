// Checks of indices, lengths and coordinates that libtorch's CPU kernels read or write memory by without a
// look. What libtorch checks itself is not checked again.
#pragma once

#include <ATen/core/Tensor.h>

namespace dyconv {

// ctcLoss: lengths that fit the tensors, and labels that are classes. Labels beyond a target's length are not
// read, hence may be anything.
void CheckCtcLoss(const at::Tensor& log_probs, const at::Tensor& targets, at::IntArrayRef input_lengths,
                  at::IntArrayRef target_lengths, int64_t blank);

// repeatInterleave: repeats whose sum, the size of the result, fits 64 bits. `size` is that of the dimension.
void CheckRepeats(const at::Tensor& repeats, int64_t size);

enum class GridPadding : int64_t { kZeros, kBorder, kReflection };  // libtorch's numbers

// gridSample: the grid with coordinates that libtorch's backward pass can find pixels for. NaN is read as -1,
// as PyTorch documents; what lies too far outside to be told apart in float32 is the border, or for
// reflection -1, which is what libtorch's forward pass makes of it. The same tensor where all is well.
at::Tensor SafeGrid(const at::Tensor& grid, GridPadding padding);

}  // namespace dyconv
