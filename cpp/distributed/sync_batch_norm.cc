#include "distributed/sync_batch_norm.h"

#include <utility>
#include <vector>

#include <ATen/ATen.h>
#include <torch/csrc/autograd/custom_function.h>

#include "typed_error.h"

namespace dyconv {
namespace {

using at::Tensor;
using OptionalTensor = std::optional<Tensor>;
using torch::autograd::AutogradContext;
using torch::autograd::Function;
using torch::autograd::variable_list;

// All dimensions but that of the channels.
std::vector<int64_t> ReducedDims(const Tensor& input) {
  std::vector<int64_t> dims{0};
  for (int64_t dim = 2; dim < input.dim(); ++dim) dims.push_back(dim);
  return dims;
}

// [C] as [1, C, 1, ...], to be combined with an input.
Tensor OfChannels(const Tensor& values, const Tensor& input) {
  std::vector<int64_t> shape(static_cast<size_t>(input.dim()), 1);
  shape[1] = values.numel();
  return values.to(input.scalar_type()).view(shape);
}

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
  const auto dims = ReducedDims(input);
  const double count = static_cast<double>(input.numel()) / static_cast<double>(channels);
  const auto doubles = at::device(at::kCPU).dtype(at::kDouble);
  Tensor own = at::zeros({2 * channels + 1}, doubles);
  if (count > 0) {
    const Tensor precise = at::isReducedFloatingType(input.scalar_type()) ? input.to(at::kFloat) : input;
    const auto [variance, mean] = at::var_mean(precise, at::OptionalIntArrayRef(dims), /*correction=*/0);
    own.narrow(0, 0, channels).copy_(mean);
    own.narrow(0, channels, channels).copy_(variance).mul_(count);
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
    Tensor shift = -mean * scale;
    if (bias.defined()) shift = shift + bias.to(at::kDouble);
    context->save_for_backward({input, weight, mean, inverse});
    context->saved_data["count"] = count;
    context->saved_data["has_bias"] = bias.defined();
    // The graph may outlive JavaScript's object of the group.
    context->saved_data["group"] = c10::IValue::make_capsule(c10::make_intrusive<Kept>(group));
    return at::addcmul(OfChannels(shift, input), input, OfChannels(scale, input));
  }

  static variable_list backward(AutogradContext* context, variable_list gradients) {
    const Tensor gradient = gradients[0];
    const variable_list saved = context->get_saved_variables();
    const Tensor &input = saved[0], &weight = saved[1], &mean = saved[2], &inverse = saved[3];
    const auto kept = c10::static_intrusive_pointer_cast<Kept>(context->saved_data["group"].toCapsule());
    const double count = context->saved_data["count"].toDouble();
    const auto dims = ReducedDims(input);
    const Tensor centered = input - OfChannels(mean, input);
    const Tensor sum = gradient.sum(dims, false, at::kDouble);
    const Tensor product = (gradient * centered).sum(dims, false, at::kDouble);
    Tensor of_weight, of_bias;
    if (weight.defined()) of_weight = (product * inverse).to(weight.scalar_type());
    if (context->saved_data["has_bias"].toBool())
      of_bias = sum.to(weight.defined() ? weight.scalar_type() : input.scalar_type());
    const Tensor all = SumOfAll(*kept->group, at::cat({sum, product})) / count;
    const int64_t channels = input.size(1);
    Tensor scale = inverse;
    if (weight.defined()) scale = scale * weight.to(at::kDouble);
    const Tensor along = all.narrow(0, channels, channels) * inverse.square();
    const Tensor of_input =
        (gradient - OfChannels(all.narrow(0, 0, channels), input) - centered * OfChannels(along, input)) *
        OfChannels(scale, input);
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
