#include "distributed/watched_backend.h"

#include <algorithm>
#include <array>
#include <condition_variable>
#include <deque>
#include <mutex>
#include <thread>
#include <utility>

#include <ATen/ATen.h>
#include <ATen/core/ivalue.h>

#include "dtype_name.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using at::Tensor;

// A work that is a future: its error is thrown by wait(), which those of libtorch's create_from_future()
// drop.
class WatchedWork final : public c10d::Work {
 public:
  explicit WatchedWork(c10::intrusive_ptr<c10::ivalue::Future> future) : future_(std::move(future)) {}

  bool isCompleted() override { return future_->completed(); }
  bool isSuccess() const override { return future_->completed() && !future_->hasError(); }
  std::exception_ptr exception() const override { return future_->exception_ptr(); }
  // The backend has its own timeout, that of the group.
  bool wait(std::chrono::milliseconds) override {
    future_->waitAndThrow();
    return true;
  }
  std::vector<Tensor> result() override { return future_->value().toTensorVector(); }
  c10::intrusive_ptr<c10::ivalue::Future> getFuture() override { return future_; }

 private:
  c10::intrusive_ptr<c10::ivalue::Future> future_;
};

// What all processes must agree on in a call: the operation, its root or reduction, dtype and number of
// elements.
constexpr size_t kPrintLength = 4;
using Print = std::array<int64_t, kPrintLength>;
constexpr int64_t kReductions = 16;  // more than there are
constexpr std::array kOperations{"broadcast", "allReduce", "reduce",        "allGather", "gather",
                                 "scatter",   "allToAll",  "reduceScatter", "barrier"};

Print PrintOf(const std::string& name, const std::vector<Tensor>& tensors, int64_t detail) {
  const auto found = std::find(kOperations.begin(), kOperations.end(), name);
  Print print{found - kOperations.begin(), detail, -1, 0};
  if (!tensors.empty()) print[2] = static_cast<int64_t>(tensors[0].scalar_type());
  for (const Tensor& tensor : tensors) print[3] += tensor.numel();
  return print;
}

std::string TextOf(const Print& print) {
  std::string text = kOperations.at(static_cast<size_t>(print[0]));
  if (print[2] < 0) return text;
  return text + "(" + DTypeName(static_cast<at::ScalarType>(print[2])) + "[" + std::to_string(print[3]) +
         "])";
}

// Throws a DistributedFailure if another process makes another call. All processes do so, with the same
// ranks.
void ComparePrints(c10d::Backend& backend, const std::vector<int>& ranks, const GroupCall& call,
                   const Print& own) {
  std::vector<Tensor> sent{at::empty({static_cast<int64_t>(kPrintLength)}, at::kLong)};
  std::copy(own.begin(), own.end(), sent[0].mutable_data_ptr<int64_t>());
  std::vector<std::vector<Tensor>> all(1);
  for (size_t i = 0; i < ranks.size(); ++i) all[0].push_back(at::empty_like(sent[0]));
  backend.allgather(all, sent, {})->wait();
  std::vector<Print> prints(ranks.size());
  for (size_t i = 0; i < ranks.size(); ++i)
    std::copy_n(all[0][i].const_data_ptr<int64_t>(), kPrintLength, prints[i].begin());
  // Those that differ from the first process of the group.
  std::vector<int> different;
  std::string text;
  for (size_t i = 1; i < ranks.size(); ++i) {
    if (prints[i] == prints[0]) continue;
    different.push_back(ranks[i]);
    text += "; rank " + std::to_string(ranks[i]) + " called " + TextOf(prints[i]) +
            (prints[i][1] == prints[0][1] ? "" : " with another root or reduction");
  }
  if (different.empty()) return;
  throw DistributedFailure(call.text + " failed because the processes make different calls: rank " +
                               std::to_string(ranks[0]) + " called " + TextOf(prints[0]) + text,
                           "mismatch", std::move(different));
}

void Combine(const Tensor& result, const Tensor& other, c10d::ReduceOp::RedOpType op) {
  switch (op) {
    case c10d::ReduceOp::SUM:
      result.add_(other);
      break;
    case c10d::ReduceOp::PRODUCT:
      result.mul_(other);
      break;
    case c10d::ReduceOp::MIN:
      result.copy_(at::minimum(result, other));
      break;
    case c10d::ReduceOp::MAX:
      result.copy_(at::maximum(result, other));
      break;
    case c10d::ReduceOp::BAND:
      result.bitwise_and_(other);
      break;
    case c10d::ReduceOp::BOR:
      result.bitwise_or_(other);
      break;
    case c10d::ReduceOp::BXOR:
      result.bitwise_xor_(other);
      break;
    default:
      Fail(ErrorKind::kArgument, "Expected an operation that gloo has for op");
  }
}

}  // namespace

