// Optimizer steps: one call for all parameters of a group. SGD and Adam use libtorch's fused kernels; the
// others use its element-wise operations, which support any memory layout. The formulas are those of
// torch.optim.
#include <algorithm>
#include <cmath>

#include "bindings/binders.h"
#include "bindings/bindings.h"
#include "bindings/optim_rows.h"

namespace dyconv {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;
using Found = std::optional<Tensor>;

// `found`, one float32 number, is 1 if a gradient was not finite. The step then changes nothing; the value is
// read on the device, without synchronization.
void CheckFound(const Found& found) {
  if (found) CheckOneNumber(*found, "found");
}

// Runs a fused kernel on the rows. A learning rate that is a tensor stays on its device.
template <class F>
void RunFused(const std::vector<OptimRow>& rows, const Tensors& steps, const Operand& lr, const Found& found,
              const F& kernel) {
  for (const FusedLists& lists : GroupRows(rows, steps)) {
    const Found here = found ? Found(found->to(lists.device())) : std::nullopt;
    if (lr.IsNumber()) {
      kernel(lists, lr.tensor.item<double>(), here);
    } else {
      kernel(lists, lr.tensor.to(lists.device()), here);
    }
    lists.WriteBack();
  }
}

// The step of torch.optim.SGD. `buffers[i]` is the momentum of `parameters[i]`, null before its first
// gradient; `fresh` has the numbers of those made for this step.
void SgdStep(const Tensors& parameters, const OptionalTensors& buffers, const std::vector<int64_t>& fresh,
             const Operand& lr, double momentum, double dampening, double weight_decay, bool nesterov,
             bool maximize, const Found& found) {
  at::NoGradGuard no_grad;
  CheckFound(found);
  std::vector<size_t> indices;
  std::vector<StateList> state;
  if (momentum != 0) state.push_back({"momentum_buffer", buffers});
  const std::vector<OptimRow> rows = RowsWithGradient(parameters, state, &indices);
  // A first step starts the momentum from the gradient itself, regardless of the dampening.
  std::vector<OptimRow> first, later;
  for (size_t i = 0; i < rows.size(); ++i) {
    if (momentum != 0 && !rows[i].back().defined())
      Fail(ErrorKind::kArgument, "Expected a momentum buffer of parameter ", indices[i],
           " for buffers of sgdStep");
    const auto number = static_cast<int64_t>(indices[i]);
    const bool starts = std::find(fresh.begin(), fresh.end(), number) != fresh.end();
    (starts ? first : later).push_back(rows[i]);
  }
  for (const auto* part : {&first, &later}) {
    // libtorch's CPU kernel (2.13) does not store parameters of 16 bits in its vectorized loop.
    const WidenedRows widened(*part);
    RunFused(widened.rows(), {}, lr, found,
             [&](const FusedLists& lists, const auto& rate, const Found& here) {
               at::_fused_sgd_(lists[0], lists[1], momentum != 0 ? lists[2] : Tensors{}, weight_decay,
                               momentum, rate, dampening, nesterov, maximize, part == &first, {}, here);
             });
    widened.WriteBack();
  }
}

using AdamKernel = void(at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList,
                        at::TensorList, double, double, double, double, double, bool, bool, const Found&,
                        const Found&);

using AdamTensorKernel = void(at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList,
                              at::TensorList, const Tensor&, double, double, double, double, bool, bool,
                              const Found&, const Found&);

// The step of torch.optim.Adam and AdamW; with `max_squares`, one entry per parameter, the AMSGrad variant.
void AdamStep(const Tensors& parameters, const OptionalTensors& averages, const OptionalTensors& squares,
              const OptionalTensors& max_squares, const OptionalTensors& steps, const Operand& lr,
              double beta1, double beta2, double weight_decay, double eps, bool decoupled, bool maximize,
              const Found& found) {
  at::NoGradGuard no_grad;
  CheckFound(found);
  const bool amsgrad = !max_squares.empty();
  std::vector<size_t> indices;
  std::vector<StateList> state{{"exp_avg", averages}, {"exp_avg_sq", squares}};
  if (amsgrad) state.push_back({"max_exp_avg_sq", max_squares});
  const std::vector<OptimRow> rows = RowsWithGradient(parameters, state, &indices);
  const Tensors counts = StepsOf(steps, indices);
  if (rows.empty()) return;
  at::_foreach_add_(counts, 1);
  const auto run = [&](const FusedLists& lists, const auto& rate, const Found& here) {
    using Kernel = std::conditional_t<std::is_same_v<std::decay_t<decltype(rate)>, double>, AdamKernel,
                                      AdamTensorKernel>;
    Kernel* kernel =
        decoupled ? static_cast<Kernel*>(at::_fused_adamw_) : static_cast<Kernel*>(at::_fused_adam_);
    kernel(lists[0], lists[1], lists[2], lists[3], amsgrad ? lists[4] : Tensors{}, lists.steps(), rate, beta1,
           beta2, weight_decay, eps, amsgrad, maximize, {}, here);
  };
  RunFused(rows, counts, lr, found, run);
  // A step that was skipped does not count.
  if (!found) return;
  for (const Tensor& count : counts) count.sub_(found->reshape({}).to(count.device()));
}

// The gradient used by an optimizer.
Tensor Direction(const OptimRow& row, double weight_decay, bool maximize) {
  const Tensor gradient = maximize ? row[1].neg() : row[1];
  return weight_decay != 0 ? gradient.add(row[0], weight_decay) : gradient;
}

// The step of torch.optim.RMSprop; centered with `averages`, and with momentum with `buffers`, one entry per
// parameter each.
void RmsPropStep(const Tensors& parameters, const OptionalTensors& squares, const OptionalTensors& averages,
                 const OptionalTensors& buffers, double lr, double alpha, double eps, double weight_decay,
                 double momentum, bool maximize) {
  at::NoGradGuard no_grad;
  const bool centered = !averages.empty();
  std::vector<StateList> state{{"square_avg", squares}};
  if (centered) state.push_back({"grad_avg", averages});
  if (momentum != 0) state.push_back({"momentum_buffer", buffers});
  for (const OptimRow& row : RowsWithGradient(parameters, state)) {
    const Tensor& parameter = row[0];
    const Tensor gradient = Direction(row, weight_decay, maximize);
    row[2].mul_(alpha).addcmul_(gradient, gradient, 1 - alpha);
    Tensor scale;
    if (centered) {
      row[3].lerp_(gradient, 1 - alpha);
      scale = row[2].addcmul(row[3], row[3], -1).sqrt_().add_(eps);
    } else {
      scale = row[2].sqrt().add_(eps);
    }
    if (momentum != 0) {
      parameter.add_(row.back().mul_(momentum).addcdiv_(gradient, scale), -lr);
    } else {
      parameter.addcdiv_(gradient, scale, -lr);
    }
  }
}

void AdagradStep(const Tensors& parameters, const OptionalTensors& sums, const OptionalTensors& steps,
                 double lr, double lr_decay, double eps, double weight_decay, bool maximize) {
  at::NoGradGuard no_grad;
  std::vector<size_t> indices;
  const std::vector<OptimRow> rows = RowsWithGradient(parameters, {{"sum", sums}}, &indices);
  const Tensors counts = StepsOf(steps, indices);
  for (size_t i = 0; i < rows.size(); ++i) {
    const Tensor gradient = Direction(rows[i], weight_decay, maximize);
    const double taken = counts[i].add_(1).item<double>();
    rows[i][2].addcmul_(gradient, gradient);
    rows[i][0].addcdiv_(gradient, rows[i][2].sqrt().add_(eps), -lr / (1 + (taken - 1) * lr_decay));
  }
}

// State of a parameter, filled with `value`; with the memory layout of the parameter if that is dense.
Tensor FilledState(const Tensor& parameter, double value) {
  at::NoGradGuard no_grad;
  return at::full_like(parameter, value);
}

// The same with the values of a saved state, which has the shape of the parameter.
Tensor CopiedState(const Tensor& parameter, const Tensor& saved) {
  at::NoGradGuard no_grad;
  return at::empty_like(parameter).copy_(saved);
}

// averages += (1 - decay) * (values - averages). Averages of 16-bit values are float32, since most steps
// would be rounded to nothing in 16 bits.
void EmaStep(const Tensors& averages, const Tensors& values, double decay) {
  at::NoGradGuard no_grad;
  Tensors same;
  for (size_t i = 0; i < averages.size(); ++i) {
    const Tensor& value = values.at(i);
    if (value.sizes() != averages[i].sizes())
      throw TypedError(ErrorKind::kShape,
                       "Expected parameters of the shapes they had when the average began, but "
                       "parameter " +
                           std::to_string(i) + " has another");
    same.push_back(value.to(averages[i].options()));
  }
  at::_foreach_lerp_(averages, same, 1 - decay);
}

// The gradient of the step. Decoupled weight decay changes the parameter immediately.
Tensor Decayed(const OptimRow& row, double lr, double weight_decay, bool decoupled, bool maximize) {
  const Tensor gradient = maximize ? row[1].neg() : row[1];
  if (weight_decay == 0) return gradient;
  if (!decoupled) return gradient.add(row[0], weight_decay);
  row[0].mul_(1 - lr * weight_decay);
  return gradient;
}

// Increments the step count.
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
    // The variance of the adaptive rate is defined only after enough steps.
    if (length > 5) {
      const double rectified =
          std::sqrt((length - 4) * (length - 2) * longest / ((longest - 4) * (longest - 2) * length));
      update = update.mul_(rectified * std::sqrt(correction2)).div_(row[3].sqrt().add_(eps));
    }
    row[0].sub_(update);
  }
}

}  // namespace

