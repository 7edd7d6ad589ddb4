#include "ops/memory/arena.h"

#include <algorithm>
#include <numeric>

#include <c10/core/CPUAllocator.h>

namespace dyconv {

// Requests of a run in their order, and where their blocks are.
struct ArenaPlan {
  static constexpr int64_t kOrdinary = -1;  // the block outlives the run

  std::vector<size_t> bytes;     // of each request
  std::vector<int64_t> events;   // request i: i + 1, given back: -i - 1
  std::vector<int64_t> offsets;  // of the block's header in the buffer
  size_t total = 0;

  void Place();
};

// The memory of one run at a time; lives as long as the arena or a block in it.
class ArenaBuffer {
 public:
  explicit ArenaBuffer(size_t bytes) : memory_(c10::GetCPUAllocator()->allocate(bytes)), bytes_(bytes) {}

  char* At(int64_t offset) { return static_cast<char*>(memory_.get()) + offset; }
  size_t bytes() const { return bytes_; }
  void Hold() { ++holders_; }
  void Release() {
    if (--holders_ == 0) delete this;
  }
  // Whether only the caller holds it: no block is in use.
  bool IsIdle() const { return holders_ == 1; }

 private:
  at::DataPtr memory_;
  size_t bytes_;
  std::atomic<int64_t> holders_ = 1;
};

// Buffers that no run uses.
class ArenaBuffers {
 public:
  ArenaBuffers() = default;
  ArenaBuffers(const ArenaBuffers&) = delete;
  ArenaBuffers& operator=(const ArenaBuffers&) = delete;
  ~ArenaBuffers() { Clear(); }

  // Those of all arenas. Null if `make` is false and there are none.
  static std::shared_ptr<ArenaBuffers> Shared(bool make);

  // The smallest with at least this number of bytes, or a new one instead of one that is too small.
  ArenaBuffer* Take(size_t bytes);
  void Give(ArenaBuffer* buffer);
  // Returns whether there were any.
  bool Clear();

