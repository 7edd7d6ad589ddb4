// CUDA kernels on the host: a block's threads are fibers that run one at a time, each until it reaches a
// barrier or a warp shuffle, in an order the caller chooses. What a kernel computes must not depend on the
// order; a missing barrier makes it depend.
//
// Shared memory starts as NaNs, and writing past its end is noticed. A barrier that not all threads of a
// block reach, or that they reach at different places of the source, is an error here, where a GPU would hang
// or go on with wrong values; so is a launch that no GPU would take. For tests: nothing here is fast.
#pragma once

#include <setjmp.h>
#include <ucontext.h>

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <cstring>
#include <exception>
#include <functional>
#include <memory>
#include <numeric>
#include <random>
#include <stdexcept>
#include <string>
#include <vector>

#define __global__
#define __device__
#define __host__
#define __forceinline__ inline __attribute__((always_inline))
#define __launch_bounds__(...)

struct dim3 {
  unsigned x = 1, y = 1, z = 1;
};
inline dim3 threadIdx, blockIdx, blockDim, gridDim;

template <class T>
constexpr T min(T a, T b) {
  return a < b ? a : b;
}

namespace dyconv::kernels::cuda::emulation {

// Which thread of a block goes first.
enum class Order { kForward, kReverse, kShuffled };

inline Order order = Order::kForward;
inline unsigned seed = 1;  // of kShuffled

inline int compute_capability = 9;  // the major number

// A barrier, by its place in the source.
struct Barrier {
  std::string file;
  int line = 0;

  bool Is(const char* other_file, int other_line) const { return line == other_line && file == other_file; }
};
inline std::vector<Barrier> barriers;  // all that blocks have met at so far
inline Barrier skipped;                // this one is passed as if it were not there

constexpr size_t kStackBytes = 64 * 1024;
constexpr unsigned kWarp = 32;
constexpr size_t kCanaryBytes = 64;
constexpr size_t kSharedAlignment = 32;  // what the kernels require

class Block {
 public:
  Block(dim3 block, size_t shared_bytes, const std::function<void()>& kernel)
      : kernel_(kernel), threads_(block.x * block.y * block.z), shared_bytes_(shared_bytes) {
    if (threads_.size() % kWarp != 0) throw std::logic_error("a block of threads that are not whole warps");
    memory_.resize(shared_bytes + kCanaryBytes + kSharedAlignment);
    void* aligned = memory_.data();
    size_t space = memory_.size();
    shared_ = static_cast<unsigned char*>(
        std::align(kSharedAlignment, shared_bytes + kCanaryBytes, aligned, space));
    warps_.resize(threads_.size() / kWarp);
    stacks_ = std::make_unique_for_overwrite<char[]>(threads_.size() * kStackBytes);
    for (unsigned t = 0; t < threads_.size(); ++t) {
      threads_[t].index = {t % block.x, t / block.x % block.y, t / (block.x * block.y)};
    }
  }

  // Runs one block: the one that blockIdx names.
  void Run() {
    std::fill_n(shared_, shared_bytes_, 0xff);  // NaN in every type
    std::fill_n(shared_ + shared_bytes_, kCanaryBytes, 0xa5);
    for (unsigned t = 0; t < threads_.size(); ++t) Start(t);
    std::mt19937 random(seed);
    current = this;
    done_ = 0;
    error_ = nullptr;
    while (done_ < threads_.size()) {
      bool ran = false;
      // A warp continues through its shuffles until it meets a barrier: the others are then as far behind as
      // can be.
      for (unsigned w : Turns(warps_.size(), random)) {
        for (bool more = true; more; more = ReleaseWarp(w)) {
          for (unsigned lane : Turns(kWarp, random)) ran = RunIfReady(w * kWarp + lane) || ran;
        }
      }
      if (error_) std::rethrow_exception(error_);
      if (!ran) throw std::logic_error("threads wait for each other for ever");
      ReleaseBlock();
    }
    current = nullptr;
    for (size_t i = shared_bytes_; i < shared_bytes_ + kCanaryBytes; ++i) {
      if (shared_[i] != 0xa5) throw std::logic_error("a write past the end of shared memory");
    }
  }

  void Wait(const char* file, int line) {
    if (skipped.Is(file, line)) return;
    Thread& thread = threads_[running_];
    thread.file = file, thread.line = line;
    Yield(State::kAtBarrier);
  }

  // The value that lane `lane ^ mask` of the same warp hands over at the same shuffle.
  template <class T>
  T Exchange(T value, unsigned mask) {
    static_assert(sizeof(T) <= sizeof(uint64_t));
    const unsigned me = running_;
    Warp& warp = warps_[me / kWarp];
    const unsigned parity = threads_[me].shuffles++ % 2;
    std::memcpy(&warp.slots[parity][me % kWarp], &value, sizeof(T));
    Yield(State::kAtShuffle);
    std::memcpy(&value, &warp.slots[parity][(me % kWarp) ^ mask], sizeof(T));
    return value;
  }

  // A barrier of one warp.
  void WaitWarp(const char* file, int line) {
    if (skipped.Is(file, line)) return;
    if (running_ == 0) Remember(file, line);
    Exchange(0u, 0);
  }

  unsigned char* shared() { return shared_; }

  static inline Block* current = nullptr;

 private:
  enum class State { kReady, kAtBarrier, kAtShuffle, kDone };
  struct Thread {
    ucontext_t context;
    jmp_buf place;
    bool started = false;
    dim3 index;
    State state = State::kReady;
    unsigned shuffles = 0;
    const char* file = nullptr;
    int line = 0;
  };
  // Two sets of slots: a lane may be one shuffle ahead of the others, never two.
  struct Warp {
    uint64_t slots[2][kWarp];
  };

