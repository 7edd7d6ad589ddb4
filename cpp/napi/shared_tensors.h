// Tensors that are passed from one thread to another: the only table of the add-on that belongs to the
// process.
//
// share() stores a reference to the tensor's storage here under a number, which is sent to the other thread
// in a message; claiming removes the tensor from the table, without a copy. JavaScript has no object that can
// be sent between threads and reports when it is lost, hence these rules: a handle can be claimed as often as
// share() allowed. The rest is freed when the handle is released, or kGrace after the thread that shared it
// has ended (not immediately: a worker may send its result and end before the message is read). Every call
// checks for such entries.
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

  // Distinguishes numbers of this process from those of another.
  int64_t process_key() const { return process_key_; }

  // `owner` identifies the environment that shares.
  int64_t Put(const at::Tensor& tensor, int64_t claims, const void* owner);
  // The tensor, or nothing if the number is not in the table.
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
    const void* owner;  // only compared, never dereferenced; null after it has ended
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
