#include "ops/inference/pool.h"

#include <ATen/native/Pool.h>
#include <ATen/ops/mean.h>
#include <ATen/ops/mul.h>

#include "kernels/dispatch.h"
#include "ops/inference/images.h"
#include "ops/pool.h"

namespace dyconv {
namespace {

const kernels::KernelTable& Table() { return kernels::Kernels(kernels::BestIsa()); }

bool Usable(const at::Tensor& x) {
  return x.dim() == 4 && x.numel() > 0 && x.device().is_cpu() && x.scalar_type() == at::kFloat;
}

// Whether the kernel can compute such windows; whatever is wrong with the options is left to MaxPool2d to
// say.
bool Fits(const at::Tensor& x, const MaxPoolOptions& o) {
  for (size_t i = 0; i < 2; ++i) {
    if (o.kernel[i] < 1 || o.stride[i] < 1 || o.dilation[i] < 1 || o.padding[i] < 0 ||
        o.padding[i] * 2 > o.kernel[i]) {
      return false;
    }
    const WindowAxis axis{x.size(2 + static_cast<int64_t>(i)), o.kernel[i], o.stride[i], o.padding[i],
                          o.dilation[i]};
    if (axis.count() < 1 || !MaxPoolFits(axis, o.ceil_mode)) return false;
  }
  return true;
}

}  // namespace

at::Tensor FusedMaxPool2d(const at::Tensor& input, const MaxPoolOptions& o) {
  // Planes have a kernel of their own.
  if (!Usable(input) || !IsChannelsLast(input) || !Fits(input, o)) return MaxPool2d(input, o);
  const auto out = [&](size_t i) {
    return at::native::pooling_output_shape<int64_t>(input.size(2 + static_cast<int64_t>(i)), o.kernel[i],
                                                     o.padding[i], o.stride[i], o.dilation[i], o.ceil_mode);
  };
  kernels::NhwcPoolArgs args;
  args.shape = {.in_h = input.size(2),
                .in_w = input.size(3),
                .out_h = out(0),
                .out_w = out(1),
                .kernel_h = o.kernel[0],
                .kernel_w = o.kernel[1],
                .stride_h = o.stride[0],
                .stride_w = o.stride[1],
                .padding_h = o.padding[0],
                .padding_w = o.padding[1],
                .dilation_h = o.dilation[0],
                .dilation_w = o.dilation[1]};
  args.channels = input.size(1);
  const auto output = EmptyChannelsLast({input.size(0), args.channels, out(0), out(1)}, input);
  args.input = input.const_data_ptr<float>();
  args.output = output.data_ptr<float>();
  const auto reads = static_cast<double>(output.numel() * o.kernel[0] * o.kernel[1]);
  InParallel(ThreadsForWork(0, reads / 4), input.size(0) * args.shape.out_h,
             [&](int64_t begin, int64_t end) { Table().NhwcMaxPool(args, begin, end); });
  return output;
}

at::Tensor ChannelMeans(const at::Tensor& input) {
  if (!Usable(input)) return input.mean({2, 3}, /*keepdim=*/true);
  const auto image = AsChannelsLast(input);
  const auto means = at::empty({input.size(0), input.size(1), 1, 1}, input.options());
  InParallel(ThreadsForWork(0, static_cast<double>(input.numel())), input.size(0),
             [&](int64_t begin, int64_t end) {
               Table().NhwcMeans(image.const_data_ptr<float>(), input.size(2) * input.size(3), input.size(1),
                                 means.data_ptr<float>(), begin, end);
             });
  return means;
}

at::Tensor ScaleChannels(const at::Tensor& input, const at::Tensor& scale) {
  const bool same = scale.dim() == 4 && input.dim() == 4 && scale.size(0) == input.size(0) &&
                    scale.size(1) == input.size(1) && scale.size(2) == 1 && scale.size(3) == 1;
  if (!same || !Usable(input) || !Usable(scale)) return at::mul(input, scale);
  const auto image = AsChannelsLast(input), factors = scale.contiguous();
  const auto output = EmptyChannelsLast(input.sizes(), input);
  const int64_t plane = input.size(2) * input.size(3);
  InParallel(ThreadsForWork(0, static_cast<double>(input.numel())), input.size(0) * plane,
             [&](int64_t begin, int64_t end) {
               Table().NhwcScale(image.const_data_ptr<float>(), factors.const_data_ptr<float>(), plane,
                                 input.size(1), output.data_ptr<float>(), begin, end);
             });
  return output;
}

}  // namespace dyconv
