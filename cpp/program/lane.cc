#include "program/lane.h"

#include <algorithm>
#include <cerrno>
#include <system_error>
#include <utility>
#include <vector>

#include <ATen/Parallel.h>
#ifdef _OPENMP
#include <omp.h>
#endif
#ifdef __linux__
#include <sys/resource.h>
#endif

#include "typed_error.h"

#if defined(__GNUC__) && !defined(__APPLE__)
// MKL's own setting of a thread, where libtorch has MKL: it goes before OpenMP's.
extern "C" int MKL_Set_Num_Threads_Local(int threads) __attribute__((weak));
#endif

namespace dyconv {

std::unique_ptr<Task> Lane::Take(const std::function<bool(const Task&)>& wanted) {
  std::lock_guard lock(mutex_);
  const auto found =
      std::find_if(tasks_.begin(), tasks_.end(), [&](const auto& task) { return wanted(*task); });
  if (found == tasks_.end()) return nullptr;
  std::unique_ptr<Task> task = std::move(*found);
  tasks_.erase(found);
  return task;
}

void ThreadLane::Start() {
  if (thread_.joinable()) return;
  try {
    thread_ = std::thread([this] { Loop(); });
  } catch (const std::system_error& error) {
    Fail(ErrorKind::kNative, "The thread '", name_, "' could not be started: ", error.what());
  }
}

void ThreadLane::Push(std::unique_ptr<Task> task) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    tasks_.push_back(std::move(task));
  }
  changed_.notify_one();
}

void ThreadLane::Loop() {
  for (;;) {
    std::unique_ptr<Task> task;
    {
      std::unique_lock lock(mutex_);
      changed_.wait(lock, [this] { return stopping_ || !tasks_.empty(); });
      if (stopping_) return;
      task = std::move(tasks_.front());
      tasks_.pop_front();
    }
    Task& running = *task;
    running.Run(std::move(task));
  }
}

void ThreadLane::Stop() {
  std::deque<std::unique_ptr<Task>> dropped;
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    dropped.swap(tasks_);
  }
  changed_.notify_one();
  if (thread_.joinable()) thread_.join();
}

// Makes the calling thread, and the OpenMP threads that it starts, yield to the JavaScript threads of the
// process: with equal priority, an event loop that wakes up waits until a thread of a program has used up its
// time slice. Linux alone has a priority for each thread, and any user may lower it.
void LowerPriority() {
#ifdef __linux__
  constexpr int kNice = 5;
  errno = 0;
  const int own = getpriority(PRIO_PROCESS, 0);
  // Where it fails, the threads are as fast as before.
  if (errno == 0) setpriority(PRIO_PROCESS, 0, own + kNice);
#endif
}

// The threads that pool lanes share, of the whole process. They are started when needed and never end: the
// lowest one that is idle takes the next task, so that the others, each with its own OpenMP threads, stay
// unused while fewer tasks run at once.
class LanePool {
 public:
  static LanePool& Instance() {
    static auto* pool = new LanePool;  // not destroyed: its threads wait on it until the process ends
    return *pool;
  }

  void StartFirst() {
    std::lock_guard lock(mutex_);
    if (workers_.empty()) StartWorker();
  }

  void Schedule(std::shared_ptr<PoolLane> lane) {
    std::lock_guard lock(mutex_);
    ready_.push_back(std::move(lane));
    const auto idle = std::find_if(workers_.begin(), workers_.end(), [](const auto& w) { return w->idle; });
    if (idle != workers_.end()) {
      (*idle)->idle = false;
      (*idle)->wake.notify_one();
    } else if (workers_.size() < limit_) {
      try {
        StartWorker();
      } catch (const TypedError&) {
        // The lane waits for one of those that run: StartFirst() saw to one at least.
      }
    }
  }

 private:
  struct Worker {
    std::condition_variable wake;
    bool idle = false;
  };

  void StartWorker() {
    auto worker = std::make_unique<Worker>();
    try {
      std::thread([this, pointer = worker.get()] { Loop(*pointer); }).detach();
    } catch (const std::system_error& error) {
      Fail(ErrorKind::kNative, "A thread for programs could not be started: ", error.what());
    }
    workers_.push_back(std::move(worker));
  }

  void Loop(Worker& worker) {
    // libtorch sets up a thread's OpenMP with its first question, over what was set before.
    at::get_num_threads();
    LowerPriority();
    std::unique_lock lock(mutex_);
    for (;;) {
      if (ready_.empty()) {
        worker.idle = true;
        worker.wake.wait(lock, [&] { return !worker.idle; });
        continue;
      }
      const std::shared_ptr<PoolLane> lane = std::move(ready_.front());
      ready_.pop_front();
      const int running = ++running_;
      lock.unlock();
      if (std::unique_ptr<Task> task = lane->Next()) {
        SetThreads(task->threads > 0 ? std::min(task->threads, task->budget) : task->budget / running);
        Task& current = *task;
        current.Run(std::move(task));
      }
      const bool more = lane->Finish();
      lock.lock();
      --running_;
      // Behind the lanes that wait: each in turn.
      if (more) ready_.push_back(lane);
    }
  }

  // Not at::set_num_threads(), which sets the default of the whole process.
  static void SetThreads([[maybe_unused]] int threads) {
    threads = std::max(1, threads);
#ifdef _OPENMP
    omp_set_num_threads(threads);
#endif
#if defined(__GNUC__) && !defined(__APPLE__)
    if (MKL_Set_Num_Threads_Local != nullptr) MKL_Set_Num_Threads_Local(threads);
#endif
  }

  const size_t limit_ = std::max(2u, std::thread::hardware_concurrency());
  std::mutex mutex_;
  std::deque<std::shared_ptr<PoolLane>> ready_;
  std::vector<std::unique_ptr<Worker>> workers_;
  int running_ = 0;
};

void PoolLane::Start() { LanePool::Instance().StartFirst(); }

void PoolLane::Push(std::unique_ptr<Task> task) {
  {
    std::lock_guard lock(mutex_);
    if (stopping_) return;
    tasks_.push_back(std::move(task));
    if (std::exchange(scheduled_, true)) return;
  }
  LanePool::Instance().Schedule(shared_from_this());
}

std::unique_ptr<Task> PoolLane::Next() {
  std::lock_guard lock(mutex_);
  if (tasks_.empty()) return nullptr;
  std::unique_ptr<Task> task = std::move(tasks_.front());
  tasks_.pop_front();
  running_ = true;
  return task;
}

bool PoolLane::Finish() {
  std::lock_guard lock(mutex_);
  running_ = false;
  scheduled_ = !tasks_.empty();
  changed_.notify_all();
  return scheduled_;
}

void PoolLane::Stop() {
  std::deque<std::unique_ptr<Task>> dropped;  // ends after the lock: a task may own anything
  std::unique_lock lock(mutex_);
  stopping_ = true;
  dropped.swap(tasks_);
  changed_.wait(lock, [this] { return !running_; });
}

}  // namespace dyconv
