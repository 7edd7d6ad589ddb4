// Records what a forward written in JavaScript computes: every call of an operation between Begin and Finish
// becomes a step of a graph. One recorder for an environment and a compilation; napi/bind.h tells it of the
// calls.
#pragma once

#include <functional>
#include <string>
#include <unordered_map>
#include <unordered_set>
#include <utility>
#include <vector>

#include "program/graph.h"

namespace dyconv {

class Recorder {
 public:
  // `locate` gives the line of JavaScript that is running, such as "net.js:12:5"; empty if it is unknown.
  explicit Recorder(std::function<std::string()> locate) : locate_(std::move(locate)) {}

  // A parameter or buffer of the module. Before the first Begin.
  void AddParameter(const std::string& name, const at::Tensor& tensor);

  // Calls from here on are recorded.
  void Begin(const Tensors& inputs);
  // Ends the recording with what the forward returned.
  void Finish(const Value& output);
  // The recordings so far, in order; the recorder is empty then.
  std::vector<Graph> Take() { return std::exchange(recordings_, {}); }

 private:
  friend class RecordedCall;

  [[noreturn]] void Refuse(const char* signature, const std::string& problem) const;
  int64_t Add(SlotInfo::Kind kind, const at::Tensor& tensor, const std::string& name = "");
  // The slot of a tensor; one that is none yet existed before the recording: a constant.
  int64_t SlotOf(const at::Tensor& tensor);
  Value WithSlots(Value value);
  // Whether it was computed from the inputs, or is one.
  bool Varies(const at::Tensor& tensor) const;
  void Mutated(const char* signature, const at::Tensor& tensor);
  void AddStep(const char* signature, List arguments, const Tensors& results,
               const std::unordered_set<const void*>& mutated);

  std::function<std::string()> locate_;
  std::vector<std::pair<std::string, at::Tensor>> parameters_;
  std::vector<Graph> recordings_;
  Graph graph_;
  Tensors tensors_;                                 // by slot: what is alive keeps its address
  std::unordered_map<const void*, int64_t> slots_;  // by the address of the tensor
  std::unordered_set<const void*> changed_;         // storages that were written to
  std::unordered_set<int64_t> sized_by_values_;     // slots whose shape depends on values
};

// One call while a recorder is at work: made before the operation runs, finished after it.
class RecordedCall {
 public:
  enum class Kind {
    kOperation,  // gives tensors and can be called again
    kQuery,      // gives no tensor
    kOpaque,     // uses JavaScript values, and cannot be called again
  };

  // `arguments` are those that are values of a program. Throws a TypedError for a call that a program cannot
  // hold.
  RecordedCall(Recorder& recorder, const char* signature, Kind kind, List arguments);
  // Throws a TypedError where it changed what programs share, or drew random numbers.
  void Finish(const Tensors& results);

 private:
  Recorder& recorder_;
  const char* signature_;
  Kind kind_;
  List arguments_;
  Tensors tensors_;  // of the arguments
  std::vector<int64_t> versions_;
  at::Tensor generator_;
};

}  // namespace dyconv
