// A graph made ready to run: on any thread, several runs at once, without JavaScript.
#pragma once

#include <list>
#include <memory>
#include <mutex>
#include <unordered_set>
#include <vector>

#include "ops/memory/arena.h"
#include "program/graph.h"
#include "program/runner.h"

namespace dyconv {

struct ProgramOptions {
  bool bfloat16 = false;  // weights and inputs in bfloat16, outputs in float32
  bool optimize = true;   // passes that merge steps
};

// The time of one step of a run, in microseconds.
struct StepTime {
  int64_t step;  // of the graph
  double start;  // since the start of the run
  double duration;
};

class Program final : public Runner {
 public:
  // Throws a TypedError for a graph that cannot run.
  Program(Graph source, const ProgramOptions& options);

  // Where the rows of a batch are independent of each other, each thread computes a part of them from the
  // first step to the last: the values of a few rows stay in its caches, and threads wait for each other
  // once.
  Value Run(const std::vector<Value>& inputs) override { return RunTimed(inputs, nullptr); }
  // Where `times` is not null: notes the time of every step, all threads sharing each.
  Value RunTimed(const std::vector<Value>& inputs, std::vector<StepTime>* times);

  // What was recorded or loaded, before the passes: what files hold.
  const Graph& source() const { return source_; }
  // What runs. Steps that depend on parameters alone run once, and again after those have changed.
  const Graph& graph() const { return graph_; }
  const ProgramOptions& options() const { return options_; }
  bool HasIndependentRows() const { return independent_rows_; }
  // In how many parts a batch runs best, each on one of the threads. Their results are those of the whole
  // batch.
  int64_t PartsOf(int64_t batch, int64_t threads) const;
  bool RunsOnce(size_t step) const { return runs_once_.at(step); }

  // Computes what depends on parameters alone anew in the next run, whether they seem to have changed or not.
  void Refresh();

 private:
  struct Ready {
    StepCall call;
    std::vector<int64_t> results;   // places in the frame, -1 for one that nobody uses
    std::vector<int64_t> released;  // places whose last use this is
    size_t step;                    // of the graph
  };
  // Parameters, constants and what was computed from them, as they were at some moment.
  struct Fixed {
    Tensors tensors;
    std::vector<std::pair<const void*, int64_t>> versions;  // of parameters and constants: storage, version
    std::unordered_set<const void*> storages;
  };

  void CountBytes();
  void Prepare();
  void Place();
  List Placed(const List& arguments) const;
  Value Placed(Value value) const;
  void CheckInputs(const std::vector<Value>& inputs, Tensors& values, int64_t& batch) const;
  std::shared_ptr<const Fixed> CurrentFixed();
  std::shared_ptr<const Fixed> MakeFixed() const;
  // The memory plan of runs with this batch size and number of threads; the last few used ones are kept.
  std::shared_ptr<Arena> ArenaFor(int64_t batch);
  Value Output(const Tensors& values, const Fixed& fixed, int64_t batch) const;
  // Runs a step. Its errors name the operation, the parameter that it reads, and the line that called it.
  void Call(const Ready& step, const Frame& frame, Tensors& results) const;
  std::string NameOf(const Ready& ready) const;
  // `values`: the inputs, at their places. `into`: where the tensors of the output are copied to, in their
  // order; null to return the output.
  Value RunSteps(Tensors& values, const Fixed& fixed, int64_t batch, std::vector<StepTime>* times,
                 const Tensors* into);
  Value RunParts(const Tensors& values, const Fixed& fixed, int64_t batch, int64_t parts);

  const Graph source_;
  const ProgramOptions options_;
  Graph graph_;
  bool independent_rows_ = false;
  int64_t bytes_of_sample_ = 0;  // what the steps write for one row of the batch
  int64_t bytes_of_parameters_ = 0;
  std::vector<bool> runs_once_;  // by step
  std::vector<int64_t> places_;  // by slot, as Frame numbers them
  std::vector<int64_t> shared_;  // slots of parameters and constants, in the order of their places
  int64_t value_count_ = 0, fixed_count_ = 0;
  std::vector<Ready> once_, steps_;
  Value output_;
  std::mutex mutex_;
  std::shared_ptr<const Fixed> fixed_;
  std::list<std::pair<std::pair<int64_t, int>, std::shared_ptr<Arena>>> arenas_;  // last used first
};

}  // namespace dyconv
