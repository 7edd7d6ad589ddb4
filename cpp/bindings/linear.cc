// Linear layers, embeddings, attention.
#include "ops/linear.h"
#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "ops/embedding_bag.h"

namespace dyconv {

template <>
inline constexpr auto kNames<BagMode> =
    std::to_array<Named<BagMode>>({{"sum", BagMode::kSum}, {"mean", BagMode::kMean}, {"max", BagMode::kMax}});

namespace {

using at::Tensor;

}  // namespace

const OpTable& LinearOps() {
  static const OpTable table = {
      Bind("linear(input, weight, bias)",
           [](const Tensor& x, const Tensor& w, const OptionalTensor& b) { return Linear(x, w, b); }),
      Bind("bilinear(input1, input2, weight, bias)",
           [](const Tensor& a, const Tensor& b, const Tensor& w, const OptionalTensor& bias) {
             return at::bilinear(a, b, w, bias);
           }),
      Bind("embedding(weight, indices, paddingIdx)",
           [](const Tensor& w, const Tensor& i, int64_t padding) { return at::embedding(w, i, padding); }),
      Bind("embeddingBag(weight, input, offsets, mode, perSampleWeights, includeLastOffset, paddingIdx)",
           [](const Tensor& weight, const Tensor& indices, const Tensor& offsets, BagMode mode,
              const OptionalTensor& weights, bool include_last, std::optional<int64_t> padding) {
             return EmbeddingBag(weight, indices, offsets, mode, weights, include_last, padding);
           }),
      Bind("oneHot(input, numClasses)",
           [](const Tensor& x, int64_t classes) { return at::one_hot(x, classes); }),
      Bind("scaledDotProductAttention(query, key, value, attnMask, dropoutP, isCausal, scale, enableGqa)",
           [](const Tensor& q, const Tensor& k, const Tensor& v, const OptionalTensor& mask, double p,
              bool causal, std::optional<double> scale,
              bool gqa) { return at::scaled_dot_product_attention(q, k, v, mask, p, causal, scale, gqa); }),
  };
  return table;
}

}  // namespace dyconv
