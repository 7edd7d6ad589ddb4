#include "distributed/sync_batch_norm.h"

#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include "ops/optional_tensor.h"
#include "ops/shared_batch_norm.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using at::Tensor;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

Tensor SumOfAll(const Group& group, Tensor values) {
  std::vector<Tensor> tensors{values};
  group.backend().allreduce(tensors, {})->wait();
  return values;
}

struct Statistics {
  Tensor mean, variance;  // [C], float64; the variance is the biased one
  double count = 0;       // values of a channel, in all processes
};

// From means and squared deviations of each process, which are exact where sums of squares would cancel.
Statistics StatisticsOfAll(const Group& group, const Tensor& input) {
  const int64_t channels = input.size(1);
  const double count = static_cast<double>(input.numel()) / static_cast<double>(channels);
  const auto doubles = at::device(at::kCPU).dtype(at::kDouble);
  Tensor own = at::zeros({2 * channels + 1}, doubles);
  if (count > 0) {
    own.narrow(0, 0, 2 * channels).copy_(BatchNormMoments(input).flatten());
    own[2 * channels].fill_(count);
  }
  std::vector<std::vector<Tensor>> gathered(1);
  for (int i = 0; i < group.size(); ++i) gathered[0].push_back(at::empty_like(own));
  std::vector<Tensor> sent{own};
  group.backend().allgather(gathered, sent, {})->wait();

  const Tensor all = at::stack(gathered[0]);  // [processes, 2 C + 1]
  const Tensor counts = all.narrow(1, 2 * channels, 1);
  const Tensor means = all.narrow(1, 0, channels);
  Statistics found;
  found.count = counts.sum().item<double>();
  found.mean = (means * counts).sum(0) / found.count;
  const Tensor deviations = all.narrow(1, channels, channels).sum(0);
  found.variance = (deviations + ((means - found.mean).square() * counts).sum(0)) / found.count;
  return found;
}

class SyncBatchNormFunction : public Function<SyncBatchNormFunction> {
 public:
  // `weight` and `bias` may be undefined.
  static Tensor forward(AutogradContext* context, const std::shared_ptr<Group>& group, const Tensor& input,
                        const Tensor& weight, const Tensor& bias, const Tensor& mean, const Tensor& inverse,
                        double count) {
    Tensor scale = inverse;
    if (weight.defined()) scale = scale * weight.to(at::kDouble);
    const Tensor shift = bias.defined() ? bias.to(at::kDouble) : at::zeros_like(mean);
    context->save_for_backward({input, weight, mean, inverse});
    context->saved_data["count"] = count;
    context->saved_data["has_bias"] = bias.defined();
    // The graph may outlive JavaScript's object of the group.
    context->saved_data["group"] = c10::IValue::make_capsule(c10::make_intrusive<Kept>(group));
    return BatchNormScale(input, mean, scale, shift);
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const variable_list saved = context->get_saved_variables();
    const Tensor &input = saved[0], &weight = saved[1], &mean = saved[2], &inverse = saved[3];
    // The sums of the other processes are constants to autograd.
    Require(!c10::GradMode::is_enabled(), ErrorKind::kArgument,
            "Expected createGraph = false: SyncBatchNorm can be differentiated only once");
    const Tensor gradient = gradients[0].contiguous();
    const auto kept = c10::static_intrusive_pointer_cast<Kept>(context->saved_data["group"].toCapsule());
    const Tensor sums = BatchNormGradientSums(gradient, input, mean);
    Tensor of_weight, of_bias;
    if (weight.defined()) of_weight = (sums[1] * inverse).to(weight.scalar_type());
    if (context->saved_data["has_bias"].toBool())
      of_bias = sums[0].to(weight.defined() ? weight.scalar_type() : input.scalar_type());
    const Tensor all = SumOfAll(*kept->group, sums.clone()) / context->saved_data["count"].toDouble();
    Tensor scale = inverse;
    if (weight.defined()) scale = scale * weight.to(at::kDouble);
    const Tensor of_input =
        BatchNormInputGradient(gradient, input, mean, scale, all[0], all[1] * inverse.square());
    return {Tensor(), of_input, of_weight, of_bias, Tensor(), Tensor(), Tensor()};
  }

 private:
  struct Kept : torch::CustomClassHolder {
    explicit Kept(std::shared_ptr<Group> kept) : group(std::move(kept)) {}
    std::shared_ptr<Group> group;
  };
};

}  // namespace

Tensor SyncBatchNorm(const std::shared_ptr<Group>& group, const Tensor& input, const OptionalTensor& weight,
                     const OptionalTensor& bias, const OptionalTensor& running_mean,
                     const OptionalTensor& running_var, double momentum, double eps) {
  Require(at::isFloatingType(input.scalar_type()), ErrorKind::kDType,
          "Expected a floating-point Tensor for input of SyncBatchNorm");
  Require(input.dim() >= 2, ErrorKind::kShape, "Expected a Tensor [B, C, ...] for input of SyncBatchNorm");
  for (const OptionalTensor* values : {&weight, &bias, &running_mean, &running_var}) {
    Require(!*values || (*values)->numel() == input.size(1), ErrorKind::kShape, "Expected an input of ",
            *values ? (*values)->numel() : 0, " channels for SyncBatchNorm but received ", input.size(1));
  }
  Statistics statistics;
  {
    at::NoGradGuard no_grad;
    statistics = StatisticsOfAll(*group, input);
    Require(statistics.count > 1, ErrorKind::kShape,
            "Expected more than 1 value per channel in all processes when training");
    const auto update = [&](const OptionalTensor& running, const Tensor& value) {
      if (running) running->mul_(1 - momentum).add_(value.to(running->scalar_type()), momentum);
    };
    update(running_mean, statistics.mean);
    update(running_var, statistics.variance * (statistics.count / (statistics.count - 1)));
  }
  const Tensor inverse = (statistics.variance + eps).rsqrt();
  return SyncBatchNormFunction::apply(group, input, weight.value_or(Tensor()), bias.value_or(Tensor()),
                                      statistics.mean, inverse, statistics.count);
}

}  // namespace dyconv
