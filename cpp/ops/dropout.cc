#include "ops/dropout.h"

#include <ATen/CPUGeneratorImpl.h>
#include <ATen/ops/dropout.h>
#include <ATen/ops/empty_like.h>

#include <algorithm>
#include <mutex>

#include "kernels/dispatch.h"

namespace dyconv {
namespace {

using kernels::RandomState;

// libtorch stores the number of values left plus one; a new state has none left.
RandomState StateOf(const at::mt19937_data_pod& engine) {
  static_assert(RandomState::kSize == at::MERSENNE_STATE_N);
  RandomState random;
  std::copy(engine.state_.begin(), engine.state_.end(), random.state);
  random.next = RandomState::kSize + 1 - engine.left_;
  return random;
}

void PutBack(const RandomState& random, at::mt19937_data_pod& engine) {
  std::copy(random.state, random.state + RandomState::kSize, engine.state_.begin());
  engine.left_ = static_cast<int>(RandomState::kSize + 1 - random.next);
  engine.next_ = static_cast<uint32_t>(random.next);
}

// 1 / keep with probability `keep`, else 0.
void FillNoise(const at::Tensor& noise, double keep) {
  at::Generator generator = at::detail::getDefaultCPUGenerator();
  const std::lock_guard<std::mutex> lock(generator.mutex());
  auto* source = at::check_generator<at::CPUGeneratorImpl>(generator);
  at::mt19937 engine = source->engine();
  at::mt19937_data_pod data = engine.data();
  RandomState random = StateOf(data);
  kernels::BestKernels().BernoulliNoise(random, keep, 1 / static_cast<float>(keep), noise.data_ptr<float>(),
                                        noise.numel());
  PutBack(random, data);
  engine.set_data(data);
  source->set_engine(engine);
}

}  // namespace

at::Tensor Dropout(const at::Tensor& input, double p, bool training) {
  const auto type = input.scalar_type();
  const bool known = type == at::kFloat || type == at::kBFloat16 || type == at::kHalf;
  const bool applies = training && p > 0 && p < 1 && input.device().is_cpu() && input.numel() > 0 && known &&
                       input.is_contiguous();
  if (!applies) return at::dropout(input, p, training);
  const auto noise = at::empty_like(input, at::kFloat);
  FillNoise(noise, 1 - p);
  return input.mul(noise.to(type));
}

}  // namespace dyconv
