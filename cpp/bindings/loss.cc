// Loss functions.
#include <cmath>
#include <numbers>

#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "ops/index_checks.h"

namespace dyconv {
namespace {

using at::Tensor;

// One variance per sample may be given without the last dimension, or with size 1 in one dimension. Any other
// shape would broadcast along the wrong dimension, or not at all.
Tensor VarianceOf(const Tensor& mean, const Tensor& var) {
  if (var.sizes() == mean.sizes()) return var;
  if (mean.dim() > 0 && mean.sizes().slice(0, mean.dim() - 1) == var.sizes()) return var.unsqueeze(-1);
  int64_t shared = 0;
  bool fits = mean.dim() == var.dim();
  for (int64_t i = 0; fits && i < mean.dim(); ++i) {
    if (mean.size(i) == var.size(i)) continue;
    fits = var.size(i) == 1;
    ++shared;
  }
  Require(
      fits && shared == 1, ErrorKind::kShape, "Expected the shape of input, ", mean.sizes(),
      ", for variance, or that shape without its last dimension or with 1 for one dimension, but received ",
      var.sizes());
  return var;
}

Tensor GaussianNll(const Tensor& mean, const Tensor& target, const Tensor& var, bool full, double eps,
                   Reduction reduction) {
  Tensor spread = VarianceOf(mean, var).clone();
  {
    // As in PyTorch, the clamp is not differentiated: a variance below the limit still gets a gradient.
    const at::NoGradGuard guard;
    spread.clamp_min_(eps);
  }
  Tensor losses = ((mean - target).square() / spread + spread.log()) / 2;
  if (full) losses = losses + std::log(2 * std::numbers::pi) / 2;
  return Reduce(losses, reduction);
}

// As PyTorch's losses of two tensors, with a weight for every element. `by_weight`: the mean divides by the
// sum of the weights.
Tensor Weighted(const Tensor& losses, const Tensor& weight, const Tensor& input, bool by_weight,
                Reduction reduction) {
  Require(weight.sizes() == input.sizes(), ErrorKind::kShape, "Expected the shape of input, ", input.sizes(),
          ", for weight but received ", weight.sizes());
  const Tensor weighted = losses * weight;
  if (by_weight && reduction == at::Reduction::Mean) return weighted.sum() / weight.sum();
  return Reduce(weighted, reduction);
}

Tensor MultilabelSoftMargin(const Tensor& x, const Tensor& target, const OptionalTensor& weight,
                            Reduction reduction) {
  Require(x.dim() > 0, ErrorKind::kShape, "Expected at least one dimension for input but received none");
  Tensor losses = -(target * at::log_sigmoid(x) + (1 - target) * at::log_sigmoid(-x));
  if (weight) losses = losses * *weight;
  return Reduce(losses.sum(-1) / x.size(-1), reduction);
}

Tensor CrossEntropy(const Tensor& logits, const Tensor& target, const OptionalTensor& weight,
                    Reduction reduction, int64_t ignore_index, double label_smoothing) {
  return at::cross_entropy_loss(logits, target, weight, reduction, ignore_index, label_smoothing);
}

}  // namespace

const OpTable& LossOps() {
  static const OpTable table = {
      Bind("crossEntropy(input, target, weight, reduction, ignoreIndex, labelSmoothing)", CrossEntropy),
      Bind("nllLoss(input, target, weight, reduction, ignoreIndex)",
           [](const Tensor& x, const Tensor& target, const OptionalTensor& weight, Reduction reduction,
              int64_t ignore_index) { return at::nll_loss_nd(x, target, weight, reduction, ignore_index); }),
      Bind("mseLoss(input, target, reduction)",
           [](const Tensor& x, const Tensor& target, Reduction reduction) {
             return at::mse_loss(x, target, reduction);
           }),
      Bind("mseLossWeighted(input, target, weight, reduction)",
           [](const Tensor& x, const Tensor& t, const Tensor& weight, Reduction reduction) {
             return Weighted((x - t).square(), weight, x, /*by_weight=*/true, reduction);
           }),
      Bind("l1Loss(input, target, reduction)",
           [](const Tensor& x, const Tensor& target, Reduction reduction) {
             return at::l1_loss(x, target, reduction);
           }),
      Bind("l1LossWeighted(input, target, weight, reduction)",
           [](const Tensor& x, const Tensor& t, const Tensor& weight, Reduction reduction) {
             return Weighted((x - t).abs(), weight, x, /*by_weight=*/true, reduction);
           }),
      Bind("smoothL1Loss(input, target, beta, reduction)",
           [](const Tensor& x, const Tensor& t, double beta, Reduction reduction) {
             return at::smooth_l1_loss(x, t, reduction, beta);
           }),
      Bind("huberLoss(input, target, delta, reduction)",
           [](const Tensor& x, const Tensor& t, double delta, Reduction reduction) {
             return at::huber_loss(x, t, reduction, delta);
           }),
      Bind("huberLossWeighted(input, target, delta, weight, reduction)",
           [](const Tensor& x, const Tensor& t, double delta, const Tensor& weight, Reduction reduction) {
             return Weighted(at::huber_loss(x, t, at::Reduction::None, delta), weight, x, /*by_weight=*/false,
                             reduction);
           }),
      Bind("binaryCrossEntropy(input, target, weight, reduction)",
           [](const Tensor& x, const Tensor& t, const OptionalTensor& weight, Reduction reduction) {
             return at::binary_cross_entropy(x, t, weight, reduction);
           }),
      Bind("binaryCrossEntropyWithLogits(input, target, weight, posWeight, reduction)",
           [](const Tensor& x, const Tensor& target, const OptionalTensor& weight,
              const OptionalTensor& pos_weight, Reduction reduction) {
             return at::binary_cross_entropy_with_logits(x, target, weight, pos_weight, reduction);
           }),
      Bind("klDiv(input, target, logTarget, reduction)",
           [](const Tensor& x, const Tensor& t, bool log_target, Reduction reduction) {
             return at::kl_div(x, t, reduction, log_target);
           }),
      Bind("poissonNllLoss(input, target, logInput, full, eps, reduction)",
           [](const Tensor& x, const Tensor& t, bool log_input, bool full, double eps, Reduction reduction) {
             return at::poisson_nll_loss(x, t, log_input, full, eps, reduction);
           }),
      Bind("gaussianNllLoss(input, target, var, full, eps, reduction)", GaussianNll),
      Bind("ctcLoss(logProbs, targets, inputLengths, targetLengths, blank, zeroInfinity, reduction)",
           [](const Tensor& x, const Tensor& t, const IntList& input_lengths, const IntList& target_lengths,
              int64_t blank, bool zero_infinity, Reduction reduction) {
             CheckCtcLoss(x, t, input_lengths, target_lengths, blank);
             return at::ctc_loss(x, t, input_lengths, target_lengths, blank, reduction, zero_infinity);
           }),
      Bind("hingeEmbeddingLoss(input, target, margin, reduction)",
           [](const Tensor& x, const Tensor& t, double margin, Reduction reduction) {
             return at::hinge_embedding_loss(x, t, margin, reduction);
           }),
      Bind("marginRankingLoss(input1, input2, target, margin, reduction)",
           [](const Tensor& a, const Tensor& b, const Tensor& t, double margin, Reduction reduction) {
             return at::margin_ranking_loss(a, b, t, margin, reduction);
           }),
      Bind("cosineEmbeddingLoss(input1, input2, target, margin, reduction)",
           [](const Tensor& a, const Tensor& b, const Tensor& t, double margin, Reduction reduction) {
             return at::cosine_embedding_loss(a, b, t, margin, reduction);
           }),
      Bind("tripletMarginLoss(anchor, positive, negative, margin, p, eps, swap, reduction)",
           [](const Tensor& a, const Tensor& p, const Tensor& n, double margin, double power, double eps,
              bool swap, Reduction reduction) {
             return at::triplet_margin_loss(a, p, n, margin, power, eps, swap, reduction);
           }),
      Bind("softMarginLoss(input, target, reduction)",
           [](const Tensor& x, const Tensor& t, Reduction reduction) {
             return at::soft_margin_loss(x, t, reduction);
           }),
      Bind("multiMarginLoss(input, target, p, margin, weight, reduction)",
           [](const Tensor& x, const Tensor& t, const at::Scalar& p, const at::Scalar& margin,
              const OptionalTensor& weight,
              Reduction reduction) { return at::multi_margin_loss(x, t, p, margin, weight, reduction); }),
      Bind("multilabelMarginLoss(input, target, reduction)",
           [](const Tensor& x, const Tensor& t, Reduction reduction) {
             return at::multilabel_margin_loss(x, t, reduction);
           }),
      Bind("multilabelSoftMarginLoss(input, target, weight, reduction)", MultilabelSoftMargin),
  };
  return table;
}

}  // namespace dyconv
