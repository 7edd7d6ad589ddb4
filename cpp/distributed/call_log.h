// The last collective calls of a group and their times, for traces and for finding out where a group waits.
#pragma once

#include <deque>
#include <limits>
#include <memory>
#include <mutex>
#include <string>
#include <vector>

namespace dyconv {

// Times are milliseconds of the steady clock; NaN: not yet.
struct LoggedCall {
  int64_t number = 0;  // of the calls on the group, from 1
  std::string operation;
  std::string dtype;     // empty: no tensor
  int64_t elements = 0;  // of the tensors of this process
  double made_ms = std::numeric_limits<double>::quiet_NaN();
  double begun_ms = std::numeric_limits<double>::quiet_NaN();  // compared, and given to the backend
  double ended_ms = std::numeric_limits<double>::quiet_NaN();
  bool failed = false;
};

// Calls end on threads of the backend.
class CallLog {
 public:
  using Entry = std::shared_ptr<LoggedCall>;

  // Sets the time at which the call was made, and keeps it.
  Entry Add(LoggedCall call);
  void Begin(const Entry& entry);
  void End(const Entry& entry, bool failed);
  // In the order of the calls.
  std::vector<LoggedCall> Calls() const;

 private:
  mutable std::mutex mutex_;
  std::deque<Entry> entries_;
};

}  // namespace dyconv