  void Start(unsigned t) {
    Thread& thread = threads_[t];
    getcontext(&thread.context);
    thread.context.uc_stack.ss_sp = stacks_.get() + t * kStackBytes;
    thread.context.uc_stack.ss_size = kStackBytes;
    thread.context.uc_link = nullptr;
    makecontext(&thread.context, Enter, 0);
    thread.state = State::kReady;
    thread.started = false;
    thread.shuffles = 0;
  }

  static void Enter() {
    try {
      current->kernel_();
    } catch (...) {
      current->error_ = std::current_exception();  // a fiber has no caller that could catch it
    }
    current->threads_[current->running_].state = State::kDone;
    _longjmp(current->scheduler_, 1);
  }

  // A context starts a fiber; from then on _longjmp, which makes no system call, goes back and forth.
  void Resume(unsigned t) {
    Thread& thread = threads_[t];
    running_ = t;
    threadIdx = thread.index;
    if (_setjmp(scheduler_) != 0) return;
    if (thread.started) _longjmp(thread.place, 1);
    thread.started = true;
    setcontext(&thread.context);
  }

  void Yield(State state) {
    Thread& thread = threads_[running_];
    thread.state = state;
    if (_setjmp(thread.place) == 0) _longjmp(scheduler_, 1);
  }

  // 0 .. count - 1, as the order says.
  static std::vector<unsigned> Turns(size_t count, std::mt19937& random) {
    std::vector<unsigned> turns(count);
    std::iota(turns.begin(), turns.end(), 0u);
    if (order == Order::kReverse) std::reverse(turns.begin(), turns.end());
    if (order == Order::kShuffled) std::shuffle(turns.begin(), turns.end(), random);
    return turns;
  }

  bool RunIfReady(unsigned t) {
    if (threads_[t].state != State::kReady) return false;
    Resume(t);
    if (threads_[t].state == State::kDone) ++done_;
    return true;
  }

  // Lets a warp go on whose lanes have all reached a shuffle.
  bool ReleaseWarp(unsigned w) {
    const auto first = threads_.begin() + w * kWarp, last = first + kWarp;
    if (!std::all_of(first, last, [](const Thread& t) { return t.state == State::kAtShuffle; })) return false;
    std::for_each(first, last, [](Thread& t) { t.state = State::kReady; });
    return true;
  }

  void ReleaseBlock() {
    const auto waiting = std::count_if(threads_.begin(), threads_.end(),
                                       [](const Thread& t) { return t.state == State::kAtBarrier; });
    if (waiting != static_cast<std::ptrdiff_t>(threads_.size())) return;
    for (Thread& thread : threads_) {
      if (thread.line != threads_[0].line || std::strcmp(thread.file, threads_[0].file) != 0) {
        throw std::logic_error("threads of a block wait at different barriers: lines " +
                               std::to_string(threads_[0].line) + " and " + std::to_string(thread.line));
      }
      thread.state = State::kReady;
    }
    Remember(threads_[0].file, threads_[0].line);
  }

  static void Remember(const char* file, int line) {
    const auto same = [&](const Barrier& barrier) { return barrier.Is(file, line); };
    if (std::none_of(barriers.begin(), barriers.end(), same)) barriers.push_back({file, line});
  }

  const std::function<void()>& kernel_;
  std::vector<Thread> threads_;
  std::vector<Warp> warps_;
  std::vector<unsigned char> memory_;
  unsigned char* shared_;  // in memory_
  size_t shared_bytes_;
  std::unique_ptr<char[]> stacks_;
  jmp_buf scheduler_;
  unsigned running_ = 0;
  size_t done_ = 0;
  std::exception_ptr error_;
};

// What the driver refuses. The shared memory is what every GPU gives without being asked.
inline void CheckLaunch(dim3 grid, dim3 block, size_t shared_bytes) {
  const auto within = [](dim3 size, unsigned x, unsigned y, unsigned z) {
    return size.x - 1 < x && size.y - 1 < y && size.z - 1 < z;  // 0 wraps around
  };
  if (!within(grid, 0x7fffffff, 65535, 65535)) throw std::logic_error("a grid that no GPU takes");
  if (!within(block, 1024, 1024, 64) || block.x * block.y * block.z > 1024) {
    throw std::logic_error("a block that no GPU takes");
  }
  if (shared_bytes > 48 * 1024) throw std::logic_error("more shared memory than a block gets");
}

// Runs all blocks of a grid, one after the other.
inline void RunGrid(dim3 grid, dim3 block, size_t shared_bytes, const std::function<void()>& kernel) {
  CheckLaunch(grid, block, shared_bytes);
  gridDim = grid;
  blockDim = block;
  Block runner(block, shared_bytes, kernel);
  const unsigned blocks = grid.x * grid.y * grid.z;
  for (unsigned n = 0; n < blocks; ++n) {
    const unsigned i = order == Order::kForward ? n : blocks - 1 - n;
    blockIdx = {i % grid.x, i / grid.x % grid.y, i / (grid.x * grid.y)};
    runner.Run();
  }
}

}  // namespace dyconv::kernels::cuda::emulation

#define __syncthreads() ::dyconv::kernels::cuda::emulation::Block::current->Wait(__FILE__, __LINE__)

#define __syncwarp() ::dyconv::kernels::cuda::emulation::Block::current->WaitWarp(__FILE__, __LINE__)

template <class T>
T __shfl_xor_sync(unsigned, T value, int mask) {
  return ::dyconv::kernels::cuda::emulation::Block::current->Exchange(value, static_cast<unsigned>(mask));
}
