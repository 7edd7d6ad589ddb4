// The packed samples of the backward, and the gradient of the input.
#include "kernels/cpu/layout.h"
#include "kernels/cpu/mix.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

// Output pixels of an image that all experts pass over before the next ones are taken.
constexpr int64_t kInputPixels = 1024;

// What GradInput needs for one block of samples.
struct InputBlock {
  int64_t first, samples;  // within the chunk
  float* sums;             // [samples, input plane, panel]
  float* mixed;            // [kMixSamples, kTileRows, panel]
  int32_t* inputs;         // the pixels of one tap
  int32_t* outputs;
};

template <int kVecs>
void InputPanel(const DynamicConvArgs& args, const InputBlock& b, const Panel& panel) {
  const auto& s = args.shape;
  const int64_t out = s.out_per_group(), width = kVecs * kLanes, taps = s.kernel_size();
  const int64_t plane = s.in_plane() * width, strip = Max(1, kInputPixels / s.out_w);
  const int64_t no_offset = 0;
  bool accumulate = false;
  for (int64_t y = 0; y < s.out_h; y += strip) {
    for (int64_t channel = 0; channel < out; channel += kTileRows) {
      const int64_t rows = Min(kTileRows, out - channel);
      for (int64_t i = 0; i < taps; ++i) {
        const int64_t tap = (i + taps / 2) % taps;  // the middle one first: it usually has all pixels
        const PixelPairs pixels =
            TapPairs(s, tap, y, Min(y + strip, s.out_h), {0, s.in_w}, b.inputs, b.outputs);
        if (!accumulate && pixels.count < s.in_plane()) {
          std::memset(b.sums, 0, b.samples * plane * sizeof(float));
          accumulate = true;
        }
        if (pixels.count == 0) continue;
        const float* tile = args.packed_weight + panel.offset + (tap * out + channel) * s.experts * width;
        const int64_t column = y * s.out_w * s.out_channels + panel.group * out + channel;
        MixAndMultiply<kVecs>(tile, args.mixture_of(args.chunk_begin + b.first), b.samples, b.mixed,
                              pixels.outputs, pixels.inputs, pixels.count, [&](int64_t n) {
                                const float* grad = args.packed_grad + (b.first + n) * args.plan.packed_grad;
                                return GemmTask{grad + column, s.out_channels, &no_offset,         1,
                                                rows,          nullptr,        b.sums + n * plane, width,
                                                accumulate};
                              });
        accumulate = true;
      }
    }
  }
}

}  // namespace

void PackBackwardSamples(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  const auto& s = args.shape;
  int32_t* identity = reinterpret_cast<int32_t*>(scratch);
  Iota(Max(s.in_plane(), s.out_plane()), identity);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t sample = args.chunk_begin + i;
    float* input = args.packed_input + i * args.plan.packed_input;
    std::memset(input + args.plan.packed_input - kPanel, 0, kPanel * sizeof(float));
    ImageToRows(args.input + sample * args.input_strides.batch, args.input_strides, s.in_channels,
                s.in_plane(), identity, input, s.in_channels);
    float* grad = args.packed_grad + i * args.plan.packed_grad;
    ImageToRows(args.grad_output + sample * args.grad_output_strides.batch, args.grad_output_strides,
                s.out_channels, s.out_plane(), identity, grad, s.out_channels);
    SumRows(grad, s.out_channels, s.out_plane(), s.out_channels,
            args.grad_output_sums + sample * s.out_channels);
  }
}

void DynamicConvGradInput(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  const auto& s = args.shape;
  float* zeros = scratch;
  float* mixed = zeros + kPanel;
  float* sums = mixed + kMixSamples * kTileRows * kPanel;
  const int64_t plane = s.in_plane();
  int32_t* identity = reinterpret_cast<int32_t*>(sums + args.plan.backward_samples * plane * kPanel);
  int32_t* inputs = identity + plane;
  int32_t* outputs = inputs + s.out_plane();
  std::memset(zeros, 0, kPanel * sizeof(float));
  Iota(plane, identity);
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item * args.plan.backward_samples;
    const InputBlock block{
        first, Min(args.plan.backward_samples, args.chunk_size - first), sums, mixed, inputs, outputs};
    for (int64_t i = 0; i < args.plan.backward_panels; ++i) {
      const Panel panel = BackwardPanel(s, i);
      WithConstant<kMaxVecs>(panel.vecs, [&](auto vecs) { InputPanel<vecs()>(args, block, panel); });
      const auto& strides = args.grad_input_strides;
      const int64_t channel = panel.group * s.in_per_group() + panel.first_column;
      for (int64_t j = 0; j < block.samples; ++j) {
        RowsToImage(
            sums + j * plane * panel.width(), panel.width(), identity, zeros, panel.columns, plane,
            args.grad_input + (args.chunk_begin + first + j) * strides.batch + channel * strides.channel,
            strides);
      }
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
