#include "napi/job.h"

#include <exception>
#include <system_error>

#include <ATen/ThreadLocalState.h>

#include "napi/addon_data.h"
#include "napi/collect.h"

namespace dyconv {

struct JobQueue::Job {
  std::string where;
  Work work;
  Finish finish;
  at::ThreadLocalState state;
  napi_deferred deferred = nullptr;
  std::exception_ptr failure;
  bool out_of_memory = false;
  bool tried_again = false;
};

JobQueue::JobQueue(const char* name) : name_(name) {}

JobQueue::~JobQueue() { Stop(); }

// Where it fails, the next call begins with what is missing.
void JobQueue::Start(napi_env env) {
  if (thread_.joinable()) return;
  if (to_js_ == nullptr) {
    napi_value name;
    Check(env, napi_create_string_utf8(env, name_, NAPI_AUTO_LENGTH, &name), "napi_create_string_utf8");
    napi_threadsafe_function to_js;
    Check(env,
          napi_create_threadsafe_function(env, nullptr, nullptr, name, 0, 1, nullptr, nullptr, this, Complete,
                                          &to_js),
          "napi_create_threadsafe_function");
    to_js_ = to_js;
    Check(env, napi_unref_threadsafe_function(env, to_js_), "napi_unref_threadsafe_function");
  }
  try {
    thread_ = std::thread([this] { Loop(); });
  } catch (const std::system_error& error) {
    Fail(ErrorKind::kNative, "The thread '", name_, "' could not be started: ", error.what());
  }
}

napi_value JobQueue::Run(napi_env env, std::string where, Work work, Finish finish) {
  auto job = std::make_unique<Job>(Job{std::move(where), std::move(work), std::move(finish),
                                       at::ThreadLocalState(), nullptr, nullptr, false, false});
  napi_value promise;
  Check(env, napi_create_promise(env, &job->deferred, &promise), "napi_create_promise");
  try {
    Start(env);
  } catch (...) {
    napi_reject_deferred(env, job->deferred, CurrentExceptionToJs(env, AddonData::Of(env), job->where));
    return promise;
  }
  if (pending_++ == 0) napi_ref_threadsafe_function(env, to_js_);
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
    if (napi_call_threadsafe_function(to_js_, job.get(), napi_tsfn_nonblocking) == napi_ok) job.release();
  }
}

void JobQueue::Complete(napi_env env, napi_value, void* context, void* data) {
  std::unique_ptr<Job> job(static_cast<Job*>(data));
  auto* queue = static_cast<JobQueue*>(context);
  if (env == nullptr) return;
  if (job->out_of_memory && !job->tried_again) {
    CollectAll(env, AddonData::Of(env));
    job->failure = nullptr;
    job->out_of_memory = false;
    job->tried_again = true;
    queue->Push(std::move(job));
    return;
  }
  if (--queue->pending_ == 0) napi_unref_threadsafe_function(env, queue->to_js_);
  try {
    if (job->failure) std::rethrow_exception(job->failure);
    napi_resolve_deferred(env, job->deferred, job->finish(env));
  } catch (...) {
    napi_reject_deferred(env, job->deferred, CurrentExceptionToJs(env, AddonData::Of(env), job->where));
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
