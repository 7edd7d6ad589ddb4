#include "kernels/ref/dynamic_conv.h"
#include "support.h"

namespace check {
namespace {

using dyconv::kernels::DynamicConvShape;
namespace ref = dyconv::kernels::ref;

// The arithmetic of products.
enum class On { kArithmetic, kTensorCores };

void Check(const std::string& name, DynamicConvShape s, Element element, bool with_bias, On on,
           size_t shift = 0) {
  const auto along = [](int64_t in, int64_t kernel, int64_t stride, int64_t padding, int64_t dilation) {
    return (in + 2 * padding - dilation * (kernel - 1) - 1) / stride + 1;
  };
  s.out_h = along(s.in_h, s.kernel_h, s.stride_h, s.padding_h, s.dilation_h);
  s.out_w = along(s.in_w, s.kernel_w, s.stride_w, s.padding_w, s.dilation_w);
  Data data(11);
  const auto input = data.Numbers(s.batch * s.in_channels * s.in_plane(), element);
  const auto weight = data.Numbers(s.experts * s.expert_size(), element);
  const auto attention = data.Attention(s.batch, s.experts);
  const auto bias = data.Numbers(s.experts * s.out_channels, element);
  const auto grad = data.Numbers(s.batch * s.out_channels * s.out_plane(), element);

  const auto x = Doubles(input), w = Doubles(weight), a = Doubles(attention), c = Doubles(bias),
             g = Doubles(grad);
  const double* bias_data = with_bias ? c.data() : nullptr;
  std::vector<double> output(g.size()), dx(x.size()), dw(w.size()), da(a.size()), dc(c.size());
  ref::DynamicConvForward(s, x.data(), w.data(), a.data(), bias_data, output.data());
  ref::DynamicConvBackward(s, x.data(), w.data(), a.data(), bias_data, g.data(),
                           {dx.data(), dw.data(), da.data(), with_bias ? dc.data() : nullptr});

  Buffer images(element, input, shift), weights(element, weight, shift), biases(element, bias, shift);
  Buffer grads(element, grad, shift);
  const std::string where = on == On::kTensorCores ? " on tensor cores" : "";
  const std::string place = shift == 0 ? "" : " shifted by " + std::to_string(shift);
  emulation::compute_capability = on == On::kTensorCores ? 8 : 6;
  InEveryOrder("dynamic convolution", name + " " + Name(element) + where + place, [&] {
    Buffer out(element, grad.size(), shift), grad_input(element, input.size(), shift);
    FusedConvArgs args;
    args.batch = s.batch, args.in_channels = s.in_channels, args.in_h = s.in_h, args.in_w = s.in_w;
    args.experts = s.experts, args.out_channels = s.out_channels, args.out_h = s.out_h, args.out_w = s.out_w;
    args.kernel_h = s.kernel_h, args.kernel_w = s.kernel_w;
    args.stride_h = s.stride_h, args.stride_w = s.stride_w;
    args.padding_h = s.padding_h, args.padding_w = s.padding_w;
    args.dilation_h = s.dilation_h, args.dilation_w = s.dilation_w;
    args.groups = s.groups, args.element = element, args.tf32 = on == On::kTensorCores;
    args.input = images.data(), args.weight = weights.data(), args.attention = attention.data();
    if (with_bias) args.bias = biases.data();
    args.output = out.data();
    FusedConvForward(args, nullptr);
    std::vector<float> sums(s.batch * s.out_channels, NAN);
    std::vector<float> partials(s.batch * FusedConvTiles(args) * s.experts, NAN);
    std::vector<float> grad_weight(weight.size(), NAN), grad_attention(attention.size(), NAN);
    std::vector<float> grad_bias(bias.size(), NAN);
    args.grad_output = grads.data(), args.grad_input = grad_input.data(),
    args.grad_weight = grad_weight.data();
    args.sums = sums.data(), args.partials = partials.data(), args.grad_attention = grad_attention.data();
    if (with_bias) args.grad_bias = grad_bias.data();
    FusedConvBackward(args, nullptr);
    // Tensor cores round the mixed weights, and with TF32 all operands, to fewer bits; sums are float32.
    const bool tf32 = on == On::kTensorCores && element == Element::kFloat;
    const double precision = tf32 ? 1e-3 : Precision(element), of_sums = tf32 ? 1e-3 : 5e-6;
    std::vector<Result> results{{"output", out.Floats(), output, precision},
                                {"input gradient", grad_input.Floats(), dx, precision},
                                {"weight gradient", grad_weight, dw, of_sums},
                                {"attention gradient", grad_attention, da, of_sums}};
    if (with_bias) results.push_back({"bias gradient", grad_bias, dc, 5e-6});
    return results;
  });
}

DynamicConvShape Shape(int64_t batch, int64_t in, int64_t out, int64_t size, int64_t experts,
                       int64_t kernel) {
  DynamicConvShape s;
  s.batch = batch, s.in_channels = in, s.out_channels = out, s.in_h = size, s.in_w = size + 1;
  s.experts = experts, s.kernel_h = s.kernel_w = kernel, s.padding_h = s.padding_w = kernel / 2;
  return s;
}

}  // namespace

void CheckDynamicConv() {
  constexpr auto kFloat = Element::kFloat, kBFloat16 = Element::kBFloat16, kHalf = Element::kHalf;
  for (const On on : {On::kArithmetic, On::kTensorCores}) {
    Check("3x3", Shape(2, 3, 5, 6, 2, 3), kFloat, true, on);
    Check("1x1 beyond a tile of channels", Shape(1, 35, 67, 3, 3, 1), kFloat, true, on);
    Check("more pixels than a tile, more experts than at once", Shape(2, 2, 3, 11, 9, 3), kFloat, false, on);
    Check("3x3", Shape(2, 4, 5, 5, 4, 3), kBFloat16, true, on);
    Check("3x3", Shape(2, 4, 5, 5, 4, 3), kHalf, true, on);
    // 16 bytes of weights at once; then from where they may not be.
    Check("8 channels", Shape(2, 8, 5, 4, 3, 3), kFloat, true, on);
    Check("8 channels", Shape(2, 8, 5, 4, 3, 3), kBFloat16, true, on);
    Check("8 channels", Shape(2, 8, 5, 4, 3, 3), kBFloat16, true, on, 1);
    auto grouped = Shape(3, 6, 9, 4, 4, 3);
    grouped.groups = 3;
    Check("groups", grouped, kFloat, true, on);
  }
  auto odd = Shape(2, 2, 3, 9, 2, 2);
  odd.kernel_w = 3, odd.stride_h = 2, odd.stride_w = 3, odd.dilation_h = 3, odd.dilation_w = 1,
  odd.padding_h = 2;
  Check("asymmetric everything", odd, kFloat, true, On::kArithmetic);
  Check("asymmetric everything", odd, kHalf, true, On::kTensorCores);
  auto depthwise = Shape(2, 5, 5, 5, 2, 3);
  depthwise.groups = 5;
  Check("depthwise", depthwise, kFloat, true, On::kArithmetic);
  Check("one expert", Shape(1, 4, 4, 4, 1, 3), kFloat, true, On::kArithmetic);
  Check("batch 0", Shape(0, 2, 3, 4, 2, 3), kFloat, true, On::kArithmetic);
}

}  // namespace check