struct WatchedBackend::Pending {
  GroupCall call;
  Print print;  // what all processes must agree on
  CallLog::Entry logged;
  Start start;
  c10::intrusive_ptr<c10::ivalue::Future> outer;
};

// Shared with the thread that makes the calls and with calls in progress, which may outlive the backend.
struct WatchedBackend::State {
  c10::intrusive_ptr<c10d::Backend> backend;
  std::string group;
  std::vector<int> ranks;
  bool compare = true;
  Health* health = nullptr;  // that of the World, which `explain` holds
  Explain explain;
  CallLog log;

  std::mutex mutex;  // of the rest
  std::condition_variable changed;
  std::deque<Pending> waiting;
  int unfinished = 0;
  bool stopping = false;
  bool ended = false;

  void Finish() {
    std::lock_guard lock(mutex);
    --unfinished;
  }
};

WatchedBackend::WatchedBackend(c10::intrusive_ptr<c10d::Backend> backend, std::string group,
                               std::vector<int> ranks, bool compare, Health& health, Explain explain)
    : Backend(backend->getRank(), backend->getSize()),
      backend_(std::move(backend)),
      state_(std::make_shared<State>()) {
  state_->backend = backend_;
  state_->group = std::move(group);
  state_->ranks = std::move(ranks);
  state_->compare = compare;
  state_->health = &health;
  state_->explain = std::move(explain);
  std::thread([state = state_] { Loop(state); }).detach();
}

WatchedBackend::~WatchedBackend() {
  backend_.reset();
  std::unique_lock lock(state_->mutex);
  state_->stopping = true;
  state_->changed.notify_all();
  if (state_->unfinished == 0) state_->changed.wait(lock, [this] { return state_->ended; });
}

std::vector<LoggedCall> WatchedBackend::Calls() const { return state_->log.Calls(); }

void WatchedBackend::Loop(const std::shared_ptr<State>& state) {
  std::unique_lock lock(state->mutex);
  for (;;) {
    state->changed.wait(lock, [&] { return state->stopping || !state->waiting.empty(); });
    if (state->waiting.empty()) break;
    Pending call = std::move(state->waiting.front());
    state->waiting.pop_front();
    lock.unlock();
    try {
      Make(state, call);
    } catch (const std::exception&) {
      state->log.End(call.logged, /*failed=*/true);
      call.outer->setError(state->explain(std::current_exception(), call.call));
      state->Finish();
    }
    lock.lock();
  }
  // Waits for gloo's threads: with calls in progress, up to the timeout.
  lock.unlock();
  state->backend.reset();
  lock.lock();
  state->ended = true;
  state->changed.notify_all();
}

// Compares a call with those of the other processes, and begins it. Throws if it cannot.
void WatchedBackend::Make(const std::shared_ptr<State>& state, Pending& call) {
  if (state->compare) ComparePrints(*state->backend, state->ranks, call.call, call.print);
  state->log.Begin(call.logged);
  const auto inner = call.start(*state->backend);
  inner->addCallback(
      [outer = call.outer, of = call.call, logged = call.logged, state](c10::ivalue::Future& ended) {
        state->log.End(logged, ended.hasError());
        if (ended.hasError()) {
          outer->setError(state->explain(ended.exception_ptr(), of));
        } else {
          outer->markCompleted(ended.value());
        }
        state->Finish();
      });
}

WatchedBackend::WorkPtr WatchedBackend::Watch(const char* name, const Tensors& tensors, int64_t detail,
                                              Start start) {
  const Print print = PrintOf(name, tensors, detail);
  const GroupCall made = state_->health->Begin(state_->group, TextOf(print));
  const Pending call{
      .call = made,
      .print = print,
      .logged = state_->log.Add({.number = made.number,
                                 .operation = name,
                                 .dtype = tensors.empty() ? "" : DTypeName(tensors[0].scalar_type()),
                                 .elements = print[3]}),
      .start = std::move(start),
      .outer = c10::make_intrusive<c10::ivalue::Future>(c10::ListType::create(c10::TensorType::get())),
  };
  {
    std::lock_guard lock(state_->mutex);
    ++state_->unfinished;
    state_->waiting.push_back(call);
  }
  state_->changed.notify_all();
  return c10::make_intrusive<WatchedWork>(call.outer);
}

