#include "ops/shared_batch_norm.h"

#include <vector>

#include <ATen/ATen.h>
#include <ATen/Parallel.h>

#include "kernels/dispatch.h"

namespace dyconv {
namespace {

using at::Tensor;

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

// What the kernels compute: contiguous float32 planes on the CPU.
bool SharedBatchNormKernelsApply(const Tensor& input) {
  return input.device().is_cpu() && input.scalar_type() == at::kFloat && input.is_contiguous() &&
         input.numel() > 0;
}

using Kernel = void (*)(const kernels::SharedBatchNormArgs&, int64_t, int64_t);

// Runs a kernel over all channels of an input. Values of the channels are given as float32 where they exist.
void RunOnChannels(Kernel kernel, kernels::SharedBatchNormArgs args, const Tensor& input) {
  args.batch = input.size(0);
  args.channels = input.size(1);
  args.plane = input.numel() / (args.batch * args.channels);
  args.input = input.const_data_ptr<float>();
  at::parallel_for(0, args.channels, 1, [&](int64_t begin, int64_t end) { kernel(args, begin, end); });
}

// What a mean far from zero lost as float32, which would move all values of its channel.
Tensor RoundingOf(const Tensor& mean, const Tensor& rounded) { return rounded.to(at::kDouble) - mean; }

}  // namespace

Tensor BatchNormMoments(const Tensor& input) {
  const int64_t channels = input.size(1);
  const Tensor moments = at::empty({2, channels}, at::device(at::kCPU).dtype(at::kDouble));
  if (SharedBatchNormKernelsApply(input)) {
    RunOnChannels(kernels::BestKernels().BatchNormMoments, {.sums = moments.data_ptr<double>()}, input);
    return moments;
  }
  const auto dims = ReducedDims(input);
  const Tensor precise = at::isReducedFloatingType(input.scalar_type()) ? input.to(at::kFloat) : input;
  const auto [variance, mean] = at::var_mean(precise, at::OptionalIntArrayRef(dims), /*correction=*/0);
  moments[0].copy_(mean);
  moments[1].copy_(variance).mul_(static_cast<double>(input.numel() / channels));
  return moments;
}

Tensor BatchNormScale(const Tensor& input, const Tensor& mean, const Tensor& scale, const Tensor& shift) {
  if (!SharedBatchNormKernelsApply(input))
    return at::addcmul(OfChannels(shift - mean * scale, input), input, OfChannels(scale, input));
  const Tensor output = at::empty_like(input);
  const Tensor means = mean.to(at::kFloat), scales = scale.to(at::kFloat);
  const Tensor shifts = (shift + RoundingOf(mean, means) * scale).to(at::kFloat);
  RunOnChannels(kernels::BestKernels().BatchNormScale,
                {.mean = means.const_data_ptr<float>(),
                 .scale = scales.const_data_ptr<float>(),
                 .shift = shifts.const_data_ptr<float>(),
                 .output = output.data_ptr<float>()},
                input);
  return output;
}

Tensor BatchNormGradientSums(const Tensor& gradient, const Tensor& input, const Tensor& mean) {
  if (SharedBatchNormKernelsApply(input) && SharedBatchNormKernelsApply(gradient)) {
    const Tensor near = mean.to(at::kFloat), sums = at::empty({2, input.size(1)}, mean.options());
    RunOnChannels(kernels::BestKernels().BatchNormGradientSums,
                  {.gradient = gradient.const_data_ptr<float>(),
                   .mean = near.const_data_ptr<float>(),
                   .sums = sums.data_ptr<double>()},
                  input);
    sums[1].add_(RoundingOf(mean, near) * sums[0]);
    return sums;
  }
  const auto dims = ReducedDims(input);
  const Tensor centered = input - OfChannels(mean, input);
  return at::stack(
      {gradient.sum(dims, false, at::kDouble), (gradient * centered).sum(dims, false, at::kDouble)});
}

Tensor BatchNormInputGradient(const Tensor& gradient, const Tensor& input, const Tensor& mean,
                              const Tensor& scale, const Tensor& shift, const Tensor& along) {
  if (SharedBatchNormKernelsApply(input) && SharedBatchNormKernelsApply(gradient)) {
    const Tensor output = at::empty_like(input);
    const Tensor means = mean.to(at::kFloat), scales = scale.to(at::kFloat);
    const Tensor shifts = (shift + RoundingOf(mean, means) * along).to(at::kFloat);
    const Tensor parts = along.to(at::kFloat);
    RunOnChannels(kernels::BestKernels().BatchNormGradient,
                  {.gradient = gradient.const_data_ptr<float>(),
                   .mean = means.const_data_ptr<float>(),
                   .scale = scales.const_data_ptr<float>(),
                   .shift = shifts.const_data_ptr<float>(),
                   .along = parts.const_data_ptr<float>(),
                   .output = output.data_ptr<float>()},
                  input);
    return output;
  }
  return (gradient - OfChannels(shift, input) -
          (input - OfChannels(mean, input)) * OfChannels(along, input)) *
         OfChannels(scale, input);
}

}  // namespace dyconv
