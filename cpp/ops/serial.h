// Operations that are too small to be shared out among threads.
#pragma once

#include <cstdint>

#ifdef _OPENMP
#include <omp.h>
#endif

namespace dyconv {

// Elements up to which a cast takes less time on one thread than other threads take to start, above all while
// they compute something else: libtorch shares out more than 32,768 elements, less than one picture has.
inline constexpr int64_t kSerialElements = 1 << 18;

// Parallel loops of libtorch on the calling thread use that thread alone.
class SerialScope {
 public:
  explicit SerialScope([[maybe_unused]] bool serial) {
#ifdef _OPENMP
    if (!serial) return;
    threads_ = omp_get_max_threads();
    omp_set_num_threads(1);
#endif
  }
  SerialScope(const SerialScope&) = delete;
  SerialScope& operator=(const SerialScope&) = delete;
  ~SerialScope() {
#ifdef _OPENMP
    if (threads_ > 0) omp_set_num_threads(threads_);
#endif
  }

 private:
  [[maybe_unused]] int threads_ = 0;
};

}  // namespace dyconv
