// Whole optimizer steps: one call for all parameters, on libtorch's fused multi-tensor kernels.
#include "bindings/bindings.h"

namespace dyconv {
namespace {

using at::Tensor;
using Tensors = std::vector<Tensor>;

// Whether JavaScript gave a number rather than a Tensor.
bool IsNumber(const Operand& operand) { return operand.tensor.unsafeGetTensorImpl()->is_wrapped_number(); }

// The step of torch.optim.SGD. `buffers[i]` is the momentum of `parameters[i]`, null before its first
// gradient; the updated list is returned. Parameters without a gradient are left alone.
//
// A learning rate that is a tensor stays on its device. `found`, one float32 number, says whether a gradient
// was not finite: the step then changes nothing, and nothing waits for the device to know.
std::vector<Tensor> SgdStep(const Tensors& parameters, const std::vector<std::optional<Tensor>>& buffers,
                            const Operand& lr, double momentum, double dampening, double weight_decay,
                            bool nesterov, bool maximize, const std::optional<Tensor>& found) {
  at::NoGradGuard no_grad;
  const bool has_momentum = momentum != 0;
  struct Lists {
    Tensors parameters, gradients, buffers;
  } fresh, known;  // a first step starts the momentum from the gradient itself, whatever the dampening
  std::vector<Tensor> updated(has_momentum ? parameters.size() : 0);
  for (size_t i = 0; i < parameters.size(); ++i) {
    const Tensor& gradient = parameters[i].grad();
    const bool known_buffer = has_momentum && buffers.at(i).has_value();
    if (known_buffer) updated[i] = *buffers[i];
    if (!gradient.defined()) continue;
    Lists& lists = has_momentum && !known_buffer ? fresh : known;
    if (has_momentum && !known_buffer) updated[i] = at::zeros_like(parameters[i]);
    lists.parameters.push_back(parameters[i]);
    lists.gradients.push_back(gradient);
    if (has_momentum) lists.buffers.push_back(updated[i]);
  }
  for (auto* lists : {&fresh, &known}) {
    if (lists->parameters.empty()) continue;
    const bool first = lists == &fresh;
    if (IsNumber(lr)) {
      at::_fused_sgd_(lists->parameters, lists->gradients, lists->buffers, weight_decay, momentum,
                      lr.tensor.item<double>(), dampening, nesterov, maximize, first, {}, found);
    } else {
      at::_fused_sgd_(lists->parameters, lists->gradients, lists->buffers, weight_decay, momentum, lr.tensor,
                      dampening, nesterov, maximize, first, {}, found);
    }
  }
  return updated;
}

struct AdamLists {
  Tensors parameters, gradients, averages, squares, steps;
};

// Parameters with a gradient, beside their state; the state lists have an entry for every parameter.
AdamLists WithGradients(const Tensors& parameters, const Tensors& averages, const Tensors& squares,
                        const Tensors& steps) {
  AdamLists lists;
  for (size_t i = 0; i < parameters.size(); ++i) {
    if (!parameters[i].grad().defined()) continue;
    lists.parameters.push_back(parameters[i]);
    lists.gradients.push_back(parameters[i].grad());
    lists.averages.push_back(averages.at(i));
    lists.squares.push_back(squares.at(i));
    lists.steps.push_back(steps.at(i));
  }
  if (!lists.steps.empty()) at::_foreach_add_(lists.steps, 1);
  return lists;
}

void AdamStep(const Tensors& parameters, const Tensors& averages, const Tensors& squares,
              const Tensors& steps, const Operand& lr, double beta1, double beta2, double weight_decay,
              double eps, bool decoupled, const std::optional<Tensor>& found) {
  at::NoGradGuard no_grad;
  const AdamLists lists = WithGradients(parameters, averages, squares, steps);
  if (lists.parameters.empty()) return;
  const auto step = [&](const auto& rate) {
    const auto kernel = [&](auto function) {
      function(lists.parameters, lists.gradients, lists.averages, lists.squares, {}, lists.steps, rate, beta1,
               beta2, weight_decay, eps, /*amsgrad=*/false, /*maximize=*/false, {}, found);
    };
    using Rate = std::decay_t<decltype(rate)>;
    using Function = void (*)(
        at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList, at::TensorList,
        std::conditional_t<std::is_same_v<Rate, double>, double, const Tensor&>, double, double, double,
        double, bool, bool, const std::optional<Tensor>&, const std::optional<Tensor>&);
    kernel(decoupled ? static_cast<Function>(at::_fused_adamw_) : static_cast<Function>(at::_fused_adam_));
  };
  IsNumber(lr) ? step(lr.tensor.item<double>()) : step(lr.tensor);
  // A step that was left out does not count.
  if (found) at::_foreach_sub_(lists.steps, Tensors(lists.steps.size(), found->reshape({})));
}

void RmsPropStep(const Tensors& parameters, const Tensors& squares, const Tensors& buffers, double lr,
                 double alpha, double eps, double weight_decay, double momentum) {
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters.size(); ++i) {
    Tensor gradient = parameters[i].grad();
    if (!gradient.defined()) continue;
    if (weight_decay != 0) gradient = gradient.add(parameters[i], weight_decay);
    Tensor square = squares.at(i);
    square.mul_(alpha).addcmul_(gradient, gradient, 1 - alpha);
    const Tensor scale = square.sqrt().add_(eps);
    Tensor parameter = parameters[i];
    if (momentum != 0) {
      Tensor buffer = buffers.at(i);
      buffer.mul_(momentum).addcdiv_(gradient, scale);
      parameter.add_(buffer, -lr);
    } else {
      parameter.addcdiv_(gradient, scale, -lr);
    }
  }
}

void AdagradStep(const Tensors& parameters, const Tensors& sums, const Tensors& steps, double lr,
                 double lr_decay, double eps, double weight_decay) {
  at::NoGradGuard no_grad;
  for (size_t i = 0; i < parameters.size(); ++i) {
    Tensor gradient = parameters[i].grad();
    if (!gradient.defined()) continue;
    if (weight_decay != 0) gradient = gradient.add(parameters[i], weight_decay);
    const double taken = steps.at(i).add_(1).item<double>();
    Tensor sum = sums.at(i), parameter = parameters[i];
    sum.addcmul_(gradient, gradient);
    parameter.addcdiv_(gradient, sum.sqrt().add_(eps), -lr / (1 + (taken - 1) * lr_decay));
  }
}

void ZeroGrad(const Tensors& parameters) {
  for (const Tensor& parameter : parameters) parameter.mutable_grad().reset();
}

Tensors GradientsOf(const Tensors& parameters) {
  Tensors gradients;
  for (const Tensor& parameter : parameters) {
    if (parameter.grad().defined()) gradients.push_back(parameter.grad());
  }
  return gradients;
}

// torch.nn.utils.clip_grad_norm_: scales all gradients so that their joint p-norm is at most `max_norm`.
double ClipGradNorm(const Tensors& parameters, double max_norm, double norm_type) {
  at::NoGradGuard no_grad;
  const Tensors gradients = GradientsOf(parameters);
  if (gradients.empty()) return 0;
  const double norm =
      at::linalg_vector_norm(at::stack(at::_foreach_norm(gradients, norm_type)), norm_type).item<double>();
  const double scale = max_norm / (norm + 1e-6);
  if (scale < 1) at::_foreach_mul_(gradients, scale);
  return norm;
}

// torch.nn.utils.clip_grad_value_.
void ClipGradValue(const Tensors& parameters, double clip_value) {
  at::NoGradGuard no_grad;
  const Tensors gradients = GradientsOf(parameters);
  if (gradients.empty()) return;
  at::_foreach_clamp_min_(gradients, -clip_value);
  at::_foreach_clamp_max_(gradients, clip_value);
}

// averages += (1 - decay) * (values - averages)
void EmaStep(const Tensors& averages, const Tensors& values, double decay) {
  at::NoGradGuard no_grad;
  at::_foreach_lerp_(averages, values, 1 - decay);
}

}  // namespace

const OpTable& OptimOps() {
  static const OpTable table = {
      Bind("sgdStep(parameters, buffers, lr, momentum, dampening, weightDecay, nesterov, maximize, found)",
           SgdStep),
      Bind("adamStep(parameters, averages, squares, steps, lr, beta1, beta2, weightDecay, eps, decoupled, "
           "found)",
           AdamStep),
      Bind("rmsPropStep(parameters, squares, buffers, lr, alpha, eps, weightDecay, momentum)", RmsPropStep),
      Bind("adagradStep(parameters, sums, steps, lr, lrDecay, eps, weightDecay)", AdagradStep),
      Bind("zeroGrad(parameters)", ZeroGrad),
      Bind("clipGradNorm(parameters, maxNorm, normType)", ClipGradNorm),
      Bind("clipGradValue(parameters, clipValue)", ClipGradValue),
      Bind("emaStep(averages, values, decay)", EmaStep),
  };
  return table;
}

}  // namespace dyconv
