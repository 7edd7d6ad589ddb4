#include "ops/inference/int8.h"

#include <ATen/ops/empty_like.h>
#include <ATen/ops/isfinite.h>

#include <algorithm>
#include <cmath>

#include "ops/activation.h"
#include "ops/inference/images.h"
#include "ops/inference/packed_conv.h"
#include "typed_error.h"

namespace dyconv {
namespace {

using kernels::DynamicConvShape;
using kernels::Int8ConvArgs;

float ScaleOf(const QuantParams& params) {
  const auto scale = static_cast<float>(params[0]);
  Require(scale > 0 && std::isfinite(scale) && std::isfinite(1 / scale), ErrorKind::kArgument,
          "Expected a number above 0 for a scale but received ", params[0]);
  return scale;
}

int32_t ZeroOf(const QuantParams& params) {
  Require(params[1] >= 0 && params[1] <= 255, ErrorKind::kArgument,
          "Expected a number from 0 to 255 for a zero point but received ", params[1]);
  return static_cast<int32_t>(params[1]);
}

void RequireBytes(const at::Tensor& input) {
  Require(input.scalar_type() == at::kByte && input.device().is_cpu(), ErrorKind::kDType,
          "Expected uint8 on the CPU for input but received ", input.scalar_type(), " on ", input.device());
}

// A kernel is four times as fast as that of float32.
int64_t ThreadsForInt8(const DynamicConvShape& s) {
  const auto products = static_cast<double>(s.batch * s.out_plane()) * static_cast<double>(s.expert_size());
  const auto mixed = static_cast<double>(s.batch * s.experts * s.expert_size());
  return ThreadsForWork(products / 4 + mixed);
}

// The sizes of weights that are packed.
DynamicConvShape PackedInt8Shape(const std::vector<int64_t>& size, const Pair& dilation, int64_t experts) {
  auto s = PackedShape(size);
  s.experts = experts;
  // As SetWindows reduces them.
  s.dilation_h = s.kernel_h == 1 ? 1 : dilation[0];
  s.dilation_w = s.kernel_w == 1 ? 1 : dilation[1];
  Require(FitsInt8(size), ErrorKind::kArgument, "Expected at most ", kernels::kMostInt8Products,
          " weights for each output of a layer in int8 but received ", s.in_channels * s.kernel_size());
  return s;
}

at::Tensor FiniteFloats(const at::Tensor& weight) {
  const auto floats = weight.to(at::kFloat).contiguous();
  Require(at::isfinite(floats).all().item<bool>(), ErrorKind::kArgument,
          "Expected finite weights for a layer in int8 but received one that is not");
  return floats;
}

// What is added to the results of a layer: float32, or uint8 with its quantization parameters.
struct Addend {
  const OptionalTensor& tensor;
  const std::optional<QuantParams>& params;
};

void SetResidual(Int8ConvArgs& args, const at::Tensor& residual, const std::optional<QuantParams>& params) {
  if (residual.scalar_type() == at::kFloat) {
    args.residual = residual.const_data_ptr<float>();
    return;
  }
  RequireBytes(residual);
  Require(params.has_value(), ErrorKind::kArgument,
          "Expected quantization parameters of residual but received none");
  args.residual8 = residual.const_data_ptr<uint8_t>();
  args.residual_scale = ScaleOf(*params);
  args.residual_zero = ZeroOf(*params);
}

void SetEnds(Int8ConvArgs& args, const QuantParams& input, const std::optional<QuantParams>& output,
             const at::Tensor& result) {
  args.input_scale = ScaleOf(input);
  args.input_zero = ZeroOf(input);
  if (output) {
    args.output8 = result.data_ptr<uint8_t>();
    args.output_factor = 1 / ScaleOf(*output);
    args.output_zero = ZeroOf(*output);
  } else {
    args.output = result.data_ptr<float>();
  }
}

// The weights of a static layer, of PackInt8, and its bias.
struct PackedWeights {
  const at::Tensor &packed, &scales, &sums, &bias;
};

void SetWeights(Int8ConvArgs& args, const PackedWeights& w) {
  const auto& plan = args.plan;
  Require(w.packed.numel() == plan.packed && w.scales.numel() == plan.columns &&
              w.sums.numel() == plan.columns && w.bias.numel() >= plan.columns,
          ErrorKind::kShape, "Expected weights that are packed for this layer");
  args.weights = {w.packed.data_ptr<int8_t>(), w.scales.data_ptr<float>(), w.sums.data_ptr<int32_t>()};
  args.bias = w.bias.const_data_ptr<float>();
}

void RunInt8(const Int8ConvArgs& args, int64_t threads) {
  constexpr int64_t kFloatBytes = sizeof(float);
  const int64_t floats = Scratch::Rounded((args.plan.scratch + kFloatBytes - 1) / kFloatBytes);
  Scratch scratch(threads * floats);
  float* own = scratch.Take(threads * floats);
  InParallel(threads, args.plan.items, [&](int64_t begin, int64_t end) {
    kernels::BestKernels().Int8Conv(args, begin, end,
                                    reinterpret_cast<uint8_t*>(own + at::get_thread_num() * floats));
  });
}

// Computes a static layer whose shape and activation are set. `input` has the memory layout of the kernel.
void RunStatic(Int8ConvArgs& args, const at::Tensor& input, const QuantParams& input_params,
               const at::Tensor& result, const std::optional<QuantParams>& output, const Addend& addend,
               const PackedWeights& weights) {
  const int64_t threads = ThreadsForInt8(args.shape);
  args.plan = kernels::BestKernels().PlanInt8Conv(args.shape, threads);
  args.input = input.const_data_ptr<uint8_t>();
  SetWeights(args, weights);
  SetEnds(args, input_params, output, result);
  const auto added = AsResidual(addend.tensor, result);
  if (added) SetResidual(args, *added, addend.params);
  RunInt8(args, threads);
}

at::TensorOptions OutputOptions(const at::Tensor& input, const std::optional<QuantParams>& output) {
  return input.options().dtype(output ? at::kByte : at::kFloat);
}

}  // namespace

bool FitsInt8(const std::vector<int64_t>& size) {
  const auto s = PackedShape(size);
  return s.in_channels * s.kernel_size() <= kernels::kMostInt8Products;
}

at::Tensor Quantize(const at::Tensor& input, const QuantParams& params) {
  Require(input.scalar_type() == at::kFloat && input.device().is_cpu(), ErrorKind::kDType,
          "Expected float32 on the CPU for input but received ", input.scalar_type(), " on ", input.device());
  const float factor = 1 / ScaleOf(params);
  const int32_t zero = ZeroOf(params);
  const auto from = input.dim() == 4 ? AsChannelsLast(input) : input.contiguous();
  const auto output = at::empty_like(from, from.options().dtype(at::kByte));
  constexpr int64_t kBlock = 1 << 12;
  const int64_t count = from.numel();
  InParallel(ThreadsForWork(0, static_cast<double>(count) / 4), (count + kBlock - 1) / kBlock,
             [&](int64_t begin, int64_t end) {
               kernels::BestKernels().QuantizeFloats(from.const_data_ptr<float>(), factor, zero,
                                                     output.data_ptr<uint8_t>(), begin * kBlock,
                                                     std::min(end * kBlock, count));
             });
  return output;
}

std::vector<at::Tensor> PackInt8(const at::Tensor& weight, const Pair& dilation) {
  const auto s = PackedInt8Shape(weight.sizes().vec(), dilation, 0);
  const auto plan = kernels::BestKernels().PlanInt8Conv(s, 1);
  const auto from = FiniteFloats(weight);
  const auto packed = at::empty({plan.packed}, at::kChar), scales = at::empty({plan.columns}, at::kFloat),
             sums = at::empty({plan.columns}, at::kInt);
  const kernels::Int8Weights to{packed.data_ptr<int8_t>(), scales.data_ptr<float>(),
                                sums.data_ptr<int32_t>()};
  InParallel(at::get_num_threads(), plan.panels, [&](int64_t begin, int64_t end) {
    kernels::BestKernels().PackInt8Weights(s, plan, from.const_data_ptr<float>(), to, begin, end);
  });
  return {packed, scales, sums};
}

std::vector<at::Tensor> PackInt8Experts(const at::Tensor& weight, const Pair& dilation) {
  Require(weight.dim() == 5 && weight.size(0) > 0 && weight.size(0) <= kernels::kMaxExperts,
          ErrorKind::kShape, "Expected [K, O, I, kh, kw] with 1 to ", kernels::kMaxExperts,
          " experts for weight but received ", weight.sizes());
  const auto s = PackedInt8Shape(weight.sizes().slice(1).vec(), dilation, weight.size(0));
  const auto plan = kernels::BestKernels().PlanInt8Conv(s, 1);
  const auto from = FiniteFloats(weight);
  const auto packed = at::empty({plan.experts}, at::kShort), scales = at::empty({plan.columns}, at::kFloat);
  InParallel(at::get_num_threads(), plan.vectors, [&](int64_t begin, int64_t end) {
    kernels::BestKernels().PackInt8Experts(s, plan, from.const_data_ptr<float>(), packed.data_ptr<int16_t>(),
                                           scales.data_ptr<float>(), begin, end);
  });
  return {packed, scales};
}

at::Tensor Int8Conv2d(const at::Tensor& input, const QuantParams& input_params,
                      const std::optional<QuantParams>& output, const std::vector<int64_t>& size,
                      const std::string& activation, const OptionalTensor& residual,
                      const std::optional<QuantParams>& residual_params, const Pair& stride,
                      const Pair& padding, const Pair& dilation, const at::Tensor& packed,
                      const at::Tensor& scales, const at::Tensor& sums, const at::Tensor& bias) {
  Int8ConvArgs args;
  auto& s = args.shape = PackedShape(input, size, size.at(1), stride, padding, dilation, at::kByte);
  s.experts = 0;
  const auto result = at::empty({s.batch, s.out_channels, s.out_h, s.out_w},
                                OutputOptions(input, output).memory_format(at::MemoryFormat::ChannelsLast));
  if (result.numel() == 0) return result;
  args.activation = ActivationOf(activation);
  RunStatic(args, AsChannelsLast(input), input_params, result, output, {residual, residual_params},
            {packed, scales, sums, bias});
  return result;
}

at::Tensor Int8Linear(const at::Tensor& input, const QuantParams& input_params,
                      const std::optional<QuantParams>& output, const std::vector<int64_t>& size,
                      const std::string& activation, const OptionalTensor& residual,
                      const std::optional<QuantParams>& residual_params, const at::Tensor& packed,
                      const at::Tensor& scales, const at::Tensor& sums, const at::Tensor& bias) {
  Require(size.size() == 2 && input.dim() > 0 && input.size(-1) == size[1], ErrorKind::kShape,
          "Expected [..., ", at::IntArrayRef(size), "] for input but received ", input.sizes());
  RequireBytes(input);
  auto sizes = input.sizes().vec();
  sizes.back() = size[0];
  const auto result = at::empty(sizes, OutputOptions(input, output));
  if (result.numel() == 0) return result;
  Int8ConvArgs args;
  auto& s = args.shape;
  const int64_t count = result.numel() / size[0];
  s = PackedShape(size, 1, {count, 1});
  s.out_h = count;
  s.experts = 0;
  args.activation = ActivationOf(activation);
  RunStatic(args, input.contiguous(), input_params, result, output, {residual, residual_params},
            {packed, scales, sums, bias});
  return result;
}

at::Tensor Int8DynamicConv2d(const at::Tensor& input, const QuantParams& input_params,
                             const std::optional<QuantParams>& output, const std::vector<int64_t>& size,
                             const at::Tensor& attention, const OptionalTensor& bias,
                             const std::string& activation, const Pair& stride, const Pair& padding,
                             const Pair& dilation, const at::Tensor& experts, const at::Tensor& scales) {
  Int8ConvArgs args;
  auto& s = args.shape = PackedShape(input, size, size.at(1), stride, padding, dilation, at::kByte);
  const auto result = at::empty({s.batch, s.out_channels, s.out_h, s.out_w},
                                OutputOptions(input, output).memory_format(at::MemoryFormat::ChannelsLast));
  if (result.numel() == 0) return result;
  Require(attention.dim() == 2 && attention.size(0) == s.batch && attention.size(1) > 0 &&
              attention.size(1) <= kernels::kMaxExperts && attention.scalar_type() == at::kFloat,
          ErrorKind::kShape, "Expected float32 [", s.batch, ", K] for attention but received ",
          attention.sizes());
  s.experts = attention.size(1);
  const int64_t threads = ThreadsForInt8(s);
  args.plan = kernels::BestKernels().PlanInt8Conv(s, threads);
  Require(experts.numel() == args.plan.experts && scales.numel() == args.plan.columns, ErrorKind::kShape,
          "Expected experts that are packed for this layer");
  const auto image = AsChannelsLast(input), shares = attention.contiguous();
  const auto biases =
      MixBias(bias ? OptionalTensor(bias->contiguous()) : std::nullopt, shares, s.out_channels);
  args.input = image.const_data_ptr<uint8_t>();
  args.experts = experts.const_data_ptr<int16_t>();
  args.expert_scales = scales.const_data_ptr<float>();
  args.attention = shares.const_data_ptr<float>();
  args.bias = biases.const_data_ptr<float>();
  args.bias_stride = biases.size(1);
  SetEnds(args, input_params, output, result);
  args.activation = ActivationOf(activation);
  RunInt8(args, threads);
  return result;
}

at::Tensor Int8ChannelMeans(const at::Tensor& input, const QuantParams& params) {
  RequireBytes(input);
  Require(input.dim() == 4 && input.size(2) * input.size(3) > 0 &&
              input.size(2) * input.size(3) <= kMostInt8Pixels,
          ErrorKind::kShape, "Expected images of 1 to ", kMostInt8Pixels, " pixels for input but received ",
          input.sizes());
  const auto image = AsChannelsLast(input);
  const int64_t channels = input.size(1), plane = input.size(2) * input.size(3);
  const auto sums = at::empty({input.size(0), channels, 1, 1}, input.options().dtype(at::kInt));
  InParallel(ThreadsForWork(0, static_cast<double>(input.numel()) / 4), input.size(0),
             [&](int64_t begin, int64_t end) {
               kernels::BestKernels().NhwcSumsBytes(image.const_data_ptr<uint8_t>(), plane, channels,
                                                    sums.data_ptr<int32_t>(), begin, end);
             });
  const auto means = at::empty(sums.sizes(), input.options().dtype(at::kFloat));
  const int32_t zeros = ZeroOf(params) * static_cast<int32_t>(plane);
  const float factor = ScaleOf(params) / static_cast<float>(plane);
  const int32_t* from = sums.const_data_ptr<int32_t>();
  float* to = means.data_ptr<float>();
  for (int64_t i = 0; i < sums.numel(); ++i) to[i] = static_cast<float>(from[i] - zeros) * factor;
  return means;
}

at::Tensor Int8MaxPool2d(const at::Tensor& input, const MaxPoolOptions& o) {
  RequireBytes(input);
  Require(input.dim() == 4 && MaxPoolAxisFits(input.sizes(), o, 0) && MaxPoolAxisFits(input.sizes(), o, 1),
          ErrorKind::kShape, "Expected images with room for the windows for input but received ",
          input.sizes());
  const auto shape = MaxPoolShapeOf(input.sizes(), o);
  const auto image = AsChannelsLast(input);
  const int64_t channels = input.size(1);
  const auto output = EmptyChannelsLast({input.size(0), channels, shape.out_h, shape.out_w}, input);
  const auto reads = static_cast<double>(output.numel() * o.kernel[0] * o.kernel[1]);
  InParallel(ThreadsForWork(0, reads / 16), input.size(0) * shape.out_h, [&](int64_t begin, int64_t end) {
    kernels::BestKernels().NhwcMaxPoolBytes(shape, channels, image.const_data_ptr<uint8_t>(),
                                            output.data_ptr<uint8_t>(), begin, end);
  });
  return output;
}

}  // namespace dyconv
