#include "ops/inference/pool.h"

#include <ATen/ops/mean.h>
#include <ATen/ops/mul.h>

#include "kernels/dispatch.h"
#include "ops/inference/images.h"

namespace dyconv {
namespace {

bool IsCpuFloatImage(const at::Tensor& x) {
  return x.dim() == 4 && x.numel() > 0 && x.device().is_cpu() && x.scalar_type() == at::kFloat;
}

}  // namespace

at::Tensor FusedMaxPool2d(const at::Tensor& input, const MaxPoolOptions& o) {
  // MaxPool2d has the kernel for contiguous planes, and reports invalid options.
  if (!IsCpuFloatImage(input) || !IsChannelsLast(input) || !MaxPoolAxisFits(input.sizes(), o, 0) ||
      !MaxPoolAxisFits(input.sizes(), o, 1)) {
    return MaxPool2d(input, o);
  }
  kernels::NhwcPoolArgs args;
  args.shape = MaxPoolShapeOf(input.sizes(), o);
  args.channels = input.size(1);
  const auto output =
      EmptyChannelsLast({input.size(0), args.channels, args.shape.out_h, args.shape.out_w}, input);
  args.input = input.const_data_ptr<float>();
  args.output = output.data_ptr<float>();
  const auto reads = static_cast<double>(output.numel() * o.kernel[0] * o.kernel[1]);
  InParallel(ThreadsForWork(0, reads / 4), input.size(0) * args.shape.out_h,
             [&](int64_t begin, int64_t end) { kernels::BestKernels().NhwcMaxPool(args, begin, end); });
  return output;
}

at::Tensor ChannelMeans(const at::Tensor& input) {
  if (!IsCpuFloatImage(input)) return input.mean({2, 3}, /*keepdim=*/true);
  const auto image = AsChannelsLast(input);
  const auto means = at::empty({input.size(0), input.size(1), 1, 1}, input.options());
  InParallel(ThreadsForWork(0, static_cast<double>(input.numel())), input.size(0),
             [&](int64_t begin, int64_t end) {
               kernels::BestKernels().NhwcMeans(image.const_data_ptr<float>(), input.size(2) * input.size(3),
                                                input.size(1), means.data_ptr<float>(), begin, end);
             });
  return means;
}

at::Tensor ScaleChannels(const at::Tensor& input, const at::Tensor& scale) {
  const bool same = scale.dim() == 4 && input.dim() == 4 && scale.size(0) == input.size(0) &&
                    scale.size(1) == input.size(1) && scale.size(2) == 1 && scale.size(3) == 1;
  if (!same || !IsCpuFloatImage(input) || !IsCpuFloatImage(scale)) return at::mul(input, scale);
  const auto image = AsChannelsLast(input), factors = scale.contiguous();
  const auto output = EmptyChannelsLast(input.sizes(), input);
  const int64_t plane = input.size(2) * input.size(3);
  InParallel(ThreadsForWork(0, static_cast<double>(input.numel())), input.size(0) * plane,
             [&](int64_t begin, int64_t end) {
               kernels::BestKernels().NhwcScale(image.const_data_ptr<float>(),
                                                factors.const_data_ptr<float>(), plane, input.size(1),
                                                output.data_ptr<float>(), begin, end);
             });
  return output;
}

}  // namespace dyconv
