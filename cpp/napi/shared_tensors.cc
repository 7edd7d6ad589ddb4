#include "napi/shared_tensors.h"

#include <random>

#include <ATen/ops/detach.h>

namespace dyconv {

SharedTensors& SharedTensors::Instance() {
  static auto* instance = new SharedTensors();
  return *instance;
}

// 52 bits: a JavaScript number holds them.
SharedTensors::SharedTensors() {
  std::random_device random;
  process_key_ = (static_cast<int64_t>(random()) << 20 ^ random()) & ((int64_t{1} << 52) - 1);
}

int64_t SharedTensors::Put(const at::Tensor& tensor, int64_t claims, const void* owner) {
  // A TensorImpl must not be used by two threads; the storage may be.
  Entry entry{tensor.detach(), tensor.requires_grad(), claims, owner, {}};
  std::lock_guard lock(mutex_);
  Sweep();
  entries_.emplace(next_id_, std::move(entry));
  return next_id_++;
}

std::optional<at::Tensor> SharedTensors::Claim(int64_t id) {
  at::Tensor tensor;
  bool requires_grad;
  {
    std::lock_guard lock(mutex_);
    Sweep();
    const auto found = entries_.find(id);
    if (found == entries_.end()) return std::nullopt;
    Entry& entry = found->second;
    requires_grad = entry.requires_grad;
    tensor = entry.tensor.detach();
    if (--entry.claims == 0) {
      if (entry.owner == nullptr) --orphans_;
      entries_.erase(found);
    }
  }
  if (requires_grad) tensor.set_requires_grad(true);
  return tensor;
}

bool SharedTensors::Release(int64_t id) {
  std::lock_guard lock(mutex_);
  Sweep();
  const auto found = entries_.find(id);
  if (found == entries_.end()) return false;
  if (found->second.owner == nullptr) --orphans_;
  entries_.erase(found);
  return true;
}

void SharedTensors::OwnerEnded(const void* owner) {
  std::lock_guard lock(mutex_);
  Sweep();
  for (auto& [id, entry] : entries_) {
    if (entry.owner != owner) continue;
    entry.owner = nullptr;
    entry.orphaned_at = Clock::now();
    ++orphans_;
  }
}

SharedTensors::Stats SharedTensors::GetStats() {
  std::lock_guard lock(mutex_);
  Sweep();
  Stats stats;
  for (const auto& [id, entry] : entries_) {
    ++stats.handles;
    stats.bytes += static_cast<int64_t>(entry.tensor.nbytes());
  }
  return stats;
}

void SharedTensors::Sweep() {
  if (orphans_ == 0) return;
  const Clock::time_point limit = Clock::now() - kGrace;
  orphans_ -= static_cast<int64_t>(std::erase_if(entries_, [limit](const auto& item) {
    return item.second.owner == nullptr && item.second.orphaned_at < limit;
  }));
}

}  // namespace dyconv
