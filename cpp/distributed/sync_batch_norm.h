// Batch norm over the batches of several processes.
#pragma once

#include <memory>
#include <optional>

#include <ATen/core/Tensor.h>

#include "distributed/group.h"

namespace dyconv {

// Normalizes the channels, dimension 1, of `input` [B, C, ...] with mean and variance over all processes of
// the group, in forward and backward; updates the running statistics, which may be absent. Blocks.
at::Tensor SyncBatchNorm(const std::shared_ptr<Group>& group, const at::Tensor& input,
                         const std::optional<at::Tensor>& weight, const std::optional<at::Tensor>& bias,
                         const std::optional<at::Tensor>& running_mean,
                         const std::optional<at::Tensor>& running_var, double momentum, double eps);

}  // namespace dyconv
