#include "ops/batch_pool.h"

#include <cstdlib>
#include <mutex>
#include <new>
#include <vector>

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <c10/util/accumulate.h>

#ifdef __linux__
#include <sys/mman.h>
#endif

namespace dyconv {
namespace {

constexpr size_t kHugePage = size_t{2} << 20;
// Two loaders at their usual depth: one batch in use, one or two ready, one being made.
constexpr size_t kMaxWaiting = 6;
constexpr size_t kMaxWaitingBytes = size_t{768} << 20;

struct Buffer {
  void* memory;
  size_t capacity;
};

// Buffers that wait to be used again, oldest first. Process-wide, as libtorch's own allocators are: a batch
// may be released by another thread, and after the environment that made it. Never destroyed, for the same
// reason.
struct Pool {
  std::mutex mutex;
  std::vector<Buffer> waiting;
  size_t bytes = 0;

  // A waiting buffer of at least `size` and at most twice that, the closest; {nullptr, 0} where there is
  // none.
  Buffer Take(size_t size) {
    std::lock_guard lock(mutex);
    auto best = waiting.end();
    for (auto it = waiting.begin(); it != waiting.end(); ++it) {
      if (it->capacity < size || it->capacity > 2 * size) continue;
      if (best == waiting.end() || it->capacity < best->capacity) best = it;
    }
    if (best == waiting.end()) return {nullptr, 0};
    const Buffer found = *best;
    waiting.erase(best);
    bytes -= found.capacity;
    return found;
  }

  void Put(Buffer buffer) {
    std::lock_guard lock(mutex);
    waiting.push_back(buffer);
    bytes += buffer.capacity;
    while (waiting.size() > kMaxWaiting || bytes > kMaxWaitingBytes) DropOldest();
  }

  void Clear() {
    std::lock_guard lock(mutex);
    while (!waiting.empty()) DropOldest();
  }

 private:
  void DropOldest() {
    bytes -= waiting.front().capacity;
    std::free(waiting.front().memory);
    waiting.erase(waiting.begin());
  }
};

Pool& ThePool() {
  static Pool* const pool = new Pool;
  return *pool;
}

Buffer Allocate(size_t size) {
  const size_t capacity = (size + kHugePage - 1) / kHugePage * kHugePage;
  void* memory = std::aligned_alloc(kHugePage, capacity);
  if (memory == nullptr) throw std::bad_alloc();
#ifdef __linux__
  madvise(memory, capacity, MADV_HUGEPAGE);  // a wish: where it is not granted, small pages serve as well
#endif
  return {memory, capacity};
}

}  // namespace

at::Tensor NewBatch(at::IntArrayRef sizes) {
  const size_t size = static_cast<size_t>(c10::multiply_integers(sizes)) * sizeof(float);
  // Below a huge page the ordinary allocator reuses memory by itself.
  if (size < kHugePage) return at::empty(sizes, at::kFloat);
  Buffer buffer = ThePool().Take(size);
  if (buffer.memory == nullptr) buffer = Allocate(size);
  return at::from_blob(
      buffer.memory, sizes, [buffer](void*) { ThePool().Put(buffer); }, at::kFloat);
}

void ReleaseBatchMemory() { ThePool().Clear(); }

}  // namespace dyconv
