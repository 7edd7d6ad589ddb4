// Kernels with a mistake each, and the same ones without: the emulation has to tell them apart.
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

// One number more than there is shared memory for.
void Overrun(const float* from, float* to, int) {
  Shared<float>()[threadIdx.x + 1] = from[threadIdx.x];
  __syncthreads();
  to[threadIdx.x] = Shared<float>()[threadIdx.x + 1];
}

using Kernel = void (*)(const float*, float*, int);

// Whether some order of threads, or the emulation itself, shows that the kernel is wrong.
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

}  // namespace

void CheckBroken() {
  Expect("a right kernel passes in every order", Mirror<true, true>, false);
  Expect("a missing barrier before reading is exposed", Mirror<false, true>, true);
  Expect("a missing barrier before reuse is exposed", Mirror<true, false>, true);
  Expect("a barrier that not all threads reach is exposed", Diverge, true);
  Expect("a write past the end of shared memory is exposed", Overrun, true);
}

}  // namespace check
