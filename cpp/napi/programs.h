// The programs that JavaScript holds, by number: compiled networks, TorchScript modules, packages of
// AOTInductor. A number is the process's, so it may travel to a worker, which opens the program by it and so
// gets its own number.
#pragma once

#include <cstdint>
#include <memory>
#include <mutex>
#include <unordered_map>

#include "program/lane.h"
#include "program/runner.h"

namespace dyconv {

struct HeldProgram {
  std::shared_ptr<Runner> runner;
  std::shared_ptr<Lane> lane;  // of its asynchronous runs: one after another
};

class Programs {
 public:
  static Programs& Instance();  // never destroyed: threads may outlive static objects

  // `owner` is the environment whose JavaScript gets the number.
  int64_t Add(const void* owner, std::shared_ptr<Runner> runner);
  // Throws a TypedError for a number that is not (or no longer) in the table.
  HeldProgram Find(int64_t id);
  // Runs that were asked for are still made. Does nothing for another environment's number.
  void Remove(const void* owner, int64_t id);
  void OwnerEnded(const void* owner);

 private:
  struct Entry : HeldProgram {
    const void* owner;  // compared, never followed
  };

  std::mutex mutex_;
  std::unordered_map<int64_t, Entry> entries_;
  int64_t next_id_ = 1;
};

}  // namespace dyconv
