// libtorch's CPU memory, kept for reuse. Touching a page for the first time costs far more than reading it
// again, and libtorch's own allocator gives every large block back to the system: a training step then pays
// for all its activations anew. This one keeps freed blocks in size classes and requests huge pages.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dyconv {

struct AllocatorStats {
  int64_t allocated = 0;    // bytes in use
  int64_t cached = 0;       // bytes kept for reuse
  int64_t peak = 0;         // largest `allocated` so far
  int64_t allocations = 0;  // blocks asked for so far, without those in arenas
};

// Makes the allocator the process's (one for all environments); blocks made earlier keep their own way of
// being freed.
void InstallCachingAllocator();

AllocatorStats GetAllocatorStats();

// Gives all kept blocks, and the buffers of arenas that no run uses, back to the system.
void EmptyAllocatorCache();

// How many bytes may be kept; 0 turns keeping off. Default: an eighth of the machine's memory.
void SetAllocatorCacheLimit(int64_t bytes);

// The most bytes that may be in use at once; more is refused as out of memory. What is kept is given back
// before both together exceed it. Default: none but the machine's.
void SetAllocatorMemoryLimit(int64_t bytes);

// What is called, on the allocating thread and without a lock held, when memory is short: it frees what it
// can and says whether another try is worth it.
void SetAllocatorReclaim(bool (*reclaim)());

}  // namespace dyconv