WatchedBackend::WorkPtr WatchedBackend::broadcast(Tensors& tensors, const c10d::BroadcastOptions& options) {
  return Watch("broadcast", tensors, options.rootRank, [tensors, options](c10d::Backend& backend) mutable {
    return backend.broadcast(tensors, options)->getFuture();
  });
}

WatchedBackend::WorkPtr WatchedBackend::allreduce(Tensors& tensors, const c10d::AllreduceOptions& options) {
  return Watch("allReduce", tensors, options.reduceOp.op_,
               [tensors, options](c10d::Backend& backend) mutable {
                 return backend.allreduce(tensors, options)->getFuture();
               });
}

WatchedBackend::WorkPtr WatchedBackend::reduce(Tensors& tensors, const c10d::ReduceOptions& options) {
  return Watch("reduce", tensors, options.rootRank * kReductions + options.reduceOp.op_,
               [tensors, options](c10d::Backend& backend) mutable {
                 return backend.reduce(tensors, options)->getFuture();
               });
}

WatchedBackend::WorkPtr WatchedBackend::allgather(std::vector<Tensors>& outputs, Tensors& inputs,
                                                  const c10d::AllgatherOptions& options) {
  return Watch("allGather", inputs, 0, [outputs, inputs, options](c10d::Backend& backend) mutable {
    return backend.allgather(outputs, inputs, options)->getFuture();
  });
}

WatchedBackend::WorkPtr WatchedBackend::gather(std::vector<Tensors>& outputs, Tensors& inputs,
                                               const c10d::GatherOptions& options) {
  return Watch("gather", inputs, options.rootRank,
               [outputs, inputs, options](c10d::Backend& backend) mutable {
                 return backend.gather(outputs, inputs, options)->getFuture();
               });
}

WatchedBackend::WorkPtr WatchedBackend::scatter(Tensors& outputs, std::vector<Tensors>& inputs,
                                                const c10d::ScatterOptions& options) {
  return Watch("scatter", outputs, options.rootRank,
               [outputs, inputs, options](c10d::Backend& backend) mutable {
                 return backend.scatter(outputs, inputs, options)->getFuture();
               });
}

WatchedBackend::WorkPtr WatchedBackend::reduce_scatter(Tensors& outputs, std::vector<Tensors>& inputs,
                                                       const c10d::ReduceScatterOptions& options) {
  // gloo's own gives no future. Each process sends every other its part, and combines those that it gets in
  // the order of the ranks.
  const int64_t length = outputs[0].numel();
  const Tensor sent = at::empty({getSize(), length}, outputs[0].options()), received = at::empty_like(sent);
  for (int i = 0; i < getSize(); ++i) sent[i].copy_(inputs[0][static_cast<size_t>(i)].detach().view(length));
  const auto start = [sent, received, output = outputs[0],
                      op = options.reduceOp.op_](c10d::Backend& backend) {
    std::vector<int64_t> equal;
    Tensor out = received, in = sent;
    return backend.alltoall_base(out, in, equal, equal, {})
        ->getFuture()
        ->then(
            [sent, received, output, op](c10::ivalue::Future& ended) {
              ended.value();  // throws its error
              const Tensor result = output.view(-1);
              result.copy_(received[0]);
              for (int64_t i = 1; i < received.size(0); ++i) Combine(result, received[i], op);
              return c10::IValue(std::vector<Tensor>{output});
            },
            c10::ListType::create(c10::TensorType::get()));
  };
  return Watch("reduceScatter", outputs, options.reduceOp.op_, start);
}

WatchedBackend::WorkPtr WatchedBackend::alltoall_base(Tensor& output, Tensor& input,
                                                      std::vector<int64_t>& output_counts,
                                                      std::vector<int64_t>& input_counts,
                                                      const c10d::AllToAllOptions& options) {
  return Watch(
      "allToAll", {input}, 0,
      [output, input, output_counts, input_counts, options](c10d::Backend& backend) mutable {
        return backend.alltoall_base(output, input, output_counts, input_counts, options)->getFuture();
      });
}

WatchedBackend::WorkPtr WatchedBackend::barrier(const c10d::BarrierOptions& options) {
  return Watch("barrier", {}, 0,
               [options](c10d::Backend& backend) { return backend.barrier(options)->getFuture(); });
}

}  // namespace dyconv
