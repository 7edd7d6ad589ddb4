// Work off the JavaScript thread, seen from JavaScript as a Promise.
#pragma once

#include <napi.h>

#include <condition_variable>
#include <deque>
#include <functional>
#include <memory>
#include <mutex>
#include <string>
#include <thread>

namespace dyconv {

// One thread that runs jobs in the order they were given. The thread starts with the first job, keeps the
// process alive only while a job is pending, and ends with the environment: the running job is finished,
// waiting ones are dropped.
class JobQueue {
 public:
  explicit JobQueue(const char* name);
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;
  ~JobQueue();

  using Work = std::function<void()>;
  using Finish = std::function<Napi::Value(Napi::Env)>;

  // Runs `work` on the thread, under the caller's libtorch thread-local state (grad mode and the like), and
  // returns a Promise for what `finish` makes of it on the JavaScript thread. `work` owns copies of its
  // tensors, never JS values. What either throws rejects the Promise; `where` names the operation in that
  // error, as does a thread that cannot be started. Work that runs out of memory is given a second try after
  // a collection: it must be able to start anew.
  Napi::Value Run(Napi::Env env, std::string where, Work work, Finish finish);

  void Stop();

 private:
  struct Job;
  static void Complete(Napi::Env env, Napi::Function, JobQueue* queue, Job* job);
  using ToJs = Napi::TypedThreadSafeFunction<JobQueue, Job, Complete>;

  void Start(Napi::Env env);
  void Loop();
  void Push(std::unique_ptr<Job> job);

  const char* name_;
  ToJs to_js_;
  std::thread thread_;
  std::mutex mutex_;
  std::condition_variable wake_;
  std::deque<std::unique_ptr<Job>> jobs_;
  bool stopping_ = false;
  int64_t pending_ = 0;  // touched on the JavaScript thread only
};

}  // namespace dyconv
