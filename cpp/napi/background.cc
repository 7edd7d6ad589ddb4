#include "napi/background.h"

#include <algorithm>
#include <exception>
#include <string_view>
#include <unordered_set>

#include <ATen/autocast_mode.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/zeros.h>
#include <torch/csrc/autograd/functions/accumulate_grad.h>

#include "napi/convert.h"
#include "napi/hot_path.h"
#include "napi/tensor_registry.h"

namespace dyconv {
namespace {

constexpr std::array kDevices = {at::kCPU, at::kCUDA};

std::array<at::ScalarType, 2> AutocastDTypes() {
  return {at::autocast::get_autocast_dtype(kDevices[0]), at::autocast::get_autocast_dtype(kDevices[1])};
}

void SetAutocastDTypes(const std::array<at::ScalarType, 2>& dtypes) {
  for (size_t i = 0; i < kDevices.size(); ++i) at::autocast::set_autocast_dtype(kDevices[i], dtypes[i]);
}

// Calls `visit` with the storage of every leaf whose gradient a backward pass from `loss` accumulates.
template <class F>
void ForEachLeaf(const at::Tensor& loss, const F& visit) {
  using torch::autograd::Node;
  std::unordered_set<Node*> seen;
  std::vector<Node*> left;
  const auto push = [&](Node* node) {
    if (node != nullptr && seen.insert(node).second) left.push_back(node);
  };
  push(torch::autograd::impl::gradient_edge(loss).function.get());
  while (!left.empty()) {
    Node* node = left.back();
    left.pop_back();
    if (auto* leaf = dynamic_cast<torch::autograd::AccumulateGrad*>(node)) {
      if (leaf->variable.has_storage()) visit(leaf->variable.storage());
    }
    for (const auto& edge : node->next_edges()) push(edge.function.get());
  }
}

}  // namespace

TensorsInUse::Use TensorsInUse::Of(const c10::StorageImpl* storage) const {
  const auto found = uses_.find(storage);
  return found == uses_.end() ? Use{} : found->second.second;
}

void TensorsInUse::Add(const c10::Storage& storage, bool write, int count) {
  const auto* impl = storage.unsafeGetStorageImpl();
  auto& [held, use] = uses_.try_emplace(impl, storage, Use{}).first->second;
  (write ? use.writes : use.reads) += count;
  if (use.reads == 0 && use.writes == 0) uses_.erase(impl);
}

bool MayWrite(const Call& call) {
  static constexpr std::array<std::string_view, 11> kNames = {
      "backward",      "batchNorm",  "batchNormActivation", "clipGradNorm",
      "clipGradValue", "setData",    "ampUpdateScale",      "unscale",
      "zeroGrad",      "retainGrad", "embeddingRenorm"};
  const std::string name = call.Name();
  return name.ends_with("_") || name.ends_with("Step") ||
         std::string_view(call.signature).starts_with("set") ||
         std::find(kNames.begin(), kNames.end(), name) != kNames.end();
}

void Background::Open() {
  Require(open_ == nullptr, ErrorKind::kArgument,
          "Expected background() outside of the function of another background()");
  open_ = std::make_unique<Block>();
  ++blocks_;
}

void Background::Abandon(AddonData& data) {
  if (open_ == nullptr) return;
  const std::unique_ptr<Block> block = std::move(open_);
  Finish(data, *block, /*computed=*/false);
}

Napi::Value Background::Close(Call& call) {
  Require(open_ != nullptr, ErrorKind::kArgument, "Expected an open block");
  if (open_->steps.empty()) {
    Abandon(call.data);
    Fail(ErrorKind::kArgument,
         "Expected operations that give Tensors in fn of background() but received none: nothing to compute");
  }
  std::shared_ptr<Block> block = std::move(open_);
  return call.data.compute.Run(
      call.env, "background", [block] { block->Run(); },
      [block](Napi::Env env) -> Napi::Value {
        AddonData& data = AddonData::Of(env);
        data.background.Finish(data, *block, block->failure == nullptr);
        if (block->failure == nullptr) return env.Undefined();
        try {
          std::rethrow_exception(block->failure);
        } catch (...) {
          throw Napi::Error(env, CurrentExceptionToJs(env, data, block->failed_at));
        }
      });
}

void Background::Block::Run() {
  const auto dtypes = AutocastDTypes();
  for (Step& step : steps) {
    try {
      const at::ThreadLocalStateGuard guard(step.state);
      SetAutocastDTypes(step.autocast);
      step.run();
    } catch (...) {
      failure = std::current_exception();
      failed_at = step.where;
      break;
    }
    step.run = nullptr;  // and with it what only this step needed
  }
  for (Step& step : steps) step.run = nullptr;
  at::autocast::clear_cache();
  SetAutocastDTypes(dtypes);
}

void Background::Note(const Call& call, const std::vector<at::Tensor>& arguments, std::function<void()> run) {
  open_->steps.push_back({call.Name(), at::ThreadLocalState(), AutocastDTypes(), std::move(run)});
  const bool write = MayWrite(call);
  const bool backward = std::string_view(call.signature).starts_with("backward(");
  for (const at::Tensor& argument : arguments) {
    const bool pending = FindPending(argument) != nullptr;
    if (argument.defined() && !pending && argument.has_storage()) Use(argument.storage(), write);
    if (!backward || !argument.defined()) continue;
    if (!pending) {
      UseGradients(argument);
    } else {
      // Its graph does not exist yet: the leaves are among what the blocks under way use.
      std::vector<c10::Storage> all;
      in_use_.ForEach([&](const c10::Storage& storage) { all.push_back(storage); });
      for (const c10::Storage& storage : all) Use(storage, /*write=*/true);
    }
  }
}

void Background::Use(const c10::Storage& storage, bool write) {
  open_->uses.emplace_back(storage, write);
  in_use_.Add(storage, write, 1);
}

void Background::UseGradients(const at::Tensor& loss) {
  if (!loss.requires_grad()) return;
  ForEachLeaf(loss, [this](const c10::Storage& storage) { Use(storage, /*write=*/true); });
}

Napi::Value Background::AddResult(const Call& call, const std::shared_ptr<PendingTensor>& pending) {
  pending->placeholder = at::empty({0}, at::TensorOptions(at::kMeta));
  const Napi::Value object = WrapTensor(call.env, call.data, pending->placeholder, &pending->handle);
  pending->handle->pending = pending;
  open_->results.push_back(pending);
  pending_.emplace(pending->placeholder.unsafeGetTensorImpl(), pending);
  return object;
}

std::shared_ptr<PendingTensor> Background::FindPending(const at::Tensor& tensor) const {
  const auto found = pending_.find(tensor.unsafeGetTensorImpl());
  return found == pending_.end() ? nullptr : found->second;
}

void Background::Finish(AddonData& data, Block& block, bool computed) {
  --blocks_;
  for (const auto& [storage, write] : block.uses) in_use_.Add(storage, write, -1);
  for (const std::shared_ptr<PendingTensor>& pending : block.results) {
    pending_.erase(pending->placeholder.unsafeGetTensorImpl());
    TensorHandle* handle = pending->handle;
    if (handle == nullptr) continue;
    if (!computed || !pending->result.defined()) {
      data.tensors.Dispose(handle);
      continue;
    }
    const at::Tensor& result = pending->result;
    // Some gradients that are 0 throughout come without memory.
    handle->tensor = result._is_zerotensor() ? at::zeros(result.sizes(), result.options()) : result;
    handle->pending.reset();
    data.tensors.Recount(handle);
  }
}

void Background::CheckAvailable(const Call& call, const std::string& name, const at::Tensor& tensor) const {
  if (!tensor.defined()) return;
  if (FindPending(tensor) != nullptr) {
    Fail(ErrorKind::kArgument, "Expected a computed Tensor for ", name, " of ", call.Name(),
         " but received one that background() has not computed yet",
         open() ? ": its values and sizes are known after the await"
                : ": await the promise of background() first");
  }
  if (!tensor.has_storage()) return;
  const TensorsInUse::Use use = in_use_.Of(tensor.storage().unsafeGetStorageImpl());
  if (use.writes > 0 || (use.reads > 0 && MayWrite(call))) {
    Fail(ErrorKind::kArgument, "Expected a Tensor that background() does not ",
         use.writes > 0 ? "change" : "read", " at the same time for ", name, " of ", call.Name(),
         ": await the promise of background() first");
  }
}

}  // namespace dyconv
