// Training in several processes: lib/distributed/data-parallel.ts.
#include "distributed/data_parallel.h"
#include "distributed/sync_batch_norm.h"

#include <utility>

#include "bindings/bindings.h"
#include "bindings/distributed.h"

namespace dyconv {

struct HeldDataParallel {
  std::shared_ptr<DataParallel> model;
};

template <>
inline constexpr ObjectType kObjectType<HeldDataParallel> = {"a model of dataParallel()",
                                                             {0x2f60b8e4a9c7135d, 0xb41d07f65e8a93c2}};

namespace {

using at::Tensor;
using SharedDataParallel = std::shared_ptr<const HeldDataParallel>;

// `bucket_bytes` null: PyTorch's sizes.
SharedDataParallel MakeDataParallel(const SharedGroup& held, const std::vector<Tensor>& parameters,
                                    const std::vector<std::string>& names,
                                    const std::optional<int64_t>& bucket_bytes, bool find_unused,
                                    bool gradient_as_bucket_view, bool compress) {
  const DataParallelOptions options{.bucket_bytes = bucket_bytes.value_or(kDefaultBucketBytes),
                                    .default_buckets = !bucket_bytes,
                                    .find_unused = find_unused,
                                    .gradient_as_bucket_view = gradient_as_bucket_view,
                                    .compress = compress};
  return std::make_shared<const HeldDataParallel>(
      HeldDataParallel{std::make_shared<DataParallel>(held->group, parameters, names, options)});
}

}  // namespace

const OpTable& DataParallelOps() {
  static const OpTable table = {
      Bind("dataParallel(group, parameters, names, bucketBytes, findUnused, gradientAsBucketView, compress)",
           MakeDataParallel),
      Bind("dataParallelBroadcast(model, tensors)",
           [](const SharedDataParallel& held, const std::vector<Tensor>& tensors) {
             held->model->Broadcast(tensors);
           }),
      // One call with tensors, so that background() runs it where it may wait for other processes.
      Bind("dataParallelForward(model, synchronize, buffers)",
           [](const SharedDataParallel& held, bool synchronize, const std::vector<Tensor>& buffers) {
             if (synchronize) held->model->PrepareForward();
             held->model->Broadcast(buffers);
           }),
      Bind("dataParallelBackward(model, outputs)",
           [](const SharedDataParallel& held, const std::vector<Tensor>& outputs) {
             held->model->PrepareBackward(outputs);
           }),
      Bind("syncBatchNorm(group, input, weight, bias, runningMean, runningVar, momentum, eps)",
           [](const SharedGroup& held, const Tensor& input, const std::optional<Tensor>& weight,
              const std::optional<Tensor>& bias, const std::optional<Tensor>& running_mean,
              const std::optional<Tensor>& running_var, double momentum, double eps) {
             return SyncBatchNorm(held->group, input, weight, bias, running_mean, running_var, momentum, eps);
           }),
  };
  return table;
}

}  // namespace dyconv
