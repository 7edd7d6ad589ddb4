// Training the same network in several processes: libtorch's Reducer, which averages the gradients of all
// processes while the backward pass computes the rest.
#pragma once

#include <memory>
#include <string>
#include <vector>

#include <ATen/core/Tensor.h>

#include "distributed/group.h"

namespace c10d {
class Reducer;
}

namespace dyconv {

inline constexpr int64_t kDefaultBucketBytes = int64_t{25} << 20;  // as in PyTorch

struct DataParallelOptions {
  int64_t bucket_bytes = 0;     // gradients that are sent together
  bool default_buckets = true;  // the first bucket is smaller, as in PyTorch
  bool find_unused = false;     // parameters that take no part in a forward pass
  bool gradient_as_bucket_view = false;
  bool compress = false;  // send gradients as bfloat16
};

class DataParallel {
 public:
  // Compares the parameters of all processes. Throws a DistributedFailure if they differ in shape or dtype.
  DataParallel(std::shared_ptr<Group> group, const std::vector<at::Tensor>& parameters,
               const std::vector<std::string>& names, const DataParallelOptions& options);
  DataParallel(const DataParallel&) = delete;
  DataParallel& operator=(const DataParallel&) = delete;
  ~DataParallel();

  // Copies tensors of rank 0 to all processes. Blocks.
  void Broadcast(const std::vector<at::Tensor>& tensors) const;
  // Before a forward pass whose gradients will be averaged.
  void PrepareForward();
  // After it. `outputs`: what the loss is computed from, if unused parameters are to be found.
  void PrepareBackward(const std::vector<at::Tensor>& outputs);

 private:
  std::shared_ptr<Group> group_;
  std::unique_ptr<c10d::Reducer> reducer_;
};

}  // namespace dyconv
