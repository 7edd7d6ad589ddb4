#include "napi/programs.h"

#include <utility>
#include <vector>

#include "typed_error.h"

namespace dyconv {

Programs& Programs::Instance() {
  static auto* programs = new Programs;
  return *programs;
}

int64_t Programs::Add(const void* owner, std::shared_ptr<Runner> runner) {
  std::lock_guard lock(mutex_);
  entries_.emplace(next_id_, Entry{{std::move(runner), std::make_shared<PoolLane>()}, owner});
  return next_id_++;
}

HeldProgram Programs::Find(int64_t id) {
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  Require(found != entries_.end(), ErrorKind::kDisposed,
          "Expected a live program but received one that was disposed");
  return found->second;
}

void Programs::Remove(const void* owner, int64_t id) {
  HeldProgram removed;  // ends after the lock: its weights may be the last reference to much
  std::lock_guard lock(mutex_);
  const auto found = entries_.find(id);
  if (found == entries_.end() || found->second.owner != owner) return;
  removed = std::move(found->second);
  entries_.erase(found);
}

void Programs::OwnerEnded(const void* owner) {
  std::vector<HeldProgram> ended;
  std::lock_guard lock(mutex_);
  for (auto entry = entries_.begin(); entry != entries_.end();) {
    if (entry->second.owner != owner) {
      ++entry;
      continue;
    }
    ended.push_back(std::move(entry->second));
    entry = entries_.erase(entry);
  }
}

}  // namespace dyconv
