// Tensors on their way from one thread to another: the only table of the add-on that belongs to the process.
//
// share() puts a reference to the tensor's storage here under a number, which travels to the other thread in
// a message; claiming takes the tensor out, without a copy. JavaScript has no object of its own that crosses
// threads and tells when it is lost, hence rules: a handle can be claimed as often as share() said; what is
// left of it goes when it is released, and otherwise kGrace after the thread that shared it has ended (not at
// once: a worker may answer and end before its answer is read). The sweep is part of every call here.
#pragma once

#include <chrono>
#include <cstdint>
#include <mutex>
#include <optional>
#include <unordered_map>

#include <ATen/core/Tensor.h>

namespace dyconv {

class SharedTensors {
 public:
  static SharedTensors& Instance();  // never destroyed: threads may outlive static objects

  struct Stats {
    int64_t handles = 0;
    int64_t bytes = 0;
  };

  // Tells this process's numbers from those of another.
  int64_t process_key() const { return process_key_; }

  // `owner` stands for the environment that shares.
  int64_t Put(const at::Tensor& tensor, int64_t claims, const void* owner);
  // The tensor, or nothing when the number is not (or no longer) in the table.
  std::optional<at::Tensor> Claim(int64_t id);
  bool Release(int64_t id);
  void OwnerEnded(const void* owner);
  Stats GetStats();

 private:
  using Clock = std::chrono::steady_clock;
  struct Entry {
    at::Tensor tensor;
    bool requires_grad;
    int64_t claims;
    const void* owner;  // compared, never followed; null once it has ended
    Clock::time_point orphaned_at;
  };
  static constexpr std::chrono::seconds kGrace{30};

  SharedTensors();
  void Sweep();  // under the lock

  std::mutex mutex_;
  std::unordered_map<int64_t, Entry> entries_;
  int64_t next_id_ = 1;
  int64_t orphans_ = 0;
  int64_t process_key_;
};

}  // namespace dyconv
