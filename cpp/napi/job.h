// Work off the JavaScript thread, seen from JavaScript as a Promise.
#pragma once

#include <napi.h>

#include <functional>
#include <memory>
#include <set>
#include <string>

#include "program/lane.h"

namespace dyconv {

// The jobs of one environment. They run in the order they were given, on the lane of the queue or on one that
// comes with the job. The process is kept alive only while a job is pending. When the environment ends, the
// running job is finished and waiting ones are dropped.
class JobQueue {
 public:
  // `lane`: of jobs that come without one.
  explicit JobQueue(const char* name, std::shared_ptr<Lane> lane = nullptr);
  JobQueue(const JobQueue&) = delete;
  JobQueue& operator=(const JobQueue&) = delete;
  ~JobQueue() { Stop(); }

  using Work = std::function<void()>;
  using Finish = std::function<Napi::Value(Napi::Env)>;

  struct Options {
    std::shared_ptr<Lane> lane;
    int64_t ticket = 0;  // names the job for Cancel()
    int threads = 0;     // on a pool lane: see Task
    bool retry = true;   // a second try, after a collection, of work that runs out of memory
  };

  // Runs `work` on a thread, under the caller's libtorch thread-local state (grad mode and others), and
  // returns a Promise for what `finish` makes of it on the JavaScript thread, in the tidy scope of the
  // caller. `work` owns copies of its tensors, never JS values. What either throws rejects the Promise;
  // `where` names the operation in that error, as does a thread that cannot be started. Work that may be
  // retried must be able to start again.
  Napi::Value Run(Napi::Env env, std::string where, Work work, Finish finish, Options options);
  Napi::Value Run(Napi::Env env, std::string where, Work work, Finish finish) {
    return Run(env, std::move(where), std::move(work), std::move(finish), Options{});
  }

  // Removes the job with this ticket from its lane: it never runs, and its Promise resolves to undefined.
  // False if it has started.
  bool Cancel(Napi::Env env, int64_t ticket);

  // Stops all lanes that jobs of the queue run on.
  void Stop();

 private:
  struct Job;
  static void Complete(Napi::Env env, Napi::Function, JobQueue* queue, Job* job);
  using ToJs = Napi::TypedThreadSafeFunction<JobQueue, Job, Complete>;

  void Start(Napi::Env env, const std::shared_ptr<Lane>& lane);
  void Done(Napi::Env env);

  const char* name_;
  std::shared_ptr<Lane> lane_;
  // Lanes of jobs, as long as they exist: a pending job keeps its lane.
  std::set<std::weak_ptr<Lane>, std::owner_less<std::weak_ptr<Lane>>> lanes_;
  ToJs to_js_;
  int64_t pending_ = 0;  // touched on the JavaScript thread only
};

}  // namespace dyconv
