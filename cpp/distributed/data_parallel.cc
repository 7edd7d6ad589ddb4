#include "distributed/data_parallel.h"

#include <algorithm>
#include <limits>
#include <regex>
#include <unordered_map>
#include <utility>

#include <torch/csrc/distributed/c10d/reducer.hpp>

#include "typed_error.h"

namespace dyconv {
namespace {

using at::Tensor;
using ProcessGroupPtr = c10::intrusive_ptr<c10d::ProcessGroup>;

constexpr size_t kBroadcastBytes = size_t{250} << 20;  // as in PyTorch

// Sends the gradients of a bucket as bfloat16.
class CompressHook final : public c10d::CppCommHookInterface<ProcessGroupPtr> {
 public:
  using CppCommHookInterface::CppCommHookInterface;

  c10::intrusive_ptr<c10::ivalue::Future> runHook(c10d::GradBucket& bucket) override {
    Tensor gradients = bucket.getBufferRef();
    // Divided first: the sum of bfloat16 values is not larger than one of them.
    std::vector<Tensor> sent{gradients.div(state_->getSize()).to(at::kBFloat16)};
    const auto future = state_->allreduce(sent)->getFuture();
    return future->then(
        [gradients, summed = sent[0]](c10::ivalue::Future& ended) -> c10::IValue {
          ended.value();  // throws its error
          gradients.copy_(summed);
          return std::vector<Tensor>{gradients};
        },
        future->elementType());
  }
};

// Gives the error of a comparison of models its class, and the rank that it names.
[[noreturn]] void RethrowMismatch() {
  try {
    throw;
  } catch (const TypedError&) {
    throw;
  } catch (const c10::Error& error) {
    std::string said = error.what_without_backtrace();
    said = said.substr(0, said.find('\n'));
    if (said.find("DDP expects same model") == std::string::npos &&
        said.find("appears not to match") == std::string::npos)
      throw;
    std::vector<int> ranks;
    std::smatch found;
    if (std::regex_search(said, found, std::regex("rank (\\d+) has inconsistent|\\[(\\d+)\\]: params")))
      ranks.push_back(std::stoi(found[1].matched ? found[1].str() : found[2].str()));
    throw DistributedFailure("The processes of the group train different models: " + said, "mismatch", ranks);
  }
}

}  // namespace

DataParallel::DataParallel(std::shared_ptr<Group> group, const std::vector<Tensor>& parameters,
                           const std::vector<std::string>& names, const DataParallelOptions& options)
    : group_(std::move(group)) {
  const ProcessGroupPtr processes = group_->process_group();
  try {
    c10d::verify_params_across_processes(processes, parameters, std::nullopt);
  } catch (const std::exception&) {
    RethrowMismatch();
  }
  const int64_t first =
      options.default_buckets ? int64_t{c10d::kDefaultFirstBucketBytes} : options.bucket_bytes;
  // One bucket for the first pass, after which the Reducer makes others in the order in which the gradients
  // came: unless it looks for unused parameters, when that order is unknown.
  std::vector<size_t> limits{std::numeric_limits<size_t>::max()};
  if (options.find_unused) {
    limits.assign(1, static_cast<size_t>(options.bucket_bytes));
    if (first < options.bucket_bytes) limits.insert(limits.begin(), static_cast<size_t>(first));
  }
  const std::vector<bool> sparse(parameters.size(), false);
  auto buckets = std::get<0>(c10d::compute_bucket_assignment_by_size(parameters, limits, sparse));
  // The gradients of the last parameters come first.
  std::reverse(buckets.begin(), buckets.end());
  std::unordered_map<size_t, std::string> by_index;
  for (size_t i = 0; i < names.size(); ++i) by_index[i] = names[i];
  reducer_ = std::make_unique<c10d::Reducer>(
      parameters, std::move(buckets), processes, sparse, options.bucket_bytes, options.find_unused,
      options.gradient_as_bucket_view, std::move(by_index), first, /*skip_all_reduce_unused_params=*/false,
      /*use_python_reducer=*/false, std::vector<int64_t>{});
  if (options.compress) reducer_->register_comm_hook(std::make_unique<CompressHook>(processes));
}

DataParallel::~DataParallel() = default;

void DataParallel::Broadcast(const std::vector<Tensor>& tensors) const {
  if (tensors.empty()) return;
  std::vector<Tensor> detached;
  for (const Tensor& tensor : tensors) detached.push_back(tensor.detach());
  c10d::broadcast_coalesced(group_->process_group(), detached, kBroadcastBytes, /*rank=*/0);
}

void DataParallel::PrepareForward() {
  reducer_->prepare_for_forward();
  reducer_->rebuild_buckets();
}

void DataParallel::PrepareBackward(const std::vector<Tensor>& outputs) {
  reducer_->prepare_for_backward(outputs);
}

}  // namespace dyconv
