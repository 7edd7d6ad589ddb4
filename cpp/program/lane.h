// Threads for work off the JavaScript thread. A lane runs its tasks one after another, in the order they were
// pushed, either on its own thread or on the threads of the process that all pool lanes share. Knows
// neither JavaScript nor environments: napi/job.h makes promises of this.
#pragma once

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <thread>

namespace dyconv {

class Task {
 public:
  virtual ~Task() = default;
  // Runs the task; must not throw. `self` owns it, for a result that is taken elsewhere.
  virtual void Run(std::unique_ptr<Task> self) = 0;

  // Threads that the task may use for its parallel loops, on a pool lane: exactly `threads`, or, where that
  // is 0, `budget` divided by the number of tasks that run.
  int threads = 0;
  int budget = 1;
};

class Lane {
 public:
  Lane() = default;
  Lane(const Lane&) = delete;
  Lane& operator=(const Lane&) = delete;
  virtual ~Lane() = default;

  // Starts the thread that tasks will run on. Throws a TypedError if the system has no more.
  virtual void Start() = 0;
  // Needs a successful Start() before. A lane that was stopped drops the task.
  virtual void Push(std::unique_ptr<Task> task) = 0;
  // Removes the first waiting task that `wanted` accepts, which then never runs; null if there is none.
  std::unique_ptr<Task> Take(const std::function<bool(const Task&)>& wanted);
  // Waits for the running task, drops the waiting ones and all that are pushed later.
  virtual void Stop() = 0;

 protected:
  std::mutex mutex_;
  std::condition_variable changed_;
  std::deque<std::unique_ptr<Task>> tasks_;
  bool stopping_ = false;
};

// A lane with its own thread, which starts with the first task and ends with the lane.
class ThreadLane final : public Lane {
 public:
  explicit ThreadLane(const char* name) : name_(name) {}
  ~ThreadLane() override { Stop(); }
  void Start() override;
  void Push(std::unique_ptr<Task> task) override;
  void Stop() override;

 private:
  void Loop();

  const char* name_;
  std::thread thread_;
};

// A lane on the threads of the process: as many as it has processors, shared by the pool lanes of all
// environments in turns of one task.
class PoolLane final : public Lane, public std::enable_shared_from_this<PoolLane> {
 public:
  void Start() override;
  void Push(std::unique_ptr<Task> task) override;
  void Stop() override;

 private:
  friend class LanePool;
  // The next task, null if there is none; the lane is running until Finish().
  std::unique_ptr<Task> Next();
  // Whether more tasks wait.
  bool Finish();

  bool scheduled_ = false;  // in the pool's queue, or running
  bool running_ = false;
};

}  // namespace dyconv
