// The tiled kernels, direct and Winograd's, and the depthwise ones, called as cpp/ops/dynamic_conv/fused.cc and
// depthwise.cc beside it call them.
#include "activated.h"
#include "convolution.h"

namespace fuzz {
namespace {

using kernels::KernelTable;

DynamicConvShape AnyShape(Random& random, bool winograd, bool depthwise) {
  DynamicConvShape s;
  Axis y = Axis::Any(random, winograd), x = Axis::Any(random, winograd);
  if (winograd && random.OneIn(3)) {
    for (Axis* axis : {&y, &x}) {
      axis->kernel = 5;
      axis->padding = std::max<int64_t>(axis->padding, 2);
      axis->Reduce();
    }
  }
  SetAxes(s, y, x);
  s.batch = random.Between(1, 9);
  s.experts = random.Between(1, random.OneIn(5) ? 9 : 3);
  const int64_t most = random.OneIn(4) ? 70 : 9;
  s.groups = depthwise ? random.Between(1, 9) : winograd || random.OneIn(2) ? 1 : random.Between(1, 5);
  s.in_channels = s.groups * (depthwise ? 1 : random.Between(1, most));
  s.out_channels = s.groups * random.Between(1, depthwise ? 3 : most);
  return s;
}

struct Kernels {
  decltype(KernelTable::PackForwardWeight) pack_forward, pack_backward, unpack;
  decltype(KernelTable::DynamicConvForward) forward, pack_samples, grad_input;
  bool bf16 = false;  // products in bfloat16, which are not relative
};

void Forward(Random& random, Convolution& c, DynamicConvPlan plan, const Kernels& run, bool narrow) {
  const auto& s = c.shape;
  if (plan.winograd && random.OneIn(3)) {
    plan.forward_panel_parts = random.Between(1, plan.forward_panels);
    plan.forward_items *= plan.forward_panel_parts;
  }
  const auto narrow_input = narrow ? AsBf16(c.input.numbers()) : nullptr;
  c.Expect();
  auto args = c.Args(plan);
  if (run.bf16) {
    args.relative = false;
    args.first_expert = 0;
    args.attention = c.is_static ? nullptr : c.attention.data();
  }
  Image output(random, s.batch, s.out_channels, s.out_plane());
  args.output_strides = output.strides;
  Guarded<uint16_t> output16(narrow ? output.numbers().size() : 0);
  if (narrow) {
    args.input = nullptr;
    args.input16 = narrow_input->data();
    args.output16 = output16.data();
  } else {
    args.output = output.data();
  }
  Guarded<float> residual(output.numbers().size());
  if (!narrow && output.strides.channel == 1 && random.OneIn(2)) {
    // What an inference adds, for every other problem with a residual.
    args.epilogue.activation = AnyActivation(random);
    residual.Fill(random);
    if (random.OneIn(2)) args.epilogue.residual = residual.data();
    for (int64_t i = 0; i < residual.size(); ++i) {
      const int64_t pixel = i / s.out_channels, b = pixel / s.out_plane();
      double& sum = c.output[(b * s.out_channels + i % s.out_channels) * s.out_plane() + pixel % s.out_plane()];
      sum = Activated(sum + (args.epilogue.residual == nullptr ? 0 : residual[i]), args.epilogue.activation);
    }
  }
  uint8_t not_finite = 0;
  args.not_finite = &not_finite;
  Guarded<float> packed(Rounded(plan.forward_weight)), scratch(Rounded(plan.forward_scratch));
  args.packed_weight = packed.data();
  InRanges(random, plan.forward_panels * s.experts,
           [&](int64_t begin, int64_t end) { run.pack_forward(args, begin, end); });
  InRanges(random, plan.forward_items,
           [&](int64_t begin, int64_t end) { run.forward(args, begin, end, scratch.data()); });
  for (int64_t i = 0; i < output16.size(); ++i) output.numbers()[i] = FromBf16(output16[i]);
  Compare("output", output.Doubles(), c.output, run.bf16 ? 4e-2 : narrow ? 1e-2 : 2e-4);
  Compare("not_finite", {static_cast<double>(not_finite)}, {0}, 0);
}

kernels::PackedStrides ChunkStrides(const DynamicConvShape& products, bool winograd, int64_t chunk,
                                    int64_t floats, int64_t channels) {
  if (!winograd) return {channels / products.groups, floats, channels};
  const int64_t point = floats / products.groups;
  return {chunk * point + kernels::kWinogradGap, point, point / products.in_plane()};
}

void Backward(Random& random, const KernelTable& table, Convolution& c, const DynamicConvPlan& plan,
              const Kernels& run) {
  const auto& s = c.shape;
  c.Expect();
  const bool winograd{plan.winograd};
  const auto products = winograd ? kernels::WinogradProducts(s, plan.winograd) : s;
  const int64_t chunk = std::min(s.batch, plan.backward_samples * random.Between(1, 3));
  const int64_t gaps = winograd ? plan.winograd.points() * kernels::kWinogradGap : 0;
  Guarded<float> packed(Rounded(plan.backward_weight)), packed_weight_grad(Rounded(plan.backward_weight)),
      packed_input(Rounded(chunk * plan.packed_input + gaps)),
      packed_grad(Rounded(chunk * plan.packed_grad + gaps)), scratch(Rounded(plan.backward_scratch)),
      sums(s.batch * s.experts * plan.attention_lanes), output_sums(s.batch * s.out_channels),
      grad_weight(c.weight.size()), totals(s.batch);
  Image grad_input(random, s.batch, s.in_channels, s.in_plane());
  std::fill_n(sums.data(), sums.size(), 0.0f);
  auto args = c.Args(plan);
  uint8_t not_finite = 0;
  args.not_finite = &not_finite;
  args.grad_input = grad_input.data();
  args.grad_input_strides = grad_input.strides;
  args.grad_weight = grad_weight.data();
  args.grad_output_sums = output_sums.data();
  args.skip_first_dot = c.relative && grad_input.strides == args.input_strides;
  args.packed_weight = packed.data(), args.packed_weight_grad = packed_weight_grad.data();
  args.packed_input = packed_input.data(), args.packed_grad = packed_grad.data();
  args.packed_input_strides = ChunkStrides(products, winograd, chunk, plan.packed_input, s.in_channels);
  args.packed_grad_strides = ChunkStrides(products, winograd, chunk, plan.packed_grad, s.out_channels);
  const int64_t rows = plan.backward_panels * s.out_per_group(), block = plan.backward_samples;
  InRanges(random, rows, [&](int64_t begin, int64_t end) { run.pack_backward(args, begin, end); });
  for (int64_t first = 0; first < s.batch; first += chunk) {
    args.chunk_begin = first;
    args.chunk_size = std::min(chunk, s.batch - first);
    InRanges(random, (args.chunk_size + block - 1) / block, [&](int64_t begin, int64_t end) {
      const int64_t last = std::min(end * block, args.chunk_size);
      run.pack_samples(args, begin * block, last, scratch.data());
      run.grad_input(args, begin, end, scratch.data());
      if (args.skip_first_dot) {
        table.DotSamples(args.input, args.grad_input, s.in_channels * s.in_plane(), totals.data(),
                         first + begin * block, first + last);
      }
    });
    auto of_weight = args;
    of_weight.shape = products;
    InRanges(random, plan.backward_units, [&](int64_t begin, int64_t end) {
      table.DynamicConvGradWeight(of_weight, begin, end, sums.data(), scratch.data());
    });
  }
  InRanges(random, rows, [&](int64_t begin, int64_t end) { run.unpack(args, begin, end); });

  std::vector<double> partial(s.batch * s.experts, 0);
  for (int64_t i = 0; i < sums.size(); ++i) partial[i / plan.attention_lanes] += sums[i];
  Compare("input gradient", grad_input.Doubles(), c.grad_input, 5e-4);
  Compare("weight gradient", grad_weight.Doubles(), c.grad_weight, 5e-4);
  Compare("not_finite", {static_cast<double>(not_finite)}, {0}, 0);
  if (c.is_static) return;
  const auto got =
      c.AttentionGrad(partial, args.skip_first_dot ? totals.data() : nullptr, output_sums.data());
  Compare("attention gradient", got, c.grad_attention, 2e-3);
}

}  // namespace

void FuzzConv(Random& random, const KernelTable& table) {
  const bool winograd = random.OneIn(3);
  auto s = AnyShape(random, winograd, false);
  const bool is_static = random.OneIn(4);
  if (is_static) s.experts = 1;
  Convolution c(random, s, is_static);
  const int64_t threads = random.Between(1, 4), most = winograd ? kernels::MostWinogradTile(s.kernel_h) : 2;
  const kernels::WinogradTile tile{random.Between(2, most), random.Between(2, most)};
  const auto plan = winograd ? table.PlanWinograd(s, threads, tile) : table.PlanDynamicConv(s, threads);
  const bool narrow = random.OneIn(3), bf16 = !winograd && narrow && table.CanMultiplyBf16(s);
  const Kernels direct{table.PackForwardWeight,  table.PackBackwardWeight,
                       table.UnpackWeightGrad,   bf16 ? table.DynamicConvForwardBf16 : table.DynamicConvForward,
                       table.PackBackwardSamples, table.DynamicConvGradInput, bf16};
  const Kernels at_points{table.PackWinogradForward, table.PackWinogradBackward, table.UnpackWinogradGrad,
                          table.WinogradForward,     table.PackWinogradSamples,  table.WinogradGradInput};
  const Kernels& run = winograd ? at_points : direct;
  if (random.OneIn(2)) {
    Forward(random, c, plan, run, narrow);
  } else {
    Backward(random, table, c, plan, run);
  }
}

void FuzzDepthwise(Random& random, const KernelTable& table) {
  DynamicConvShape s;
  do s = AnyShape(random, false, true);
  while (s.stride_h * s.stride_w > kernels::kMaxPhases || s.kernel_size() > kernels::kMaxDepthwiseTaps);
  const bool is_static = random.OneIn(3);
  if (is_static) s.experts = 1;
  Convolution c(random, s, is_static);
  c.relative = false;
  // Planes.
  c.input.strides = {s.in_channels * s.in_plane(), s.in_plane(), 1};
  c.grad_output.strides = {s.out_channels * s.out_plane(), s.out_plane(), 1};
  c.first_expert = 0;
  std::copy_n(c.attention.data(), c.attention.size(), c.swapped.data());
  c.Expect();
  const auto plan = table.PlanDepthwiseConv(s);
  auto args = c.Args(plan);
  Guarded<float> packed(Rounded(plan.forward_weight)), packed_grad(Rounded(plan.backward_weight)),
      forward_scratch(Rounded(plan.forward_scratch)), scratch(Rounded(plan.backward_scratch)),
      sums(s.batch * s.experts * plan.attention_lanes), output_sums(s.batch * s.out_channels),
      output(s.batch * s.out_channels * s.out_plane()), grad_input(c.input.numbers().size()),
      grad_weight(c.weight.size());
  args.packed_weight = packed.data(), args.packed_weight_grad = packed_grad.data();
  args.output = output.data(), args.grad_output_sums = output_sums.data();
  args.grad_input = grad_input.data(), args.grad_weight = grad_weight.data();
  std::fill_n(sums.data(), sums.size(), 0.0f);
  InRanges(random, s.out_channels, [&](int64_t b, int64_t e) { table.PackDepthwiseWeight(args, b, e); });
  InRanges(random, s.batch * s.in_channels, [&](int64_t begin, int64_t end) {
    table.DepthwiseConvForward(args, begin, end, forward_scratch.data());
  });
  Compare("depthwise output", output.Doubles(), c.output, 1e-4);
  InRanges(random, s.in_channels, [&](int64_t begin, int64_t end) {
    table.DepthwiseConvBackward(args, begin, end, is_static ? nullptr : sums.data(), scratch.data());
  });
  InRanges(random, s.out_channels, [&](int64_t b, int64_t e) { table.UnpackDepthwiseWeightGrad(args, b, e); });
  std::vector<double> partial(s.batch * s.experts, 0);
  for (int64_t i = 0; i < sums.size(); ++i) partial[i / plan.attention_lanes] += sums[i];
  Compare("depthwise input gradient", grad_input.Doubles(), c.grad_input, 2e-4);
  Compare("depthwise weight gradient", grad_weight.Doubles(), c.grad_weight, 2e-4);
  if (is_static) return;
  Compare("depthwise attention gradient", c.AttentionGrad(partial, nullptr, output_sums.data()),
          c.grad_attention, 1e-3);
}

void FuzzPointwise(Random& random, const KernelTable& table) {
  kernels::PointwiseArgs args;
  args.batch = random.Between(1, 5), args.plane = random.Between(1, random.OneIn(3) ? 300 : 70);
  args.rows = random.Between(1, 30), args.depth = random.Between(1, 30);
  const int64_t batch = args.batch, rows = args.rows, depth = args.depth, plane = args.plane;
  Guarded<float> input(batch * depth * plane), weight(rows * depth), packed(weight.size()), bias(rows),
      output(batch * rows * plane), grad(output.size()), sums(weight.size());
  for (auto* tensor : {&input, &weight, &bias, &grad}) tensor->Fill(random);
  const bool transposed = random.OneIn(2);
  const auto weight_at = [&](int64_t r, int64_t d) {
    return transposed ? weight[d * rows + r] : weight[r * depth + d];
  };
  args.input = input.data(), args.output = output.data(), args.packed = packed.data();
  args.bias = random.OneIn(2) ? bias.data() : nullptr;
  table.PackPointwise(args, weight.data(), transposed, packed.data());
  InRanges(random, table.PointwiseBlocks(args),
           [&](int64_t begin, int64_t end) { table.Pointwise(args, begin, end); });
  const int64_t first = random.Between(0, batch - 1), last = random.Between(first + 1, batch);
  table.PointwiseWeightGrad({rows, depth, plane, grad.data(), input.data()}, first, last, sums.data());
  std::vector<double> expected(output.size()), gradient(weight.size(), 0);
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t p = 0; p < plane; ++p) {
        const int64_t at = (b * rows + r) * plane + p;
        expected[at] = args.bias == nullptr ? 0 : bias[r];
        for (int64_t d = 0; d < depth; ++d) {
          const double x = input[(b * depth + d) * plane + p];
          expected[at] += weight_at(r, d) * x;
          if (b >= first && b < last) gradient[r * depth + d] += grad[at] * x;
        }
      }
    }
  }
  Compare("pointwise output", output.Doubles(), expected, 1e-4);
  Compare("pointwise weight gradient", sums.Doubles(), gradient, 2e-4);
}

}  // namespace fuzz
