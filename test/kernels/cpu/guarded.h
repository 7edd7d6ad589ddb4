// Helpers of the fuzz test of the CPU kernels: seeded choices, and buffers between two pages without access.
#pragma once

#include <sys/mman.h>
#include <unistd.h>

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <random>
#include <string>
#include <vector>

#include "kernels/dispatch.h"

namespace fuzz {

namespace kernels = dyconv::kernels;

// The seed of the current case.
extern uint64_t current;

class Random {
 public:
  explicit Random(uint64_t seed) : random_(seed) {}
  // An integer from `least` to `most`.
  int64_t Between(int64_t least, int64_t most) {
    return least + static_cast<int64_t>(random_() % static_cast<uint64_t>(most - least + 1));
  }
  bool OneIn(int64_t n) { return Between(1, n) == 1; }
  float Number() { return static_cast<float>(static_cast<double>(random_()) / 9223372036854775808.0 - 1); }

 private:
  std::mt19937_64 random_;
};

// `count` elements directly after a page without access, or directly before one. Filled with NaN.
template <typename T>
class Guarded {
 public:
  explicit Guarded(int64_t count, bool at_end = true) : count_(count) {
    const size_t page = static_cast<size_t>(sysconf(_SC_PAGESIZE)), bytes = count * sizeof(T);
    inner_ = (bytes + page - 1) / page * page + page;
    void* memory = mmap(nullptr, inner_ + 2 * page, PROT_NONE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    if (memory == MAP_FAILED) std::abort();
    all_ = static_cast<char*>(memory);
    if (mprotect(all_ + page, inner_, PROT_READ | PROT_WRITE) != 0) std::abort();
    std::memset(all_ + page, 0xff, inner_);
    data_ = reinterpret_cast<T*>(all_ + page + (at_end ? inner_ - bytes : 0));
  }
  ~Guarded() { munmap(all_, inner_ + 2 * static_cast<size_t>(sysconf(_SC_PAGESIZE))); }
  Guarded(const Guarded&) = delete;
  Guarded& operator=(const Guarded&) = delete;

  T* data() { return data_; }
  int64_t size() const { return count_; }
  T& operator[](int64_t i) { return data_[i]; }

  void Fill(Random& random) {
    for (int64_t i = 0; i < count_; ++i) data_[i] = static_cast<T>(random.Number());
  }
  std::vector<double> Doubles() const { return {data_, data_ + count_}; }

 private:
  char* all_;
  T* data_;
  size_t inner_;
  int64_t count_;
};

// Working memory as the operations allocate it: whole cache lines.
inline int64_t Rounded(int64_t floats) { return (floats + 15) / 16 * 16; }

inline uint16_t ToBf16(float x) {
  uint32_t bits;
  std::memcpy(&bits, &x, sizeof(bits));
  return static_cast<uint16_t>((bits + 0x7fff + (bits >> 16 & 1)) >> 16);
}
inline float FromBf16(uint16_t x) {
  const uint32_t bits = static_cast<uint32_t>(x) << 16;
  float number;
  std::memcpy(&number, &bits, sizeof(number));
  return number;
}

// Ends the program with the description of the case unless `got` is within `allowed` of the expected values,
// relative to the largest number.
inline void Compare(const std::string& what, const std::vector<double>& got,
                    const std::vector<double>& expected, double allowed) {
  double scale = 1e-3, worst = got.size() == expected.size() ? 0 : HUGE_VAL;
  for (const double x : expected) scale = std::fmax(scale, std::fabs(x));
  for (size_t i = 0; i < got.size() && i < expected.size(); ++i) {
    const double off = std::fabs(got[i] - expected[i]);
    if (!(off <= worst)) worst = std::isnan(off) ? HUGE_VAL : off;
  }
  if (worst <= allowed * scale) return;
  std::fprintf(stderr, "%s differs by %g of %g in the case of seed %llu\n", what.c_str(), worst, scale,
               static_cast<unsigned long long>(current));
  std::exit(1);
}

// Calls run(begin, end) over [0, count) in up to three ranges.
template <typename Run>
void InRanges(Random& random, int64_t count, const Run& run) {
  const int64_t first = random.Between(0, count), second = random.Between(first, count);
  if (first > 0) run(0, first);
  if (second > first) run(first, second);
  if (count > second) run(second, count);
}

// One case of each family.
void FuzzConv(Random& random, const kernels::KernelTable& table);
void FuzzDepthwise(Random& random, const kernels::KernelTable& table);
void FuzzPointwise(Random& random, const kernels::KernelTable& table);
void FuzzMaxPool(Random& random, const kernels::KernelTable& table);
void FuzzBatchNorm(Random& random, const kernels::KernelTable& table);
void FuzzRouting(Random& random, const kernels::KernelTable& table);
void FuzzMixing(Random& random, const kernels::KernelTable& table);
void FuzzNoise(Random& random, const kernels::KernelTable& table);
void FuzzAugment(Random& random, const kernels::KernelTable& table);
void FuzzNhwcConv(Random& random, const kernels::KernelTable& table);
void FuzzNhwcDepthwise(Random& random, const kernels::KernelTable& table);
void FuzzNhwcPool(Random& random, const kernels::KernelTable& table);
void FuzzInt8(Random& random, const kernels::KernelTable& table);
void FuzzInt8Pool(Random& random, const kernels::KernelTable& table);

}  // namespace fuzz
