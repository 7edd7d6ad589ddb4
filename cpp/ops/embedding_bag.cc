#include "ops/embedding_bag.h"

#include <ATen/ops/aminmax.h>
#include <ATen/ops/embedding_bag.h>

#include "typed_error.h"

namespace dyconv {
namespace {

bool IsIndex(const at::Tensor& x) { return x.scalar_type() == at::kLong || x.scalar_type() == at::kInt; }

void CheckIndices(const at::Tensor& indices, int64_t rows) {
  if (indices.numel() == 0) return;
  const auto [low, high] = at::aminmax(indices);
  Require(low.item<int64_t>() >= 0 && high.item<int64_t>() < rows, ErrorKind::kShape,
          "Expected input from 0 to ", rows - 1, " but received input from ", low.item<int64_t>(), " to ",
          high.item<int64_t>());
}

void CheckOffsets(const at::Tensor& offsets, int64_t count, bool include_last) {
  const at::Tensor list = offsets.to(at::kLong).contiguous();
  const int64_t* at = list.const_data_ptr<int64_t>();
  Require(list.numel() > 0 || !include_last, ErrorKind::kShape, "Expected an offset with includeLastOffset");
  int64_t previous = 0;
  for (int64_t i = 0; i < list.numel(); ++i) {
    Require(at[i] >= previous && at[i] <= count && (i > 0 || at[i] == 0), ErrorKind::kShape,
            "Expected offsets that rise from 0 to at most ", count, ", the length of input, but offset ", i,
            " is ", at[i]);
    previous = at[i];
  }
}

}  // namespace

at::Tensor EmbeddingBag(const at::Tensor& weight, const at::Tensor& indices, const at::Tensor& offsets,
                        BagMode mode, const std::optional<at::Tensor>& per_sample_weights,
                        bool include_last_offset, std::optional<int64_t> padding_idx) {
  Require(weight.dim() == 2, ErrorKind::kShape, "Expected 2 dimensions for weight but received ",
          weight.sizes());
  Require(indices.dim() == 1 && offsets.dim() == 1, ErrorKind::kShape,
          "Expected one dimension for input and offsets but received ", indices.sizes(), " and ",
          offsets.sizes());
  Require(IsIndex(indices) && IsIndex(offsets), ErrorKind::kDType,
          "Expected dtype int64 or int32 for input and offsets");
  if (per_sample_weights) {
    Require(per_sample_weights->sizes() == indices.sizes(), ErrorKind::kShape,
            "Expected the shape of input, ", indices.sizes(), ", for perSampleWeights but received ",
            per_sample_weights->sizes());
  }
  // On a GPU the kernels check: the values are not available here.
  if (indices.device().is_cpu()) CheckIndices(indices, weight.size(0));
  if (offsets.device().is_cpu()) CheckOffsets(offsets, indices.numel(), include_last_offset);
  return std::get<0>(at::embedding_bag(weight, indices, offsets, /*scale_grad_by_freq=*/false,
                                       static_cast<int64_t>(mode), /*sparse=*/false, per_sample_weights,
                                       include_last_offset, padding_idx));
}

}  // namespace dyconv
