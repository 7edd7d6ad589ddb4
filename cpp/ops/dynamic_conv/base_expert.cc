#include "ops/dynamic_conv/base_expert.h"

#include <ATen/Parallel.h>
#include <c10/core/StorageImpl.h>
#include <c10/util/intrusive_ptr.h>

#include <algorithm>
#include <cmath>
#include <limits>
#include <mutex>
#include <unordered_map>
#include <vector>

#include "ops/dynamic_conv/tensors.h"

namespace dyconv {
namespace {

// A number that is far enough from infinity to be doubled.
constexpr float kLargest = 1e37f;
// Limit of the ratio between the first expert and another in a channel: up to four of 24 bits may be lost.
constexpr float kMostBeside = 16;

// The largest weights of every expert by channel: [experts][out_channels + in_channels].
std::vector<float> LargestByChannel(const DynamicConvProblem& p, const at::Tensor& weight) {
  const auto& s = p.shape;
  const int64_t taps = s.kernel_size(), row = s.out_channels + s.in_channels * taps;
  std::vector<float> of_taps(s.experts * row), largest;
  at::parallel_for(0, s.experts, ThreadsFor(s) == 1 ? s.experts : 1, [&](int64_t begin, int64_t end) {
    kernels::Kernels(p.isa).LargestWeights(s, weight.const_data_ptr<float>(), of_taps.data(), begin, end);
  });
  largest.reserve(s.experts * (s.out_channels + s.in_channels));
  for (int64_t k = 0; k < s.experts; ++k) {
    const float* from = of_taps.data() + k * row;
    largest.insert(largest.end(), from, from + s.out_channels);
    from += s.out_channels;
    for (int64_t c = 0; c < s.in_channels; ++c) {
      float most = 0;
      for (int64_t t = 0; t < taps; ++t, ++from) most = most < *from || std::isnan(*from) ? *from : most;
      largest.push_back(most);
    }
  }
  return largest;
}

std::optional<int64_t> ChooseBaseExpert(const std::vector<float>& largest, int64_t experts) {
  const int64_t channels = static_cast<int64_t>(largest.size()) / experts;
  if (!std::all_of(largest.begin(), largest.end(), [](float x) { return x < kLargest; })) return std::nullopt;
  std::vector<float> least(largest.begin(), largest.begin() + channels);
  for (int64_t k = 1; k < experts; ++k) {
    for (int64_t c = 0; c < channels; ++c) least[c] = std::min(least[c], largest[k * channels + c]);
  }
  std::optional<int64_t> best;
  float least_worst = kMostBeside;
  for (int64_t k = 0; k < experts; ++k) {
    float worst = 0;
    for (int64_t c = 0; c < channels; ++c) {
      const float one = largest[k * channels + c];
      if (one > worst * least[c])
        worst = least[c] > 0 ? one / least[c] : std::numeric_limits<float>::infinity();
    }
    if (worst < least_worst) {
      least_worst = worst;
      best = k;
    }
  }
  return best;
}

// The result for a version of a tensor, kept as long as its storage exists.
struct Known {
  c10::weak_intrusive_ptr<c10::StorageImpl> storage;
  int64_t offset;
  uint32_t version;
  std::vector<int64_t> sizes, strides;
  std::optional<int64_t> expert;
};

class Memory {
 public:
  std::optional<int64_t> Of(const DynamicConvProblem& p, const at::Tensor& weight) {
    // Tensors created in inference mode have no version counter, and writes to the typed array of a tensor
    // are not counted.
    if (p.weight.is_inference() || p.weight.storage().allocator() == nullptr) return Find(p, weight);
    c10::StorageImpl* storage = p.weight.storage().unsafeGetStorageImpl();
    const auto version = static_cast<uint32_t>(p.weight._version());
    {
      const std::lock_guard<std::mutex> lock(mutex_);
      const auto found = known_.find(storage);
      if (found != known_.end() && found->second.offset == p.weight.storage_offset() &&
          found->second.version == version && p.weight.sizes() == found->second.sizes &&
          p.weight.strides() == found->second.strides) {
        return found->second.expert;
      }
    }
    const auto expert = Find(p, weight);
    const std::lock_guard<std::mutex> lock(mutex_);
    if (known_.size() >= kMost) Forget();
    known_.insert_or_assign(storage,
                            Known{p.weight.storage().getWeakStorageImpl(), p.weight.storage_offset(), version,
                                  p.weight.sizes().vec(), p.weight.strides().vec(), expert});
    return expert;
  }

 private:
  static constexpr size_t kMost = 256;

  static std::optional<int64_t> Find(const DynamicConvProblem& p, const at::Tensor& weight) {
    return ChooseBaseExpert(LargestByChannel(p, weight), p.shape.experts);
  }

  // Weak references prevent the reuse of a storage's address, and keep little else alive.
  void Forget() {
    std::erase_if(known_, [](const auto& entry) { return entry.second.storage.expired(); });
    if (known_.size() >= kMost) known_.clear();
  }

  std::mutex mutex_;
  std::unordered_map<const c10::StorageImpl*, Known> known_;
};

}  // namespace

std::optional<int64_t> BaseExpert(const DynamicConvProblem& p, const at::Tensor& weight) {
  static Memory memory;
  return memory.Of(p, weight);
}

}  // namespace dyconv
