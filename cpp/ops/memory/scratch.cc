#include "ops/memory/scratch.h"

#include <c10/util/Exception.h>

#include <cstdlib>
#include <memory>
#include <new>

#if defined(__linux__)
#include <sys/mman.h>
#endif

#include "ops/memory/block.h"

namespace dyconv {
namespace {

struct Buffer {
  std::unique_ptr<float, void (*)(void*)> data{nullptr, std::free};
  size_t bytes = 0;
  bool in_use = false;

  void Reserve(size_t wanted) {
    if (wanted <= bytes) return;
    data.reset();
    bytes = 0;
    const size_t rounded = (wanted + kHugePage - 1) / kHugePage * kHugePage;
    void* memory = std::aligned_alloc(kHugePage, rounded);
    if (memory == nullptr) throw std::bad_alloc();
#if defined(__linux__) && defined(MADV_HUGEPAGE)
    madvise(memory, rounded, MADV_HUGEPAGE);  // a hint: nothing depends on it
#endif
    data.reset(static_cast<float*>(memory));
    bytes = rounded;
  }
};

thread_local Buffer buffer;

}  // namespace

Scratch::Scratch(int64_t floats) {
  TORCH_INTERNAL_ASSERT(!buffer.in_use);
  buffer.Reserve(static_cast<size_t>(floats) * sizeof(float));
  buffer.in_use = true;
  next_ = buffer.data.get();
  end_ = next_ + buffer.bytes / sizeof(float);
}

Scratch::~Scratch() {
  buffer.in_use = false;
  if (buffer.bytes > kKeepBytes) {
    buffer.data.reset();
    buffer.bytes = 0;
  }
}

float* Scratch::Take(int64_t floats) {
  float* taken = next_;
  next_ += Rounded(floats);
  TORCH_INTERNAL_ASSERT(next_ <= end_);
  return taken;
}

}  // namespace dyconv
