// Working memory of the kernels, kept from call to call: fresh pages cost more than the arithmetic done in
// them.
#pragma once

#include <cstddef>
#include <cstdint>

namespace dyconv {

// Where shares of threads begin, so that no two write into one cache line.
inline constexpr int64_t kCacheLineFloats = 16;

// A buffer of the calling thread. Get() never shrinks it while in use; what exceeds kKeepBytes is given back
// when the Scratch goes out of scope. Not for nested use on one thread: a kernel takes all it needs at once.
class Scratch {
 public:
  static constexpr size_t kKeepBytes = size_t{256} << 20;

  // At least `floats` floats, aligned to 64 bytes, with undefined content. Throws std::bad_alloc.
  explicit Scratch(int64_t floats);
  ~Scratch();
  Scratch(const Scratch&) = delete;
  Scratch& operator=(const Scratch&) = delete;

  // The next `floats` of the buffer, aligned to 64 bytes.
  float* Take(int64_t floats);

  // What `floats` take up when taken.
  static int64_t Rounded(int64_t floats) {
    return (floats + kCacheLineFloats - 1) / kCacheLineFloats * kCacheLineFloats;
  }

 private:
  float* next_;
  float* end_;
};

}  // namespace dyconv
