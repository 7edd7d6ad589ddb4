#include "distributed/wait_lane.h"

#include <algorithm>
#include <utility>
#include <vector>

#include "typed_error.h"

namespace dyconv {
namespace {

// Of the process, and never destroyed: its threads may wait when the process ends.
struct Idle {
  std::mutex mutex;
  std::vector<std::shared_ptr<WaitLane>> all, idle;

  static Idle& Instance() {
    static auto* lanes = new Idle;
    return *lanes;
  }
};

}  // namespace

std::shared_ptr<WaitLane> WaitLane::Take() {
  Idle& lanes = Idle::Instance();
  std::lock_guard lock(lanes.mutex);
  if (lanes.idle.empty()) {
    lanes.all.push_back(std::make_shared<WaitLane>());
    return lanes.all.back();
  }
  std::shared_ptr<WaitLane> lane = std::move(lanes.idle.back());
  lanes.idle.pop_back();
  return lane;
}

void WaitLane::Give(const std::shared_ptr<WaitLane>& lane) {
  Idle& lanes = Idle::Instance();
  std::lock_guard lock(lanes.mutex);
  // Not one that has been stopped.
  if (std::find(lanes.all.begin(), lanes.all.end(), lane) != lanes.all.end()) lanes.idle.push_back(lane);
}

void WaitLane::Stop() {
  std::function<void()> interrupt;
  {
    std::lock_guard lock(wait_mutex_);
    stopped_ = true;
    interrupt = interrupt_;
  }
  wake_.notify_all();
  if (interrupt) interrupt();
  inner_.Stop();
  Idle& lanes = Idle::Instance();
  std::lock_guard lock(lanes.mutex);
  std::erase_if(lanes.all, [this](const auto& lane) { return lane.get() == this; });
  std::erase_if(lanes.idle, [this](const auto& lane) { return lane.get() == this; });
}

void WaitLane::CheckRunning() const {
  if (stopped_) throw DistributedFailure("The thread of the group has ended", "closed", {});
}

void WaitLane::WaitForCollective(const c10::intrusive_ptr<c10d::Work>& work) {
  // The callback may outlive this wait, where the lane stops first.
  struct Ended {
    std::mutex mutex;
    std::condition_variable changed;
    bool yes = false;
  };
  const auto ended = std::make_shared<Ended>();
  work->getFuture()->addCallback([ended](c10::ivalue::Future&) {
    std::lock_guard lock(ended->mutex);
    ended->yes = true;
    ended->changed.notify_all();
  });
  {
    std::lock_guard lock(wait_mutex_);
    CheckRunning();
    interrupt_ = [ended] { ended->changed.notify_all(); };
  }
  const auto stopped = [this] {
    std::lock_guard lock(wait_mutex_);
    return stopped_;
  };
  for (std::unique_lock lock(ended->mutex); !ended->yes && !stopped();) {
    // The limit is for a Stop() between the question and the wait.
    ended->changed.wait_for(lock, std::chrono::seconds(1));
  }
  std::lock_guard lock(wait_mutex_);
  interrupt_ = nullptr;
  CheckRunning();
  work->wait();
}

void WaitLane::WaitForMessage(const c10::intrusive_ptr<c10d::Work>& work) {
  {
    std::lock_guard lock(wait_mutex_);
    CheckRunning();
    interrupt_ = [work] { work->abort(); };
  }
  const auto finish = [this] {
    std::lock_guard lock(wait_mutex_);
    interrupt_ = nullptr;
    CheckRunning();
  };
  try {
    work->wait();
  } catch (...) {
    finish();
    throw;
  }
  finish();
}

void WaitLane::Sleep(std::chrono::milliseconds duration) {
  std::unique_lock lock(wait_mutex_);
  wake_.wait_for(lock, duration, [this] { return stopped_; });
  CheckRunning();
}

}  // namespace dyconv
