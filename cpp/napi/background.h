// Operations deferred to a native thread: background(fn) of lib/tensor/background.ts.
//
// While `fn` runs, an operation that gives tensors is noted with its converted arguments, not computed.
// JavaScript gets the objects of its results at once; they hold placeholders, which later operations of this
// and of later blocks take as arguments. When `fn` has returned, all that was noted runs in order on the
// environment's compute thread, each step with the modes (grad, autocast) of its call; then the objects get
// their tensors. An operation whose result JavaScript needs at once is refused where it depends on something
// noted. Until the block is done, other operations may read the tensors that it uses, unless it may change
// them. deferral.h has the part that depends on the types of an operation.
#pragma once

#include <array>
#include <functional>
#include <memory>
#include <string>
#include <unordered_map>
#include <utility>
#include <vector>

#include <napi.h>

#include <ATen/core/Tensor.h>
#include <ATen/ThreadLocalState.h>

namespace dyconv {

struct AddonData;
struct Argument;
struct Call;
struct TensorHandle;

// A result that is not computed yet.
struct PendingTensor {
  TensorHandle* handle = nullptr;  // of the JavaScript object; null once that is gone or disposed
  at::Tensor placeholder;
  at::Tensor result;  // of the compute thread until the block is done
};

// The tensors that blocks under way use: how often each storage is read and may be written.
class TensorsInUse {
 public:
  struct Use {
    int reads = 0;
    int writes = 0;
  };
  Use Of(const c10::StorageImpl* storage) const;
  void Add(const c10::Storage& storage, bool write, int count);

  template <class F>
  void ForEach(const F& visit) const {
    for (const auto& [impl, entry] : uses_) visit(entry.first);
  }

 private:
  std::unordered_map<const c10::StorageImpl*, std::pair<c10::Storage, Use>> uses_;
};

// What an environment keeps for its blocks.
class Background {
 public:
  // The blocks under way, an open one included. While it is 0, nothing has to be checked.
  int64_t blocks() const { return blocks_; }
  // Whether `fn` of a block is running.
  bool open() const { return open_ != nullptr; }

  void Open();
  // Leaves the open block undone: its objects are disposed.
  void Abandon(AddonData& data);
  // Ends the open block and runs it. The Promise resolves when all objects have their tensors.
  Napi::Value Close(Call& call);

  // Notes a call of the open block; `run` computes it, and gives its results to their PendingTensors.
  void Note(const Call& call, const std::vector<at::Tensor>& arguments, std::function<void()> run);
  // A JavaScript object for a result.
  Napi::Value AddResult(const Call& call, const std::shared_ptr<PendingTensor>& pending);
  // The pending result of a placeholder; null for an ordinary tensor.
  std::shared_ptr<PendingTensor> FindPending(const at::Tensor& tensor) const;

  // Throws a TypedError for a tensor that is not computed yet, or that a block under way uses in a way that
  // the operation must not meet. `name` is the argument's.
  void CheckAvailable(const Call& call, const std::string& name, const at::Tensor& tensor) const;

 private:
  struct Step {
    std::string where;  // the operation's public name
    at::ThreadLocalState state;
    std::array<at::ScalarType, 2> autocast;  // dtypes for CPU and CUDA
    std::function<void()> run;
  };
  struct Block {
    std::vector<Step> steps;
    std::vector<std::shared_ptr<PendingTensor>> results;
    std::vector<std::pair<c10::Storage, bool>> uses;  // and whether the block may write to it
    std::exception_ptr failure;
    std::string failed_at;  // the operation that failed

    void Run();
  };

  void Use(const c10::Storage& storage, bool write);
  void UseGradients(const at::Tensor& loss);
  void Finish(AddonData& data, Block& block, bool computed);

  std::unique_ptr<Block> open_;
  int64_t blocks_ = 0;
  TensorsInUse in_use_;
  std::unordered_map<const c10::TensorImpl*, std::shared_ptr<PendingTensor>> pending_;  // by placeholder
};

// Whether an operation may change its arguments, going by its name.
bool MayWrite(const Call& call);

}  // namespace dyconv
