// Color jitter on the planes of one image, as torchvision's adjust_* functions define it for float images.
#pragma once

#include <cstdint>

#include "kernels/augment/augment.h"

namespace dyconv {

// planes: [channels, size] in [0, 1], changed in place; channels is 1 or 3.
void JitterColours(const SampleChoices& choices, int64_t channels, int64_t size, float* planes);

}  // namespace dyconv
