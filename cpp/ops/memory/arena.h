// Memory for computations that allocate the same blocks in the same order repeatedly: the first run records
// its requests and when they are given back, later ones get their blocks from one buffer, at offsets planned
// from that. A run with other allocations falls back to ordinary blocks, and the next one is recorded
// anew. All arenas of the process share their buffers: there are as many as runs at the same time, each as
// large as the largest run that used it.
#pragma once

#include <atomic>
#include <cstdint>
#include <memory>
#include <mutex>
#include <vector>

#include "ops/memory/block.h"

namespace dyconv {

struct ArenaPlan;
class ArenaBuffer;
class ArenaBuffers;

// The plan of one computation. Any thread.
class Arena {
 public:
  Arena();
  ~Arena();
  Arena(const Arena&) = delete;
  Arena& operator=(const Arena&) = delete;

 private:
  friend class ArenaRun;

  const std::shared_ptr<ArenaBuffers> buffers_;  // they are freed with the last arena
  std::mutex mutex_;
  std::shared_ptr<const ArenaPlan> plan_;
  int failures_ = 0;  // runs that did not follow the plan
};

// One run, on the thread that made it, until the end of the scope. Blocks that outlive the run are ordinary
// ones. Within another run it does nothing.
class ArenaRun {
 public:
  explicit ArenaRun(Arena& arena);
  ~ArenaRun();
  ArenaRun(const ArenaRun&) = delete;
  ArenaRun& operator=(const ArenaRun&) = delete;

  // The run of this thread; null where there is none.
  static ArenaRun* Current();

  // For the allocator. The block of the next request; null if it has to be an ordinary one, which
  // the allocator then reports with Made().
  BlockHeader* Take(size_t bytes);
  void Made(BlockHeader* block) const;
  // A block that this run asked for was given back, on its thread.
  void Freed(uint32_t request);
  uint64_t id() const { return id_; }
  // Whether its requests are noted. Its blocks are of no use to later runs, which have theirs in a buffer.
  bool IsNoting() const { return noted_ != nullptr; }

 private:
  bool Follows(int64_t event);

  Arena& arena_;
  const bool active_;
  uint64_t id_ = 0;
  std::shared_ptr<const ArenaPlan> plan_;  // null while requests are noted
  std::shared_ptr<ArenaPlan> noted_;       // null while a plan is followed
  ArenaBuffer* buffer_ = nullptr;
  size_t position_ = 0;  // in the plan's events
  uint32_t requests_ = 0;
  bool deviated_ = false;
};

// Gives back a block whose size is kInArena.
void FreeInArena(BlockHeader* block);

// Frees the buffers that no run uses. Returns whether there were any.
bool FreeIdleArenaBuffers();

}  // namespace dyconv
