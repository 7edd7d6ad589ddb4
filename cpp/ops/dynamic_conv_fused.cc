#include "dynamic_conv_fused.h"

#include <ATen/ops/empty.h>
#include <ATen/ops/from_blob.h>
#include <ATen/ops/mm.h>
#include <ATen/ops/zeros.h>
#include <ATen/Parallel.h>

#include <algorithm>

#include "../kernels/dispatch.h"
#include "scratch.h"

namespace dyconv {
namespace {

using kernels::DynamicConvArgs;
using kernels::DynamicConvPlan;
using kernels::ImageStrides;
using kernels::KernelTable;

// Samples are packed for the backward in chunks of about this many floats.
constexpr int64_t kChunkFloats = 16 << 20;

// As float32 with one of the two layouts the kernels read.
at::Tensor AsImage(const at::Tensor& tensor) {
  const auto image = tensor.to(at::kFloat);
  const bool dense = image.is_contiguous() || image.is_contiguous(at::MemoryFormat::ChannelsLast);
  return dense ? image : image.contiguous();
}

ImageStrides StridesOf(const at::Tensor& image) {
  const int64_t channels = image.size(1), plane = image.size(2) * image.size(3);
  if (image.is_contiguous()) return {channels * plane, plane, 1};
  return {channels * plane, 1, channels};
}

at::Tensor EmptyImage(const DynamicConvProblem& p, at::IntArrayRef sizes) {
  return at::empty(sizes, p.input.options().dtype(at::kFloat).memory_format(p.input.suggest_memory_format()));
}

// float32 contiguous versions of the arguments, which must outlive the kernel's pointers.
struct Arguments {
  explicit Arguments(const DynamicConvProblem& p)
      : input(AsImage(p.input)),
        weight(p.weight.to(at::kFloat).contiguous()),
        attention(p.attention.to(at::kFloat).contiguous()),
        bias(p.bias ? p.bias->to(at::kFloat).contiguous() : at::Tensor()) {}

  DynamicConvArgs KernelArgs(const DynamicConvProblem& p, const DynamicConvPlan& plan) const {
    DynamicConvArgs args;
    args.shape = p.shape;
    args.plan = plan;
    args.input = input.const_data_ptr<float>();
    args.input_strides = StridesOf(input);
    args.weight = weight.const_data_ptr<float>();
    args.attention = attention.const_data_ptr<float>();
    args.bias = bias.defined() ? bias.const_data_ptr<float>() : nullptr;
    return args;
  }