 private:
  std::mutex mutex_;
  std::vector<ArenaBuffer*> idle_;  // by size
};

std::shared_ptr<ArenaBuffers> ArenaBuffers::Shared(bool make) {
  // Never destroyed: arenas may outlive static objects.
  static auto* mutex = new std::mutex();
  static auto* shared = new std::weak_ptr<ArenaBuffers>();
  std::lock_guard lock(*mutex);
  std::shared_ptr<ArenaBuffers> buffers = shared->lock();
  if (buffers == nullptr && make) {
    buffers = std::make_shared<ArenaBuffers>();
    *shared = buffers;
  }
  return buffers;
}

ArenaBuffer* ArenaBuffers::Take(size_t bytes) {
  ArenaBuffer* taken = nullptr;
  {
    std::lock_guard lock(mutex_);
    if (!idle_.empty()) {
      auto found = std::ranges::lower_bound(idle_, bytes, {}, &ArenaBuffer::bytes);
      if (found == idle_.end()) --found;
      taken = *found;
      idle_.erase(found);
    }
  }
  if (taken != nullptr && taken->bytes() >= bytes) return taken;
  if (taken != nullptr) taken->Release();
  return new ArenaBuffer(bytes);
}

void ArenaBuffers::Give(ArenaBuffer* buffer) {
  std::lock_guard lock(mutex_);
  idle_.insert(std::ranges::lower_bound(idle_, buffer->bytes(), {}, &ArenaBuffer::bytes), buffer);
}

bool ArenaBuffers::Clear() {
  std::vector<ArenaBuffer*> idle;
  {
    std::lock_guard lock(mutex_);
    idle.swap(idle_);
  }
  for (ArenaBuffer* buffer : idle) buffer->Release();
  return !idle.empty();
}

namespace {

thread_local ArenaRun* current = nullptr;
std::atomic<uint64_t> runs = 0;
constexpr int kMostFailures = 8;

size_t Padded(size_t bytes) {
  return (bytes + sizeof(BlockHeader) + kBlockAlignment - 1) / kBlockAlignment * kBlockAlignment;
}

}  // namespace

// Large blocks first, each at the lowest offset that is free during its life.
void ArenaPlan::Place() {
  const size_t count = bytes.size();
  std::vector<int64_t> from(count), to(count, INT64_MAX);
  for (size_t i = 0; i < events.size(); ++i) {
    const int64_t event = events[i];
    (event > 0 ? from[event - 1] : to[-event - 1]) = static_cast<int64_t>(i);
  }
  offsets.assign(count, kOrdinary);
  std::vector<size_t> order;
  for (size_t i = 0; i < count; ++i)
    if (to[i] != INT64_MAX) order.push_back(i);
  std::ranges::stable_sort(order, std::greater<>(), [&](size_t i) { return bytes[i]; });
  std::vector<size_t> placed;  // by offset
  for (const size_t i : order) {
    size_t offset = 0;
    for (const size_t other : placed) {
      const bool meets = from[i] < to[other] && from[other] < to[i];
      if (!meets) continue;
      if (offset + Padded(bytes[i]) <= static_cast<size_t>(offsets[other])) break;
      offset = std::max(offset, static_cast<size_t>(offsets[other]) + Padded(bytes[other]));
    }
    offsets[i] = static_cast<int64_t>(offset);
    total = std::max(total, offset + Padded(bytes[i]));
    const auto above =
        std::ranges::find_if(placed, [&](size_t other) { return offsets[other] > offsets[i]; });
    placed.insert(above, i);
  }
}

Arena::Arena() : buffers_(ArenaBuffers::Shared(/*make=*/true)) {}

Arena::~Arena() = default;

ArenaRun* ArenaRun::Current() { return current; }

ArenaRun::ArenaRun(Arena& arena) : arena_(arena), active_(current == nullptr) {
  if (!active_) return;
  {
    std::lock_guard lock(arena_.mutex_);
    if (arena_.failures_ >= kMostFailures) return;  // its runs are never alike
    plan_ = arena_.plan_;
  }
  id_ = ++runs;
  if (plan_ == nullptr) {
    noted_ = std::make_shared<ArenaPlan>();
  } else if (plan_->total > 0) {
    buffer_ = arena_.buffers_->Take(plan_->total);
  }
  current = this;
}

ArenaRun::~ArenaRun() {
  if (current != this) return;
  current = nullptr;
  if (noted_ != nullptr) noted_->Place();
  if (buffer_ != nullptr) {
    if (buffer_->IsIdle()) {
      arena_.buffers_->Give(buffer_);
    } else {
      buffer_->Release();  // with the last block in it
    }
  }
  std::lock_guard lock(arena_.mutex_);
  if (noted_ != nullptr) {
    arena_.plan_ = noted_;
  } else if (deviated_ || position_ != plan_->events.size()) {
    ++arena_.failures_;
    if (arena_.plan_ == plan_) arena_.plan_.reset();
  }
}

bool ArenaRun::Follows(int64_t event) {
  if (deviated_ || position_ >= plan_->events.size() || plan_->events[position_] != event) {
    deviated_ = true;
    return false;
  }
  ++position_;
  return true;
}

BlockHeader* ArenaRun::Take(size_t bytes) {
  const uint32_t request = requests_++;
  if (noted_ != nullptr) {
    noted_->bytes.push_back(bytes);
    noted_->events.push_back(int64_t{request} + 1);
    return nullptr;
  }
  if (!Follows(int64_t{request} + 1)) return nullptr;
  if (plan_->bytes[request] != bytes) {
    deviated_ = true;
    return nullptr;
  }
  const int64_t offset = plan_->offsets[request];
  if (offset == ArenaPlan::kOrdinary) return nullptr;
  auto* block = reinterpret_cast<BlockHeader*>(buffer_->At(offset));
  *block = {BlockHeader::kInArena, buffer_, id_, request};
  buffer_->Hold();
  return block;
}

void ArenaRun::Made(BlockHeader* block) const {
  block->run = id_;
  block->request = requests_ - 1;
}

void ArenaRun::Freed(uint32_t request) {
  const int64_t event = -int64_t{request} - 1;
  if (noted_ != nullptr) {
    noted_->events.push_back(event);
  } else {
    Follows(event);
  }
}

bool FreeIdleArenaBuffers() {
  const std::shared_ptr<ArenaBuffers> buffers = ArenaBuffers::Shared(/*make=*/false);
  return buffers != nullptr && buffers->Clear();
}

void FreeInArena(BlockHeader* block) { static_cast<ArenaBuffer*>(block->origin)->Release(); }

}  // namespace dyconv
