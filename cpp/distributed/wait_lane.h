// Threads that wait for other processes. A wait can take as long as the timeout of its group, so each has a
// lane of its own, and it must end early when the environment does.
#pragma once

#include <chrono>
#include <condition_variable>
#include <functional>
#include <memory>
#include <mutex>

#include <torch/csrc/distributed/c10d/Work.hpp>

#include "program/lane.h"

namespace dyconv {

class WaitLane final : public Lane {
 public:
  // An idle lane, or a new one. Lanes belong to the process: none ends on its own thread.
  static std::shared_ptr<WaitLane> Take();
  // Makes the lane idle: as the last act of its task.
  static void Give(const std::shared_ptr<WaitLane>& lane);

  void Start() override { inner_.Start(); }
  void Push(std::unique_ptr<Task> task) override { inner_.Push(std::move(task)); }
  // Ends the wait of the running task, waits for the task, and drops the lane.
  void Stop() override;

  // The waits of a task. They throw a DistributedFailure when the lane stops.
  // Until `work`, a collective, has ended; throws its error.
  void WaitForCollective(const c10::intrusive_ptr<c10d::Work>& work);
  // Until `work`, a send or receive, has ended; throws its error.
  void WaitForMessage(const c10::intrusive_ptr<c10d::Work>& work);
  void Sleep(std::chrono::milliseconds duration);

 private:
  void CheckRunning() const;  // with the mutex held

  ThreadLane inner_{"dyconv wait"};
  std::mutex wait_mutex_;
  std::condition_variable wake_;
  bool stopped_ = false;
  std::function<void()> interrupt_;
};

}  // namespace dyconv