const OpTable& OptimOps() {
  static const OpTable table = {
      Bind("sgdStep(parameters, buffers, fresh, lr, momentum, dampening, weightDecay, nesterov, maximize, "
           "found)",
           SgdStep),
      Bind("adamStep(parameters, averages, squares, maxSquares, steps, lr, beta1, beta2, weightDecay, eps, "
           "decoupled, maximize, found)",
           AdamStep),
      Bind("rmsPropStep(parameters, squares, averages, buffers, lr, alpha, eps, weightDecay, momentum, "
           "maximize)",
           RmsPropStep),
      Bind("adagradStep(parameters, sums, steps, lr, lrDecay, eps, weightDecay, maximize)", AdagradStep),
      Bind("adadeltaStep(parameters, squares, deltas, lr, rho, eps, weightDecay, maximize)", AdadeltaStep),
      Bind("adamaxStep(parameters, averages, norms, steps, lr, beta1, beta2, eps, weightDecay, maximize)",
           AdamaxStep),
      Bind("nadamStep(parameters, averages, squares, products, steps, lr, beta1, beta2, eps, weightDecay, "
           "momentumDecay, decoupled, maximize)",
           NAdamStep),
      Bind("radamStep(parameters, averages, squares, steps, lr, beta1, beta2, eps, weightDecay, decoupled, "
           "maximize)",
           RAdamStep),
      Bind("filledState(parameter, value)", FilledState),
      Bind("copiedState(parameter, saved)", CopiedState),
      Bind("emaStep(averages, values, decay)", EmaStep),
  };
  return table;
}

}  // namespace dyconv
