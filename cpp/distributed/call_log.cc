#include "distributed/call_log.h"

#include <chrono>
#include <utility>

namespace dyconv {
namespace {

constexpr size_t kKept = 1000;  // some 100 KB

double NowMs() {
  using Milliseconds = std::chrono::duration<double, std::milli>;
  return std::chrono::duration_cast<Milliseconds>(std::chrono::steady_clock::now().time_since_epoch())
      .count();
}

}  // namespace

CallLog::Entry CallLog::Add(LoggedCall call) {
  call.made_ms = NowMs();
  auto entry = std::make_shared<LoggedCall>(std::move(call));
  std::lock_guard lock(mutex_);
  if (entries_.size() == kKept) entries_.pop_front();
  entries_.push_back(entry);
  return entry;
}

void CallLog::Begin(const Entry& entry) {
  std::lock_guard lock(mutex_);
  entry->begun_ms = NowMs();
}

void CallLog::End(const Entry& entry, bool failed) {
  std::lock_guard lock(mutex_);
  entry->ended_ms = NowMs();
  entry->failed = failed;
}

std::vector<LoggedCall> CallLog::Calls() const {
  std::lock_guard lock(mutex_);
  std::vector<LoggedCall> calls;
  for (const Entry& entry : entries_) calls.push_back(*entry);
  return calls;
}

}  // namespace dyconv
