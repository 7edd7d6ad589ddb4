#include "ops/memory/caching_allocator.h"

#include <c10/core/Allocator.h>
#include <c10/core/CPUAllocator.h>
#include <c10/util/Exception.h>
#include <sys/mman.h>
#include <unistd.h>

#include <algorithm>
#include <atomic>
#include <bit>
#include <cstdlib>
#include <cstring>
#include <map>
#include <mutex>
#include <vector>

#include "ops/memory/arena.h"
#include "ops/memory/block.h"

namespace dyconv {
namespace {

constexpr size_t kSmallest = 64 << 10;  // smaller blocks are left to malloc, which keeps them itself
constexpr size_t kMapped = 1 << 20;     // from here on blocks are mapped, and can have huge pages

using Header = BlockHeader;

// Sizes in steps of an eighth of their power of two: at most an eighth is wasted, and sizes that recur meet
// again.
size_t SizeClass(size_t size) {
  if (size < kSmallest) return size;
  const size_t step = std::bit_floor(size) / 8;
  return (size + step - 1) / step * step;
}

#ifdef MADV_HUGEPAGE
void* MapAligned(size_t size) {
  const size_t padded = size + kHugePage;
  void* raw = mmap(nullptr, padded, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
  if (raw == MAP_FAILED) return nullptr;
  auto start = reinterpret_cast<uintptr_t>(raw);
  const uintptr_t aligned = (start + kHugePage - 1) & ~(kHugePage - 1);
  if (aligned > start) munmap(raw, aligned - start);
  const uintptr_t end = aligned + size;
  if (start + padded > end) munmap(reinterpret_cast<void*>(end), start + padded - end);
  madvise(reinterpret_cast<void*>(aligned), size, MADV_HUGEPAGE);
  return reinterpret_cast<void*>(aligned);
}

void Unmap(void* block, size_t size) { munmap(block, size); }
#else
void* MapAligned(size_t size) { return std::aligned_alloc(kBlockAlignment, size); }
void Unmap(void* block, size_t) { std::free(block); }
#endif

// malloc and an address aligned by hand: glibc's memalign cuts every block out of a larger one, and gives it
// back to the heap, not to malloc's list of blocks at hand, at several times the cost.
Header* SmallFromSystem(size_t size) {
  void* raw = std::malloc(size + kBlockAlignment);
  if (raw == nullptr) return nullptr;
  const uintptr_t aligned =
      (reinterpret_cast<uintptr_t>(raw) + kBlockAlignment - 1) & ~uintptr_t{kBlockAlignment - 1};
  auto* block = reinterpret_cast<Header*>(aligned);
  block->origin = raw;
  return block;
}

Header* FromSystem(size_t size) {
  if (size < kSmallest) return SmallFromSystem(size);
  if (size >= kMapped) return static_cast<Header*>(MapAligned((size + 4095) & ~size_t{4095}));
  void* block = nullptr;
  return posix_memalign(&block, kBlockAlignment, size) == 0 ? static_cast<Header*>(block) : nullptr;
}

void ToSystem(Header* block) {
  if (block->size < kSmallest) {
    std::free(block->origin);
  } else if (block->size >= kMapped) {
    Unmap(block, (block->size + 4095) & ~size_t{4095});
  } else {
    std::free(block);
  }
}

int64_t MachineMemory() {
  static const int64_t bytes = static_cast<int64_t>(sysconf(_SC_PHYS_PAGES)) * sysconf(_SC_PAGE_SIZE);
  return bytes;
}

int64_t DefaultLimit() { return std::max<int64_t>(MachineMemory() / 8, 256 << 20); }

std::atomic<bool (*)()> reclaim_hook{nullptr};

// Everything kept, and the accounts. One for the process, never destroyed: tensors may outlive static
// objects.
class Cache {
 public:
  static Cache& Instance() {
    static Cache* cache = new Cache();
    return *cache;
  }

  // Counts `size` bytes as in use, unless that is more than may be.
  bool Reserve(size_t size) {
    const auto bytes = static_cast<int64_t>(size);
    const int64_t allocated = allocated_.fetch_add(bytes) + bytes;
    if (allocated > memory_limit_) {
      allocated_ -= bytes;
      return false;
    }
    ++allocations_;
    int64_t peak = peak_;
    while (allocated > peak && !peak_.compare_exchange_weak(peak, allocated)) {
    }
    return true;
  }

  // Whether a request of this size could be met if everything else were freed.
  bool CouldHold(size_t size) {
    return static_cast<int64_t>(size) <= std::min(memory_limit_.load(), MachineMemory());
  }

  // Whether what is in use and what is kept exceed the memory limit together.
  bool ExceedsLimit() { return allocated_ > memory_limit_ - cached_; }

  Header* Take(size_t size) {
    if (size < kSmallest) return nullptr;
    std::lock_guard lock(mutex_);
    const auto found = kept_.find(size);
    if (found == kept_.end() || found->second.empty()) return nullptr;
    Header* block = found->second.back();
    found->second.pop_back();
    cached_ -= static_cast<int64_t>(size);
    return block;
  }

  // Returns false when the block should go back to the system.
  bool Keep(Header* block) {
    Forget(block->size);
    if (block->size < kSmallest) return false;
    std::lock_guard lock(mutex_);
    if (cached_ + static_cast<int64_t>(block->size) > limit_) return false;
    kept_[block->size].push_back(block);
    cached_ += static_cast<int64_t>(block->size);
    return true;
  }

  void Forget(size_t size) { allocated_ -= static_cast<int64_t>(size); }

  void Empty() {
    std::map<size_t, std::vector<Header*>> kept;
    {
      std::lock_guard lock(mutex_);
      kept.swap(kept_);
      cached_ = 0;
    }
    for (auto& [size, blocks] : kept) {
      for (Header* block : blocks) ToSystem(block);
    }
  }

  void SetLimit(int64_t limit) {
    std::lock_guard lock(mutex_);
    limit_ = limit;
  }

  void SetMemoryLimit(int64_t limit) { memory_limit_ = limit; }

  AllocatorStats Stats() {
    std::lock_guard lock(mutex_);
    AllocatorStats stats;
    stats.allocated = allocated_;
    stats.cached = cached_;
    stats.peak = peak_;
    stats.allocations = allocations_;
    return stats;
  }

 private:
  std::mutex mutex_;
  std::map<size_t, std::vector<Header*>> kept_;
  int64_t limit_ = DefaultLimit();
  // Without the lock: small blocks, which are many, need nothing else of what is kept here. `cached_` is
  // changed under the lock and read without it.
  std::atomic<int64_t> cached_ = 0, allocated_ = 0, peak_ = 0, allocations_ = 0, memory_limit_ = INT64_MAX;
};

void Free(void* data) {
  if (data == nullptr) return;
  Header* block = static_cast<Header*>(data) - 1;
  if (block->run != 0) {
    ArenaRun* run = ArenaRun::Current();
    const bool own = run != nullptr && run->id() == block->run;
    if (own) run->Freed(block->request);
    if (block->size == Header::kInArena) return FreeInArena(block);
    if (own && run->IsNoting()) {
      Cache::Instance().Forget(block->size);
      return ToSystem(block);
    }
  }
  if (!Cache::Instance().Keep(block)) ToSystem(block);
}

class CachingAllocator final : public c10::Allocator {
 public:
  at::DataPtr allocate(size_t bytes) override {
    if (bytes == 0) return {nullptr, nullptr, &Free, at::Device(at::kCPU)};
    if (bytes > static_cast<size_t>(INT64_MAX) / 2) ThrowOutOfMemory(bytes);
    ArenaRun* run = ArenaRun::Current();
    Header* block = run == nullptr ? nullptr : run->Take(bytes);
    if (block == nullptr) block = Ordinary(bytes, run);
    void* data = block + 1;
    return {data, data, &Free, at::Device(at::kCPU)};
  }

  c10::DeleterFnPtr raw_deleter() const override { return &Free; }

  void copy_data(void* destination, const void* source, size_t count) const override {
    std::memcpy(destination, source, count);
  }

 private:
  static Header* Ordinary(size_t bytes, const ArenaRun* run) {
    const size_t size = SizeClass(bytes + sizeof(Header));
    Header* block = Obtain(size);
    if (block == nullptr && FreeIdleArenaBuffers()) block = Obtain(size);
    if (block == nullptr && Reclaim(size)) block = Obtain(size);
    if (block == nullptr) ThrowOutOfMemory(bytes);
    block->size = size;
    block->run = 0;
    if (run != nullptr) run->Made(block);
    return block;
  }

  static Header* Obtain(size_t size) {
    Cache& cache = Cache::Instance();
    if (!cache.Reserve(size)) return nullptr;
    Header* block = cache.Take(size);
    if (block == nullptr && cache.ExceedsLimit()) cache.Empty();
    if (block == nullptr) block = FromSystem(size);
    if (block == nullptr) {
      // What is kept in other sizes may be what is missing here.
      cache.Empty();
      block = FromSystem(size);
    }
    if (block == nullptr) cache.Forget(size);
    return block;
  }

  // No use in collecting garbage for what can never be met.
  static bool Reclaim(size_t size) {
    const auto reclaim = reclaim_hook.load(std::memory_order_acquire);
    return reclaim != nullptr && Cache::Instance().CouldHold(size) && reclaim();
  }

  [[noreturn]] static void ThrowOutOfMemory(size_t bytes) {
    TORCH_CHECK_WITH(OutOfMemoryError, false, "out of memory: can't allocate ", bytes, " bytes");
    std::abort();  // not reached: the check above throws
  }
};

}  // namespace

void InstallCachingAllocator() {
  static std::once_flag once;
  std::call_once(once, [] { c10::SetCPUAllocator(new CachingAllocator(), /*priority=*/1); });
}

AllocatorStats GetAllocatorStats() { return Cache::Instance().Stats(); }

void EmptyAllocatorCache() {
  FreeIdleArenaBuffers();
  Cache::Instance().Empty();
}

void SetAllocatorMemoryLimit(int64_t bytes) { Cache::Instance().SetMemoryLimit(bytes); }

void SetAllocatorReclaim(bool (*reclaim)()) { reclaim_hook.store(reclaim, std::memory_order_release); }

void SetAllocatorCacheLimit(int64_t bytes) {
  Cache::Instance().SetLimit(bytes);
  if (bytes == 0) EmptyAllocatorCache();
}

}  // namespace dyconv