  at::Tensor input, weight, attention, bias;
};

const KernelTable& Table() { return kernels::Kernels(kernels::BestIsa()); }

// Runs `body(begin, end, scratch of this thread)` over [0, count) in equal shares.
template <typename Body>
void Parallel(int64_t count, float* scratch, int64_t floats_per_thread, const Body& body) {
  at::parallel_for(0, count, 1, [&](int64_t begin, int64_t end) {
    body(begin, end, scratch + at::get_thread_num() * Scratch::Rounded(floats_per_thread));
  });
}

}  // namespace

bool FusedDynamicConvApplies(const DynamicConvProblem& p) {
  return p.on_cpu() && (p.is(at::kFloat) || p.is(at::kBFloat16)) && p.shape.batch > 0;
}

at::Tensor FusedDynamicConvForward(const DynamicConvProblem& p) {
  const auto& s = p.shape;
  const auto& table = Table();
  const int64_t threads = at::get_num_threads();
  const auto plan = table.PlanDynamicConv(s, threads);
  const Arguments arguments(p);
  const auto output = EmptyImage(p, {s.batch, s.out_channels, s.out_h, s.out_w});
  auto args = arguments.KernelArgs(p, plan);
  args.output = output.data_ptr<float>();
  args.output_strides = StridesOf(output);

  Scratch scratch(Scratch::Rounded(plan.forward_weight) + threads * Scratch::Rounded(plan.forward_scratch));
  args.packed_weight = scratch.Take(plan.forward_weight);
  float* own = scratch.Take(threads * Scratch::Rounded(plan.forward_scratch));
  Parallel(plan.forward_panels, own, 0,
           [&](int64_t begin, int64_t end, float*) { table.PackForwardWeight(args, begin, end); });
  Parallel(plan.forward_items, own, plan.forward_scratch, [&](int64_t begin, int64_t end, float* mine) {
    table.DynamicConvForward(args, begin, end, mine);
  });
  return output.to(p.input.scalar_type());
}

DynamicConvGrads FusedDynamicConvBackward(const DynamicConvProblem& p, const at::Tensor& grad_output,
                                          const std::array<bool, 4>& needs) {
  const auto& s = p.shape;
  const auto& table = Table();
  const int64_t threads = at::get_num_threads();
  const auto plan = table.PlanDynamicConv(s, threads);
  const Arguments arguments(p);
  const auto grad_image = AsImage(grad_output);
  const bool needs_weight = needs[1] || needs[2] || needs[3];
  auto args = arguments.KernelArgs(p, plan);
  args.grad_output = grad_image.const_data_ptr<float>();
  args.grad_output_strides = StridesOf(grad_image);

  DynamicConvGrads grads;
  const auto options = arguments.weight.options();
  const auto sums = at::empty({s.batch, s.out_channels}, options);
  args.grad_output_sums = sums.data_ptr<float>();
  if (needs[0]) {
    grads.input = EmptyImage(p, p.input.sizes());
    args.grad_input = grads.input.data_ptr<float>();
    args.grad_input_strides = StridesOf(grads.input);
  }
  if (needs_weight) {
    grads.weight = at::empty(p.weight.sizes(), options);
    args.grad_weight = grads.weight.data_ptr<float>();
  }

  // Whole blocks of samples in every chunk.
  const int64_t sample_floats = plan.packed_input + plan.packed_grad;
  const int64_t blocks = std::max<int64_t>(threads, kChunkFloats / sample_floats / plan.backward_samples);
  const int64_t chunk = std::min(s.batch, blocks * plan.backward_samples);
  const int64_t attention_floats = s.batch * s.experts * plan.attention_lanes;
  Scratch scratch(2 * Scratch::Rounded(plan.backward_weight) + Scratch::Rounded(chunk * plan.packed_input) +
                  Scratch::Rounded(chunk * plan.packed_grad) + threads * Scratch::Rounded(attention_floats) +
                  threads * Scratch::Rounded(plan.backward_scratch));
  args.packed_weight = scratch.Take(plan.backward_weight);
  args.packed_weight_grad = scratch.Take(plan.backward_weight);
  args.packed_input = scratch.Take(chunk * plan.packed_input);
  args.packed_grad = scratch.Take(chunk * plan.packed_grad);
  float* attention_sums = scratch.Take(threads * Scratch::Rounded(attention_floats));
  float* own = scratch.Take(threads * Scratch::Rounded(plan.backward_scratch));
  std::fill_n(attention_sums, threads * Scratch::Rounded(attention_floats), 0.0f);

  Parallel(plan.backward_panels, own, 0,
           [&](int64_t begin, int64_t end, float*) { table.PackBackwardWeight(args, begin, end); });
  for (args.chunk_begin = 0; args.chunk_begin < s.batch; args.chunk_begin += chunk) {
    args.chunk_size = std::min(chunk, s.batch - args.chunk_begin);
    Parallel(args.chunk_size, own, plan.backward_scratch, [&](int64_t begin, int64_t end, float* mine) {
      table.PackBackwardSamples(args, begin, end, mine);
    });
    if (needs[0]) {
      const int64_t items = (args.chunk_size + plan.backward_samples - 1) / plan.backward_samples;
      Parallel(items, own, plan.backward_scratch, [&](int64_t begin, int64_t end, float* mine) {
        table.DynamicConvGradInput(args, begin, end, mine);
      });
    }
    if (needs_weight) {
      Parallel(plan.backward_units, own, plan.backward_scratch, [&](int64_t begin, int64_t end, float* mine) {
        float* partial = attention_sums + at::get_thread_num() * Scratch::Rounded(attention_floats);
        table.DynamicConvGradWeight(args, begin, end, partial, mine);
      });
    }
  }
  if (needs[0]) grads.input = grads.input.to(p.input.scalar_type());
  if (!needs_weight) return grads;

  Parallel(plan.backward_panels, own, 0,
           [&](int64_t begin, int64_t end, float*) { table.UnpackWeightGrad(args, begin, end); });
  grads.weight = grads.weight.to(p.weight.scalar_type());
  // Threads and lanes are added in a fixed order.
  grads.attention = at::zeros({s.batch, s.experts}, options);
  float* to = grads.attention.data_ptr<float>();
  for (int64_t t = 0; t < threads; ++t) {
    const float* partial = attention_sums + t * Scratch::Rounded(attention_floats);
    for (int64_t i = 0; i < s.batch * s.experts; ++i) {
      for (int64_t lane = 0; lane < plan.attention_lanes; ++lane)
        to[i] += partial[i * plan.attention_lanes + lane];
    }
  }
  if (arguments.bias.defined()) {
    grads.attention.addmm_(sums, arguments.bias.t());
    grads.bias = at::mm(arguments.attention.t(), sums).to(p.bias->scalar_type());
  }
  grads.attention = grads.attention.to(p.attention.scalar_type());
  return grads;
}

}  // namespace dyconv
