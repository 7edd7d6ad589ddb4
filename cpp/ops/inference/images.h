// What the inference operations share: images in the layout of the kernels, and threads.
#pragma once

#include <ATen/core/Tensor.h>
#include <ATen/ops/empty.h>
#include <ATen/Parallel.h>

#include <algorithm>
#include <atomic>

#include "ops/memory/scratch.h"

namespace dyconv {

inline bool IsChannelsLast(const at::Tensor& image) {
  return image.is_contiguous(at::MemoryFormat::ChannelsLast);
}

inline at::Tensor AsChannelsLast(const at::Tensor& image) {
  return IsChannelsLast(image) ? image : image.contiguous(at::MemoryFormat::ChannelsLast);
}

inline at::Tensor EmptyChannelsLast(at::IntArrayRef sizes, const at::Tensor& like) {
  return at::empty(sizes, like.options().memory_format(at::MemoryFormat::ChannelsLast));
}

// The number of threads for a number of multiply-adds, or of values read or written: waking a second one
// costs some microseconds.
inline int64_t ThreadsForWork(double multiply_adds, double numbers = 0) {
  constexpr double kMultiplyAdds = 1 << 19, kNumbers = 1 << 16;
  return multiply_adds < kMultiplyAdds && numbers < kNumbers ? 1 : at::get_num_threads();
}

// Runs body(begin, end) over [0, count) on that many threads. A thread takes one chunk after the other, so
// that all end at the same time where another process, or JavaScript, takes a core away for a moment.
template <typename Body>
void InParallel(int64_t threads, int64_t count, const Body& body) {
  constexpr int64_t kChunks = 4;  // of each thread
  if (threads == 1 || count <= 1) {
    if (count > 0) body(int64_t{0}, count);
    return;
  }
  const int64_t chunk = std::max<int64_t>(1, count / (threads * kChunks));
  std::atomic<int64_t> next{0};
  at::parallel_for(0, threads, 1, [&](int64_t, int64_t) {
    for (int64_t begin = next.fetch_add(chunk); begin < count; begin = next.fetch_add(chunk))
      body(begin, std::min(begin + chunk, count));
  });
}

}  // namespace dyconv
