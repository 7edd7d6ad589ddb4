// Losses beyond those of nn.cc.
#include <cmath>
#include <numbers>

#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "ops/index_checks.h"

namespace dyconv {
namespace {

using at::Tensor;

Tensor GaussianNll(const Tensor& mean, const Tensor& target, const Tensor& var, bool full, double eps,
                   Reduction reduction) {
  const Tensor spread = var.clamp_min(eps);
  Tensor losses = ((mean - target).square() / spread + spread.log()) / 2;
  if (full) losses = losses + std::log(2 * std::numbers::pi) / 2;
  return Reduce(losses, reduction);
}

OpTable Ranking() {
  return {
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
  };
}

}  // namespace

const OpTable& LossOps() {
  static const OpTable table = [] {
    OpTable ops = {
        Bind("smoothL1Loss(input, target, beta, reduction)",
             [](const Tensor& x, const Tensor& t, double beta, Reduction reduction) {
               return at::smooth_l1_loss(x, t, reduction, beta);
             }),
        Bind("huberLoss(input, target, delta, reduction)",
             [](const Tensor& x, const Tensor& t, double delta, Reduction reduction) {
               return at::huber_loss(x, t, reduction, delta);
             }),
        Bind("binaryCrossEntropy(input, target, weight, reduction)",
             [](const Tensor& x, const Tensor& t, const OptionalTensor& weight, Reduction reduction) {
               return at::binary_cross_entropy(x, t, weight, reduction);
             }),
        Bind("klDiv(input, target, logTarget, reduction)",
             [](const Tensor& x, const Tensor& t, bool log_target, Reduction reduction) {
               return at::kl_div(x, t, reduction, log_target);
             }),
        Bind("poissonNllLoss(input, target, logInput, full, eps, reduction)",
             [](const Tensor& x, const Tensor& t, bool log_input, bool full, double eps,
                Reduction reduction) { return at::poisson_nll_loss(x, t, log_input, full, eps, reduction); }),
        Bind("gaussianNllLoss(input, target, var, full, eps, reduction)", GaussianNll),
        Bind("ctcLoss(logProbs, targets, inputLengths, targetLengths, blank, zeroInfinity, reduction)",
             [](const Tensor& x, const Tensor& t, const IntList& input_lengths, const IntList& target_lengths,
                int64_t blank, bool zero_infinity, Reduction reduction) {
               CheckCtcLoss(x, t, input_lengths, target_lengths, blank);
               return at::ctc_loss(x, t, input_lengths, target_lengths, blank, reduction, zero_infinity);
             }),
    };
    for (Op& op : Ranking()) ops.push_back(std::move(op));
    return ops;
  }();
  return table;
}

}  // namespace dyconv
