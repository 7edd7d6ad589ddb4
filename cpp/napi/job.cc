#include "napi/job.h"

#include <exception>
#include <system_error>

#include <ATen/ThreadLocalState.h>

#include "napi/addon_data.h"
#include "napi/collect.h"

namespace dyconv {

struct JobQueue::Job {
  Job(Napi::Env env, std::string where, Work work, Finish finish)
      : where(std::move(where)), work(std::move(work)), finish(std::move(finish)), deferred(env) {}

  void Reject(Napi::Env env) const { deferred.Reject(CurrentExceptionToJs(env, AddonData::Of(env), where)); }

  std::string where;
  Work work;
  Finish finish;
  at::ThreadLocalState state;
  Napi::Promise::Deferred deferred;
  std::exception_ptr failure;
  bool out_of_memory = false;
  bool tried_again = false;
};

JobQueue::JobQueue(const char* name) : name_(name) {}

JobQueue::~JobQueue() { Stop(); }

// Where it fails, the next call begins with what is missing.
void JobQueue::Start(Napi::Env env) {
  if (thread_.joinable()) return;
  if (to_js_ == nullptr) {
    to_js_ = ToJs::New(env, name_, /*maxQueueSize=*/0, /*initialThreadCount=*/1, this);
    to_js_.Unref(env);
  }
  try {
    thread_ = std::thread([this] { Loop(); });
  } catch (const std::system_error& error) {
    Fail(ErrorKind::kNative, "The thread '", name_, "' could not be started: ", error.what());
  }
}

Napi::Value JobQueue::Run(Napi::Env env, std::string where, Work work, Finish finish) {
  auto job = std::make_unique<Job>(env, std::move(where), std::move(work), std::move(finish));
  const Napi::Promise promise = job->deferred.Promise();
  try {
    Start(env);
  } catch (...) {
    job->Reject(env);
    return promise;
  }
  if (pending_++ == 0) to_js_.Ref(env);
  Push(std::move(job));
  return promise;
}

void JobQueue::Push(std::unique_ptr<Job> job) {
  {
    std::lock_guard lock(mutex_);
    jobs_.push_back(std::move(job));
  }
  wake_.notify_one();
}

void JobQueue::Loop() {
  for (;;) {
    std::unique_ptr<Job> job;
    {
      std::unique_lock lock(mutex_);
      wake_.wait(lock, [this] { return stopping_ || !jobs_.empty(); });
      if (stopping_) return;
      job = std::move(jobs_.front());
      jobs_.pop_front();
    }
    try {
      at::ThreadLocalStateGuard guard(job->state);
      job->work();
    } catch (const c10::OutOfMemoryError&) {
      job->failure = std::current_exception();
      job->out_of_memory = true;
    } catch (...) {
      job->failure = std::current_exception();
    }
    // A refused call means that the environment is closing: nobody waits for the promise any more.
    if (to_js_.NonBlockingCall(job.get()) == napi_ok) job.release();
  }
}

void JobQueue::Complete(Napi::Env env, Napi::Function, JobQueue* queue, Job* pointer) {
  std::unique_ptr<Job> job(pointer);
  if (env == nullptr) return;
  if (job->out_of_memory && !job->tried_again) {
    CollectAll(env, AddonData::Of(env));
    job->failure = nullptr;
    job->out_of_memory = false;
    job->tried_again = true;
    queue->Push(std::move(job));
    return;
  }
  if (--queue->pending_ == 0) queue->to_js_.Unref(env);
  try {
    if (job->failure) std::rethrow_exception(job->failure);
    job->deferred.Resolve(job->finish(env));
  } catch (...) {
    job->Reject(env);
  }
}

void JobQueue::Stop() {
  {
    std::lock_guard lock(mutex_);
    stopping_ = true;
    jobs_.clear();
  }
  wake_.notify_one();
  if (thread_.joinable()) thread_.join();
}

}  // namespace dyconv
