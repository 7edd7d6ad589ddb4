#include "winograd.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

Tiling TilingOf(const DynamicConvShape& s, int64_t tile) {
  return {tile, WinogradTilesAlong(s.out_h, tile), WinogradTilesAlong(s.out_w, tile)};
}

// Adds up the rows of all real pixels.
void SumRows(const float* rows, int64_t ld, const int32_t* pixels, int64_t count, int64_t channels,
             float* sums) {
  std::memset(sums, 0, channels * sizeof(float));
  for (int64_t p = 0; p < count; ++p) {
    const float* row = rows + pixels[p] * ld;
    for (int64_t c = 0; c < channels; ++c) sums[c] += row[c];
  }
}

template <int kTile>
void PackSamples(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  const auto& s = args.shape;
  const Tiling tiling = TilingOf(s, kTile);
  const auto &of_input = args.packed_input_strides, &of_grad = args.packed_grad_strides;
  const int64_t in = of_input.pixel, out = of_grad.pixel;
  float* inputs = scratch;
  float* grads = inputs + tiling.input_pixels() * in;
  int32_t* real_inputs = reinterpret_cast<int32_t*>(grads + tiling.output_pixels() * out);
  int32_t* real_grads = real_inputs + s.in_plane();
  // What is around the real pixels stays 0.
  std::memset(inputs, 0, tiling.input_pixels() * in * sizeof(float));
  std::memset(grads, 0, tiling.output_pixels() * out * sizeof(float));
  PaddedPixels(0, s.in_h, s.in_w, s.padding_h, s.padding_w, tiling.input_w(), real_inputs);
  PaddedPixels(0, s.out_h, s.out_w, 0, 0, tiling.output_w(), real_grads);
  for (int64_t i = begin; i < end; ++i) {
    const int64_t sample = args.chunk_begin + i;
    ImageToRows(args.input + sample * args.input_strides.batch, args.input_strides, s.in_channels,
                s.in_plane(), real_inputs, inputs, in);
    ImageToRows(args.grad_output + sample * args.grad_output_strides.batch, args.grad_output_strides,
                s.out_channels, s.out_plane(), real_grads, grads, out);
    SumRows(grads, out, real_grads, s.out_plane(), s.out_channels,
            args.grad_output_sums + sample * s.out_channels);
    for (int64_t t = 0; t < tiling.count(); ++t) {
      float* input = args.packed_input + i * of_input.sample + t * in;
      for (int64_t c = 0; c < in; c += kLanes) {
        Transform<typename Winograd<kTile>::Input>(inputs + tiling.input_pixel(t) * in + c,
                                                   {tiling.input_w() * in, in}, input + c,
                                                   PointSteps<kTile>(of_input.group));
      }
      float* grad = args.packed_grad + i * of_grad.sample + t * out;
      for (int64_t c = 0; c < out; c += kLanes) {
        Transform<typename Winograd<kTile>::OutputAdjoint>(grads + tiling.output_pixel(t) * out + c,
                                                           {tiling.output_w() * out, out}, grad + c,
                                                           PointSteps<kTile>(of_grad.group));
      }
    }
  }
}

template <int kTile>
void GradInput(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  const auto& s = args.shape;
  const auto products = WinogradProducts(s, kTile);
  const Tiling tiling = TilingOf(s, kTile);
  const int64_t tiles = tiling.count(), most = args.plan.backward_samples;
  float* zeros = scratch;
  float* mixed = zeros + kPanel;
  float* sums = mixed + kMixSamples * kTileRows * kPanel;
  const int64_t sums_step = most * tiles * kPanel + kWinogradGap;
  float* inputs = sums + WinogradPoints(kTile) * sums_step;
  int32_t* identity = reinterpret_cast<int32_t*>(inputs + tiling.input_pixels() * kPanel);
  int32_t* real = identity + most * tiles;
  std::memset(zeros, 0, kPanel * sizeof(float));
  Iota(most * tiles, identity);
  PaddedPixels(0, s.in_h, s.in_w, s.padding_h, s.padding_w, tiling.input_w(), real);
  const auto& strides = args.grad_input_strides;
  for (int64_t item = begin; item < end; ++item) {
    const int64_t first = item * most, samples = Min(most, args.chunk_size - first);
    for (int64_t j = 0; j < args.plan.backward_panels; ++j) {
      const Panel panel = BackwardPanel(products, j);
      const int64_t point = BackwardPanel(products, args.plan.backward_panels).offset;
      WithConstant<kMaxVecs>(panel.vecs, [&](auto vecs) {
        constexpr int64_t kWidth = vecs() * kLanes;
        MultiplyPoints<vecs()>({args.packed_grad + first * args.packed_grad_strides.sample,
                                args.packed_grad_strides, WinogradPoints(kTile), s.out_channels, samples,
                                tiles, args.packed_weight + panel.offset, point,
                                args.mixture_of(args.chunk_begin + first), mixed, identity, sums, sums_step});
        for (int64_t i = 0; i < samples; ++i) {
          std::memset(inputs, 0, tiling.input_pixels() * kWidth * sizeof(float));
          for (int64_t t = 0; t < tiles; ++t) {
            for (int64_t c = 0; c < kWidth; c += kLanes) {
              Transform<typename Winograd<kTile>::InputAdjoint, true>(
                  sums + (i * tiles + t) * kWidth + c, PointSteps<kTile>(sums_step),
                  inputs + tiling.input_pixel(t) * kWidth + c, {tiling.input_w() * kWidth, kWidth});
            }
          }
          RowsToImage(inputs, kWidth, real, zeros, panel.columns, s.in_plane(),
                      args.grad_input + (args.chunk_begin + first + i) * strides.batch +
                          panel.first_column * strides.channel,
                      strides);
        }
      });
    }
  }
}

}  // namespace

void PackWinogradSamples(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  WithTile(args.plan.winograd_tile, [&](auto tile) { PackSamples<tile()>(args, begin, end, scratch); });
}

void WinogradGradInput(const DynamicConvArgs& args, int64_t begin, int64_t end, float* scratch) {
  WithTile(args.plan.winograd_tile, [&](auto tile) { GradInput<tile()>(args, begin, end, scratch); });
}

}  // namespace dyconv::kernels::DYCONV_ISA
