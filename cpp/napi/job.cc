#include "napi/job.h"

#include <exception>
#include <utility>

#include <ATen/Parallel.h>
#include <ATen/ThreadLocalState.h>

#include "napi/addon_data.h"
#include "napi/collect.h"

namespace dyconv {

struct JobQueue::Job final : Task {
  Job(Napi::Env env, JobQueue& queue, std::string where, Work work, Finish finish, Options options)
      : queue(queue),
        where(std::move(where)),
        work(std::move(work)),
        finish(std::move(finish)),
        options(std::move(options)),
        scope(AddonData::Of(env).tensors.current_scope()),
        deferred(env) {
    threads = this->options.threads;
    budget = at::get_num_threads();
  }

  void Run(std::unique_ptr<Task> self) override {
    try {
      at::ThreadLocalStateGuard guard(state);
      work();
    } catch (const c10::OutOfMemoryError&) {
      failure = std::current_exception();
      out_of_memory = true;
    } catch (...) {
      failure = std::current_exception();
    }
    // A refused call means that the environment is closing: nobody waits for the promise any more.
    if (queue.to_js_.NonBlockingCall(this) == napi_ok) self.release();
  }

  void Reject(Napi::Env env) const { deferred.Reject(CurrentExceptionToJs(env, AddonData::Of(env), where)); }

  JobQueue& queue;
  std::string where;
  Work work;
  Finish finish;
  Options options;
  int64_t scope;
  at::ThreadLocalState state;
  Napi::Promise::Deferred deferred;
  std::exception_ptr failure;
  bool out_of_memory = false;
};

JobQueue::JobQueue(const char* name, std::shared_ptr<Lane> lane) : name_(name), lane_(std::move(lane)) {}

// Where it fails, the next call begins with what is missing.
void JobQueue::Start(Napi::Env env, const std::shared_ptr<Lane>& lane) {
  if (to_js_ == nullptr) {
    to_js_ = ToJs::New(env, name_, /*maxQueueSize=*/0, /*initialThreadCount=*/1, this);
    to_js_.Unref(env);
  }
  lane->Start();
  if (lanes_.contains(lane)) return;
  std::erase_if(lanes_, [](const auto& known) { return known.expired(); });
  lanes_.insert(lane);
}

Napi::Value JobQueue::Run(Napi::Env env, std::string where, Work work, Finish finish, Options options) {
  if (!options.lane) options.lane = lane_;
  const std::shared_ptr<Lane> lane = options.lane;
  auto job = std::make_unique<Job>(env, *this, std::move(where), std::move(work), std::move(finish),
                                   std::move(options));
  const Napi::Promise promise = job->deferred.Promise();
  try {
    Start(env, lane);
  } catch (...) {
    job->Reject(env);
    return promise;
  }
  if (pending_++ == 0) to_js_.Ref(env);
  lane->Push(std::move(job));
  return promise;
}

bool JobQueue::Cancel(Napi::Env env, int64_t ticket) {
  const auto wanted = [&](const Task& waiting) {
    return static_cast<const Job&>(waiting).options.ticket == ticket;
  };
  for (const auto& known : lanes_) {
    const std::shared_ptr<Lane> lane = known.lock();
    const std::unique_ptr<Task> task = lane == nullptr ? nullptr : lane->Take(wanted);
    if (task == nullptr) continue;
    Done(env);
    static_cast<const Job&>(*task).deferred.Resolve(env.Undefined());
    return true;
  }
  return false;
}

void JobQueue::Done(Napi::Env env) {
  if (--pending_ == 0) to_js_.Unref(env);
}

void JobQueue::Complete(Napi::Env env, Napi::Function, JobQueue* queue, Job* pointer) {
  std::unique_ptr<Job> job(pointer);
  if (env == nullptr) return;
  AddonData& data = AddonData::Of(env);
  if (job->out_of_memory && std::exchange(job->options.retry, false)) {
    CollectAll(env, data);
    job->failure = nullptr;
    job->out_of_memory = false;
    Lane& lane = *job->options.lane;
    lane.Push(std::move(job));
    return;
  }
  queue->Done(env);
  const int64_t scope = data.tensors.current_scope();
  data.tensors.EnterScope(job->scope);
  try {
    if (job->failure) std::rethrow_exception(job->failure);
    job->deferred.Resolve(job->finish(env));
  } catch (...) {
    job->Reject(env);
  }
  data.tensors.EnterScope(scope);
}

void JobQueue::Stop() {
  for (const auto& known : lanes_) {
    if (const std::shared_ptr<Lane> lane = known.lock()) lane->Stop();
  }
}

}  // namespace dyconv
