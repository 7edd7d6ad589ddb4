#include "kernels/cpu/winograd.h"

namespace dyconv::kernels::DYCONV_ISA {

namespace {

template <bool kStream>
void PackSamples(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  const auto& s = args.shape;
  const WinogradTiling& tiling = args.plan.winograd;
  const auto &of_input = args.packed_input_strides, &of_grad = args.packed_grad_strides;
  const int64_t in = of_input.pixel, out = of_grad.pixel;
  float* half = scratch;
  float* inputs = half + TransformScratch(tiling);
  float* grads = inputs + tiling.input_pixels() * in;
  int32_t* real_inputs = reinterpret_cast<int32_t*>(grads + tiling.output_pixels() * out);
  int32_t* all_grads = real_inputs + s.in_plane();
  // What is around the real pixels, and beyond the channels, stays 0.
  std::memset(inputs, 0, tiling.input_pixels() * in * sizeof(float));
  std::memset(grads, 0, tiling.output_pixels() * out * sizeof(float));
  PaddedPixels(0, s.in_h, s.in_w, s.padding_h, s.padding_w, tiling.x.inputs(), real_inputs);
  Iota(s.out_plane(), all_grads);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t sample = args.chunk_begin + i;
    ImageToRows(args.input + sample * args.input_strides.batch, args.input_strides, s.in_channels,
                s.in_plane(), real_inputs, inputs, in);
    ImageToRows(args.grad_output + sample * args.grad_output_strides.batch, args.grad_output_strides,
                s.out_channels, s.out_plane(), all_grads, grads, out);
    SumRows(grads, out, s.out_plane(), s.out_channels, args.grad_output_sums + sample * s.out_channels);
    ImageToPoints<Inputs, kStream>(tiling, inputs, args.packed_input + i * of_input.sample,
                                   {in, in, of_input.group}, in, half);
    ImageToPoints<Outputs, kStream>(tiling, grads, args.packed_grad + i * of_grad.sample,
                                    {out, out, of_grad.group}, out, half);
  }
}

}  // namespace

void PackWinogradSamples(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  // A static convolution has so few at a time that they stay in the cache.
  if (args.is_static()) return PackSamples<false>(args, begin, end, scratch);
  PackSamples<true>(args, begin, end, scratch);
  StreamFence();
}

void WinogradGradInput(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  const auto& s = args.shape;
  const WinogradTiling& tiling = args.plan.winograd;
  const auto products = WinogradProducts(s, tiling);
  const int64_t tiles = tiling.count(), most = args.plan.backward_samples;
  float* zeros = scratch;
  float* mixed = zeros + kPanel;
  float* sums = mixed + kMixSamples * kTileRows * kPanel;
  const int64_t sums_step = most * tiles * kPanel + kWinogradGap;
  float* half = sums + tiling.points() * sums_step;
  float* inputs = half + TransformScratch(tiling);
  int32_t* indices = reinterpret_cast<int32_t*>(inputs + tiling.input_pixels() * kPanel);
  int32_t* real = indices + most * tiles;
  std::memset(zeros, 0, kPanel * sizeof(float));
  PaddedPixels(0, s.in_h, s.in_w, s.padding_h, s.padding_w, tiling.x.inputs(), real);
  const auto& strides = args.grad_input_strides;
  const int64_t point = BackwardPanel(products, args.plan.backward_panels).offset;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item * most, samples = Min(most, args.chunk_size - first);
    for (int64_t j = 0; j < args.plan.backward_panels; ++j) {
      const Panel panel = BackwardPanel(products, j);
      const int64_t width = panel.width();
      WithConstant<kMaxVecs>(panel.vecs, [&](auto vecs) {
        MultiplyPoints<vecs()>({tiling, args.packed_grad + first * args.packed_grad_strides.sample,
                                args.packed_grad_strides, s.out_channels, samples,
                                args.packed_weight + panel.offset, point,
                                args.mixture_of(args.chunk_begin + first), mixed, indices, sums, sums_step});
      });
      for (int64_t i = 0; i < samples; ++i) {
        std::memset(inputs, 0, tiling.input_pixels() * width * sizeof(float));
        PointsToImage<Inputs>(tiling, sums + i * tiles * width, inputs, {width, width, sums_step}, width,
                              half);
        NoteNotFinite(args, inputs, tiling.input_pixels() * width);
        RowsToImage(inputs, width, real, zeros, panel.columns, s.in_plane(),
                    args.grad_input + (args.chunk_begin + first + i) * strides.batch +
                        panel.first_column * strides.channel,
                    strides);
      }
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
