// Incorrect kernels, and the same ones corrected: the emulation must detect the errors.
#include "support.h"

namespace check {
namespace {

constexpr int kThreads = 64;

// Mirrors every run of 64 numbers through shared memory.
template <bool kBeforeReading, bool kBeforeReuse>
void Mirror(const float* from, float* to, int runs) {
  float* shared = Shared<float>();
  for (int n = 0; n < runs; ++n) {
    shared[threadIdx.x] = from[n * kThreads + threadIdx.x];
    if (kBeforeReading) __syncthreads();
    to[n * kThreads + threadIdx.x] = shared[kThreads - 1 - threadIdx.x];
    if (kBeforeReuse) __syncthreads();
  }
}

// A barrier that half of the threads never reach.
void Diverge(const float* from, float* to, int runs) {
  if (threadIdx.x < kThreads / 2) __syncthreads();
  to[threadIdx.x] = from[threadIdx.x] * static_cast<float>(runs);
}

// One number more than the shared memory has space for.
void Overrun(const float* from, float* to, int) {
  Shared<float>()[threadIdx.x + 1] = from[threadIdx.x];
  __syncthreads();
  to[threadIdx.x] = Shared<float>()[threadIdx.x + 1];
}

// Four numbers at once at an address that is not a multiple of 16 bytes.
void Misread(const float* from, float* to, int) {
  to[threadIdx.x] = Load<float, 4>(from + 1 + threadIdx.x % 4 * 4).at[0];
}

using Kernel = void (*)(const float*, float*, int);

// Whether the result depends on the order of threads, or the emulation reports an error.
bool IsExposed(Kernel kernel) {
  constexpr int kRuns = 3;
  const auto from = Data(1).Numbers(kRuns * kThreads);
  for (auto order : {emulation::Order::kForward, emulation::Order::kReverse, emulation::Order::kShuffled}) {
    emulation::order = order;
    std::vector<float> to(from.size(), NAN);
    try {
      Launch(kernel, dim3{1}, dim3{kThreads}, kThreads * sizeof(float), nullptr, from.data(), to.data(),
             kRuns);
    } catch (const std::logic_error&) {
      return true;
    }
    for (int n = 0; n < kRuns * kThreads; ++n) {
      const int mirrored = n / kThreads * kThreads + kThreads - 1 - n % kThreads;
      if (!(to[n] == from[mirrored])) return true;
    }
  }
  return false;
}

void Expect(const std::string& what, Kernel kernel, bool exposed) {
  Report("emulation", what, IsExposed(kernel) == exposed ? 0 : HUGE_VAL, 0);
}

bool IsRefused(dim3 grid, dim3 block, size_t shared) {
  try {
    emulation::CheckLaunch(grid, block, shared);
  } catch (const std::logic_error&) {
    return true;
  }
  return false;
}

void ExpectRefused(const std::string& what, dim3 grid, dim3 block, size_t shared, bool refused = true) {
  Report("emulation", what, IsRefused(grid, block, shared) == refused ? 0 : HUGE_VAL, 0);
}

}  // namespace

void CheckBarriers(const std::string& kernel, void (*checks)()) {
  const size_t before = emulation::barriers.size();
  checks();
  std::vector<emulation::Barrier> theirs(emulation::barriers.begin() + before, emulation::barriers.end());
  silent = true;
  const int failed = failures;
  for (const auto& barrier : theirs) {
    emulation::skipped = barrier;
    failures = 0;
    checks();
    const std::string file = barrier.file.substr(barrier.file.rfind('/') + 1);
    silent = false;
    Report("barriers", kernel + ": without that of " + file + ":" + std::to_string(barrier.line),
           failures > 0 ? 0 : HUGE_VAL, 0);
    silent = true;
  }
  emulation::skipped = {};
  failures = failed;
  silent = false;
}

void CheckBroken() {
  Expect("a right kernel passes in every order", Mirror<true, true>, false);
  Expect("a missing barrier before reading is exposed", Mirror<false, true>, true);
  Expect("a missing barrier before reuse is exposed", Mirror<true, false>, true);
  Expect("a barrier that not all threads reach is exposed", Diverge, true);
  Expect("a write past the end of shared memory is exposed", Overrun, true);
  Expect("a misaligned address is exposed", Misread, true);
  ExpectRefused("the largest launch passes", {0x7fffffff, 65535, 65535}, {1024}, 48 * 1024, false);
  ExpectRefused("an empty grid is refused", {1, 0, 1}, {32}, 0);
  ExpectRefused("a grid too high is refused", {1, 65536, 1}, {32}, 0);
  ExpectRefused("a grid too deep is refused", {1, 1, 65536}, {32}, 0);
  ExpectRefused("a block too large is refused", {1}, {32, 64}, 0);
  ExpectRefused("too much shared memory is refused", {1}, {32}, 48 * 1024 + 1);
}

}  // namespace check
