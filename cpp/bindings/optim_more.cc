// Steps of the rarer optimizers, on the element-wise operations of libtorch. Formulas are those of
// torch.optim.
#include <cmath>

#include "bindings/bindings.h"
#include "bindings/optim_rows.h"

namespace dyconv {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;

// The gradient to follow. Decoupled weight decay is taken from the parameter at once.
Tensor Decayed(const OptimRow& row, double lr, double weight_decay, bool decoupled, bool maximize) {
  const Tensor gradient = maximize ? row[1].neg() : row[1];
  if (weight_decay == 0) return gradient;
  if (!decoupled) return gradient.add(row[0], weight_decay);
  row[0].mul_(1 - lr * weight_decay);
  return gradient;
}

// Counts a step.
double Count(const Tensor& step) { return step.add_(1).item<double>(); }

void AdadeltaStep(const Tensors& parameters, const OptionalTensors& squares, const OptionalTensors& deltas,
                  double lr, double rho, double eps, double weight_decay, bool maximize) {
  at::NoGradGuard no_grad;
  for (const OptimRow& row : RowsWithGradient(parameters, {{"square_avg", squares}, {"acc_delta", deltas}})) {
    const Tensor gradient = Decayed(row, lr, weight_decay, false, maximize);
    row[2].mul_(rho).addcmul_(gradient, gradient, 1 - rho);
    const Tensor delta = row[3].add(eps).sqrt_().div_(row[2].add(eps).sqrt_()).mul_(gradient);
    row[3].mul_(rho).addcmul_(delta, delta, 1 - rho);
    row[0].add_(delta, -lr);
  }
}

void AdamaxStep(const Tensors& parameters, const OptionalTensors& averages, const OptionalTensors& norms,
                const OptionalTensors& steps, double lr, double beta1, double beta2, double eps,
                double weight_decay, bool maximize) {
  at::NoGradGuard no_grad;
  std::vector<size_t> indices;
  const auto rows = RowsWithGradient(parameters, {{"exp_avg", averages}, {"exp_inf", norms}}, &indices);
  const Tensors counts = StepsOf(steps, indices);
  for (size_t i = 0; i < rows.size(); ++i) {
    const OptimRow& row = rows[i];
    const double step = Count(counts[i]);
    const Tensor gradient = Decayed(row, lr, weight_decay, false, maximize);
    row[2].lerp_(gradient, 1 - beta1);
    row[3].copy_(at::maximum(row[3].mul_(beta2), gradient.abs().add_(eps)));
    row[0].addcdiv_(row[2], row[3], -lr / (1 - std::pow(beta1, step)));
  }
}

void NAdamStep(const Tensors& parameters, const OptionalTensors& averages, const OptionalTensors& squares,
               const OptionalTensors& products, const OptionalTensors& steps, double lr, double beta1,
               double beta2, double eps, double weight_decay, double momentum_decay, bool decoupled,
               bool maximize) {
  at::NoGradGuard no_grad;
  std::vector<size_t> indices;
  const auto rows = RowsWithGradient(parameters, {{"exp_avg", averages}, {"exp_avg_sq", squares}}, &indices);
  const Tensors counts = StepsOf(steps, indices);
  const Tensors mu_products = StepsOf(products, indices);
  for (size_t i = 0; i < rows.size(); ++i) {
    const OptimRow& row = rows[i];
    const double step = Count(counts[i]);
    const Tensor gradient = Decayed(row, lr, weight_decay, decoupled, maximize);
    const auto momentum = [&](double at) { return beta1 * (1 - 0.5 * std::pow(0.96, at * momentum_decay)); };
    const double mu = momentum(step), mu_next = momentum(step + 1);
    const double product = mu_products[i].mul_(mu).item<double>();
    row[2].lerp_(gradient, 1 - beta1);
    row[3].mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
    const Tensor scale = row[3].div(1 - std::pow(beta2, step)).sqrt_().add_(eps);
    row[0].addcdiv_(gradient, scale, -lr * (1 - mu) / (1 - product));
    row[0].addcdiv_(row[2], scale, -lr * mu_next / (1 - product * mu_next));
  }
}

void RAdamStep(const Tensors& parameters, const OptionalTensors& averages, const OptionalTensors& squares,
               const OptionalTensors& steps, double lr, double beta1, double beta2, double eps,
               double weight_decay, bool decoupled, bool maximize) {
  at::NoGradGuard no_grad;
  std::vector<size_t> indices;
  const auto rows = RowsWithGradient(parameters, {{"exp_avg", averages}, {"exp_avg_sq", squares}}, &indices);
  const Tensors counts = StepsOf(steps, indices);
  const double longest = 2 / (1 - beta2) - 1;
  for (size_t i = 0; i < rows.size(); ++i) {
    const OptimRow& row = rows[i];
    const double step = Count(counts[i]);
    const Tensor gradient = Decayed(row, lr, weight_decay, decoupled, maximize);
    row[2].lerp_(gradient, 1 - beta1);
    row[3].mul_(beta2).addcmul_(gradient, gradient, 1 - beta2);
    const double correction2 = 1 - std::pow(beta2, step);
    const double length = longest - 2 * step * std::pow(beta2, step) / correction2;
    Tensor update = row[2].mul(lr / (1 - std::pow(beta1, step)));
    // The variance of the adaptive rate is only known once enough squares have been averaged.
    if (length > 5) {
      const double rectified =
          std::sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
      update = update.mul_(rectified * std::sqrt(correction2)).div_(row[3].sqrt().add_(eps));
    }
    row[0].sub_(update);
  }
}

}  // namespace

const OpTable& OptimMoreOps() {
  static const OpTable table = {
      Bind("adadeltaStep(parameters, squares, deltas, lr, rho, eps, weightDecay, maximize)", AdadeltaStep),
      Bind("adamaxStep(parameters, averages, norms, steps, lr, beta1, beta2, eps, weightDecay, maximize)",
           AdamaxStep),
      Bind("nadamStep(parameters, averages, squares, products, steps, lr, beta1, beta2, eps, weightDecay, "
           "momentumDecay, decoupled, maximize)",
           NAdamStep),
      Bind("radamStep(parameters, averages, squares, steps, lr, beta1, beta2, eps, weightDecay, decoupled, "
           "maximize)",
           RAdamStep),
  };
  return table;
}

}  // namespace dyconv
