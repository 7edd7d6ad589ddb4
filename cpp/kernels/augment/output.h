// The last steps of the augmentation: planes in float32 to the batch's own dtype and memory format.
#pragma once

#include <cstdint>

#include "kernels/augment/augment.h"

namespace dyconv {

int64_t ElementSize(ElementType type);

// planes: float32 [channels, size] -> one sample of the batch.
void StoreSample(const float* planes, int64_t channels, int64_t size, const BatchFormat& format, void* out);

}  // namespace dyconv
