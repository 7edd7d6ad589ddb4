#include "ops/max_pool.h"

#include <ATen/native/Pool.h>
#include <ATen/ops/empty.h>
#include <ATen/ops/max_pool2d_with_indices.h>
#include <ATen/ops/max_pool2d_with_indices_backward.h>
#include <ATen/Parallel.h>
#include <c10/core/GradMode.h>
#include <torch/csrc/autograd/custom_function.h>

#include <algorithm>

#include "kernels/dispatch.h"
#include "ops/memory/scratch.h"
#include "ops/pool.h"

namespace dyconv {

bool MaxPoolAxisFits(at::IntArrayRef sizes, const MaxPoolOptions& o, size_t i) {
  if (o.kernel[i] < 1 || o.stride[i] < 1 || o.dilation[i] < 1 || o.padding[i] < 0 ||
      o.padding[i] * 2 > o.kernel[i]) {
    return false;
  }
  const WindowAxis axis{sizes[2 + i], o.kernel[i], o.stride[i], o.padding[i], o.dilation[i]};
  return axis.count() > 0 && MaxPoolFits(axis, o.ceil_mode);
}

kernels::MaxPoolShape MaxPoolShapeOf(at::IntArrayRef sizes, const MaxPoolOptions& o) {
  const auto out = [&](size_t i) {
    return at::native::pooling_output_shape<int64_t>(sizes[2 + i], o.kernel[i], o.padding[i], o.stride[i],
                                                     o.dilation[i], o.ceil_mode);
  };
  return {.in_h = sizes[2],
          .in_w = sizes[3],
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
}

namespace {

using torch::autograd::AutogradContext;
using torch::autograd::Variable;
using torch::autograd::variable_list;

// The least number of pixels per thread.
constexpr int64_t kGrainPixels = 1 << 15;

// Whether the kernels can compute it. Wrong arguments are left to at::max_pool2d to report.
bool MaxPoolKernelApplies(const at::Tensor& x, const MaxPoolOptions& o) {
  const auto fits = [&](size_t i) {
    return o.kernel[i] <= kernels::kMaxPoolTaps && o.stride[i] <= kernels::kMaxPhases &&
           MaxPoolAxisFits(x.sizes(), o, i);
  };
  const bool known = x.scalar_type() == at::kFloat || x.scalar_type() == at::kBFloat16;
  return x.device().is_cpu() && known && x.dim() == 4 && x.numel() > 0 && x.is_contiguous() &&
         x.suggest_memory_format() == at::MemoryFormat::Contiguous && fits(0) && fits(1) &&
         o.kernel[0] * o.kernel[1] <= kernels::kMaxPoolTaps &&
         o.stride[0] * o.stride[1] <= kernels::kMaxPhases;
}

int64_t Grain(const kernels::MaxPoolShape& s) { return std::max<int64_t>(1, kGrainPixels / s.in_plane()); }

// The maxima, and their taps in `winners` if that is defined.
at::Tensor MaxPoolForward(const at::Tensor& input, const MaxPoolOptions& options, at::Tensor* winners) {
  const auto s = MaxPoolShapeOf(input.sizes(), options);
  const auto& table = kernels::BestKernels();
  const std::array<int64_t, 4> sizes{input.size(0), input.size(1), s.out_h, s.out_w};
  auto output = at::empty(sizes, input.options());
  uint8_t* taps = nullptr;
  if (winners != nullptr) {
    *winners = at::empty(sizes, input.options().dtype(at::kByte));
    taps = winners->data_ptr<uint8_t>();
  }
  const int64_t floats = Scratch::Rounded(table.MaxPoolScratch(s));
  Scratch scratch(at::get_num_threads() * floats);
  float* own = scratch.Take(at::get_num_threads() * floats);
  const void* from = input.const_data_ptr();
  void* to = output.mutable_data_ptr();
  at::parallel_for(0, sizes[0] * sizes[1], Grain(s), [&](int64_t begin, int64_t end) {
    float* mine = own + at::get_thread_num() * floats;
    if (input.scalar_type() == at::kBFloat16) {
      table.MaxPoolForwardBf16(s, static_cast<const uint16_t*>(from), static_cast<uint16_t*>(to), taps, begin,
                               end, mine);
    } else {
      table.MaxPoolForward(s, static_cast<const float*>(from), static_cast<float*>(to), taps, begin, end,
                           mine);
    }
  });
  return output;
}

// Summed in float32 for all dtypes.
at::Tensor MaxPoolBackward(const at::Tensor& grad_output, const at::Tensor& winners, at::IntArrayRef sizes,
                           const MaxPoolOptions& options) {
  const auto s = MaxPoolShapeOf(sizes, options);
  const auto grad = grad_output.to(at::kFloat).contiguous();
  auto grad_input = at::empty(sizes, grad.options());
  const float* from = grad.const_data_ptr<float>();
  const uint8_t* taps = winners.const_data_ptr<uint8_t>();
  float* to = grad_input.data_ptr<float>();
  at::parallel_for(0, sizes[0] * sizes[1], Grain(s), [&](int64_t begin, int64_t end) {
    kernels::BestKernels().MaxPoolBackward(s, from, taps, to, begin, end);
  });
  return grad_input.to(grad_output.scalar_type());
}

std::vector<int64_t> Pack(const MaxPoolOptions& o) {
  return {o.kernel[0],  o.kernel[1],   o.stride[0],   o.stride[1], o.padding[0],
          o.padding[1], o.dilation[0], o.dilation[1], o.ceil_mode};
}

MaxPoolOptions Unpack(const std::vector<int64_t>& p) {
  return {{p[0], p[1]}, {p[2], p[3]}, {p[4], p[5]}, {p[6], p[7]}, p[8] != 0};
}

class MaxPoolFunction : public torch::autograd::Function<MaxPoolFunction> {
 public:
  static Variable forward(AutogradContext* ctx, const Variable& input, const MaxPoolOptions& options) {
    at::Tensor winners;
    auto output = MaxPoolForward(input, options, &winners);
    ctx->save_for_backward({input, winners});
    ctx->saved_data["options"] = Pack(options);
    return output;
  }

  static variable_list backward(AutogradContext* ctx, const variable_list& grad_outputs) {
    const auto saved = ctx->get_saved_variables();
    const auto o = Unpack(ctx->saved_data["options"].toIntVector());
    if (at::GradMode::is_enabled()) {
      // If this is differentiated itself: libtorch's backward.
      const auto input = saved[0].detach();
      const auto indices = std::get<1>(
          at::max_pool2d_with_indices(input, o.kernel, o.stride, o.padding, o.dilation, o.ceil_mode));
      return {at::max_pool2d_with_indices_backward(grad_outputs[0], input, o.kernel, o.stride, o.padding,
                                                   o.dilation, o.ceil_mode, indices),
              at::Tensor()};
    }
    return {MaxPoolBackward(grad_outputs[0], saved[1], saved[0].sizes(), o), at::Tensor()};
  }
};

}  // namespace

at::Tensor MaxPool2d(const at::Tensor& input, const MaxPoolOptions& o) {
  if (!MaxPoolKernelApplies(input, o)) {
    return MaxPoolNd(input, o.kernel, o.stride, o.padding, o.dilation, o.ceil_mode);
  }
  if (at::GradMode::is_enabled() && input.requires_grad()) return MaxPoolFunction::apply(input, o);
  return MaxPoolForward(input, o, nullptr);
}

}  // namespace dyconv
