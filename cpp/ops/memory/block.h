// The header of every block of the caching allocator, and sizes that all buffers keep to.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dyconv {

inline constexpr size_t kBlockAlignment = 64;         // a cache line, and what libtorch's kernels expect
inline constexpr size_t kHugePage = size_t{2} << 20;  // of x86-64, and of ARM with small pages of 4 KiB

// As long as the alignment, so that the block is aligned too.
struct alignas(kBlockAlignment) BlockHeader {
  static constexpr size_t kInArena = SIZE_MAX;

  size_t size;       // of the block with its header: a size class, below kSmallest, or kInArena
  void* origin;      // what malloc gave for a small block; the buffer of one in an arena
  uint64_t run;      // the ArenaRun that asked for it; 0 where there was none
  uint32_t request;  // which request of that run
};

}  // namespace dyconv
