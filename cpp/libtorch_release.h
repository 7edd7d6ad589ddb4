// What differs between the releases of libtorch that the sources are compiled against: 2.11 to 2.14.
#pragma once

#include <torch/version.h>

namespace dyconv {

constexpr bool LibtorchIsAtLeast(int major, int minor) {
  return TORCH_VERSION_MAJOR > major || (TORCH_VERSION_MAJOR == major && TORCH_VERSION_MINOR >= minor);
}

// Processes of a group agree on its first sequence number. Later releases begin with 0, and print a warning
// if they are asked to.
inline constexpr bool kGroupsAgreeOnSequenceNumbers = !LibtorchIsAtLeast(2, 14);

}  // namespace dyconv
