// A backend of c10d that compares the calls of all processes before it makes them, and whose failures say who
// caused them. All calls of a group go through it, those of the Reducer too.
#pragma once

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include <torch/csrc/distributed/c10d/Backend.hpp>

#include "distributed/call_log.h"
#include "distributed/health.h"

namespace dyconv {

// Makes a DistributedFailure of an error of a call; a TypedError stays what it is.
using Explain = std::function<std::exception_ptr(const std::exception_ptr&, const GroupCall&)>;

class WatchedBackend final : public c10d::Backend {
 public:
  using WorkPtr = c10::intrusive_ptr<c10d::Work>;
  using Tensors = std::vector<at::Tensor>;

  // `compare`: whether to compare the calls. gloo ends a process that gets more bytes than it expects, so it
  // is left out only where processes of Python take part, which do not.
  WatchedBackend(c10::intrusive_ptr<c10d::Backend> backend, std::string group, std::vector<int> ranks,
                 bool compare, Health& health, Explain explain);
  // Waits until the connections have ended, unless calls are in progress: those end with the process, or when
  // their timeout has passed.
  ~WatchedBackend() override;

  // The last calls of this process.
  std::vector<LoggedCall> Calls() const;

  const std::string getBackendName() const override { return backend_->getBackendName(); }
  void setSequenceNumberForGroup() override { backend_->setSequenceNumberForGroup(); }
  uint64_t getSequenceNumberForGroup() override { return backend_->getSequenceNumberForGroup(); }
  void setTimeout(std::chrono::milliseconds timeout) override { backend_->setTimeout(timeout); }

  WorkPtr broadcast(Tensors& tensors, const c10d::BroadcastOptions& options) override;
  WorkPtr allreduce(Tensors& tensors, const c10d::AllreduceOptions& options) override;
  WorkPtr reduce(Tensors& tensors, const c10d::ReduceOptions& options) override;
  WorkPtr allgather(std::vector<Tensors>& outputs, Tensors& inputs,
                    const c10d::AllgatherOptions& options) override;
  WorkPtr gather(std::vector<Tensors>& outputs, Tensors& inputs, const c10d::GatherOptions& options) override;
  WorkPtr scatter(Tensors& outputs, std::vector<Tensors>& inputs,
                  const c10d::ScatterOptions& options) override;
  WorkPtr reduce_scatter(Tensors& outputs, std::vector<Tensors>& inputs,
                         const c10d::ReduceScatterOptions& options) override;
  WorkPtr alltoall_base(at::Tensor& output, at::Tensor& input, std::vector<int64_t>& output_counts,
                        std::vector<int64_t>& input_counts, const c10d::AllToAllOptions& options) override;
  WorkPtr barrier(const c10d::BarrierOptions& options) override;
  // Not collective: their works fail with the errors of the backend.
  WorkPtr send(Tensors& tensors, int to, int tag) override { return backend_->send(tensors, to, tag); }
  WorkPtr recv(Tensors& tensors, int from, int tag) override { return backend_->recv(tensors, from, tag); }
  WorkPtr recvAnysource(Tensors& tensors, int tag) override { return backend_->recvAnysource(tensors, tag); }

 private:
  // A collective call that waits for its turn.
  struct Pending;
  struct State;
  using Start = std::function<c10::intrusive_ptr<c10::ivalue::Future>(c10d::Backend&)>;

  // `detail`: the root or the reduction, which must agree too.
  WorkPtr Watch(const char* name, const Tensors& tensors, int64_t detail, Start start);
  static void Loop(const std::shared_ptr<State>& state);
  static void Make(const std::shared_ptr<State>& state, Pending& call);

  c10::intrusive_ptr<c10d::Backend> backend_;
  std::shared_ptr<State> state_;
};

}  // namespace dyconv
