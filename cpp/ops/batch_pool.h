// Memory for batches, used again instead of given back: a page touched for the first time costs far more than
// filling it, and a batch of 512 images has 25,000 of them.
#pragma once

#include <ATen/core/Tensor.h>

namespace dyconv {

// A contiguous, uninitialised float32 CPU tensor. When its storage is released, by whatever thread, the
// memory waits for the next batch of about its size; a few batches' worth is kept, the rest is freed. State
// is per process: see the .cc.
at::Tensor NewBatch(at::IntArrayRef sizes);

// Frees what is waiting.
void ReleaseBatchMemory();

}  // namespace dyconv
