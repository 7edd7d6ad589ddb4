// Max pooling with the positions of the maxima, its inverse, pooled rows of tables, and what goes with them.
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "ops/embedding_bag.h"
#include "ops/max_unpool.h"

namespace dyconv {

template <>
inline constexpr auto kNames<BagMode> = std::to_array<Named<BagMode>>(
    {{"sum", BagMode::kSum}, {"mean", BagMode::kMean}, {"max", BagMode::kMax}});

namespace {

using at::Tensor;

Op BindWithIndices(const char* signature) {
  return Bind(signature, [](const Tensor& x, const IntList& kernel, const IntList& stride,
                            const IntList& padding, const IntList& dilation, bool ceil_mode) {
    return MaxPoolWithIndices(x, {kernel, stride, padding, dilation, ceil_mode});
  });
}

}  // namespace

const OpTable& PoolOps() {
  static const OpTable table = {
      BindWithIndices("maxPoolWithIndices(input, kernelSize, stride, padding, dilation, ceilMode)"),
      Bind("maxUnpool(input, indices, outputSize, stride, padding)",
           [](const Tensor& x, const Tensor& indices, const IntList& size, const IntList& stride,
              const IntList& padding) { return MaxUnpool(x, indices, size, stride, padding); }),
      Bind("embeddingBag(weight, input, offsets, mode, perSampleWeights, includeLastOffset, paddingIdx)",
           [](const Tensor& weight, const Tensor& indices, const Tensor& offsets, BagMode mode,
              const OptionalTensor& weights, bool include_last, std::optional<int64_t> padding) {
             return EmbeddingBag(weight, indices, offsets, mode, weights, include_last, padding);
           }),
      Bind("pdist(input, p)", [](const Tensor& x, double p) { return at::pdist(x, p); }),
      Bind("channelShuffle(input, groups)",
           [](const Tensor& x, int64_t groups) { return at::channel_shuffle(x, groups); }),
      Bind(
          "featureAlphaDropout(input, p, training)",
          [](const Tensor& x, double p, bool training) { return at::feature_alpha_dropout(x, p, training); }),
  };
  return table;
}

}  // namespace dyconv
