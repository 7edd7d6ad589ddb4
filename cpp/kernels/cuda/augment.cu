// The resizes, the crop and the flips of cpp/kernels/augment/augment.h, of a set that is on the device.
// Compiled without fused multiply-adds, so that it rounds as the CPU does; test/kernels compares the two.
#include "kernels/cuda/platform.cuh"

namespace dyconv::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kMaxTaps = 4;
// One output position along one axis: which source positions it reads, and how much of each.
struct Taps {
  int count;
  int index[kMaxTaps];
  float weight[kMaxTaps];

  __device__ void Add(int position, double amount) {
    if (amount == 0) return;
    for (int t = 0; t < count; ++t) {
      if (index[t] == position) {
        weight[t] += static_cast<float>(amount);
        return;
      }
    }
    index[count] = position;
    weight[count++] = static_cast<float>(amount);
  }
};

struct Linear {
  int low, high;
  double fraction;
};

__device__ Linear Sample(int x, int in, int out) {
  const double exact = (static_cast<double>(x) + 0.5) * in / out - 0.5;
  const double clamped = fmin(fmax(exact, 0.0), static_cast<double>(in - 1));
  const int low = static_cast<int>(clamped);
  return {low, min(low + 1, in - 1), clamped - low};
}

// Composes the resize and the crop along one axis; position `source` is a black line outside of the image.
__device__ Taps Compose(int x, int source, int resized, int offset, int crop, int out) {
  Taps taps{};
  const Linear outer = Sample(x, crop, out);
  for (int side = 0; side < 2; ++side) {
    const double share = side == 0 ? 1.0 - outer.fraction : outer.fraction;
    const int at = offset + (side == 0 ? outer.low : outer.high);
    if (at < 0 || at >= resized) {
      taps.Add(source, share);
      continue;
    }
    const Linear inner = Sample(at, source, resized);
    taps.Add(inner.low, share * (1.0 - inner.fraction));
    taps.Add(inner.high, share * inner.fraction);
  }
  return taps;
}

template <class T>
__global__ void __launch_bounds__(kThreads) AugmentKernel(AugmentArgs a, int rows_per_block) {
  const int height = static_cast<int>(a.height), width = static_cast<int>(a.width);
  const int out_h = static_cast<int>(a.out_h), out_w = static_cast<int>(a.out_w);
  const int resized_h = static_cast<int>(a.resize_h), resized_w = static_cast<int>(a.resize_w);
  Taps* columns = Shared<Taps>();  // [out_w]
  Taps* rows = columns + out_w;    // [rows_per_block]
  const int first = blockIdx.x * rows_per_block, count = min(rows_per_block, out_h - first);
  const int64_t plane = static_cast<int64_t>(height) * width;
  for (int64_t b = blockIdx.y; b < a.batch; b += gridDim.y) {
    const AugmentSample sample = a.samples[b];
    const int top = static_cast<int>(sample.top), left = static_cast<int>(sample.left);
    const int crop_h = static_cast<int>(sample.height), crop_w = static_cast<int>(sample.width);
    for (int x = threadIdx.x; x < out_w; x += kThreads) {
      columns[x] = Compose(sample.flip ? out_w - 1 - x : x, width, resized_w, left, crop_w, out_w);
    }
    for (int y = threadIdx.x; y < count; y += kThreads) {
      const int from = sample.vertical_flip ? out_h - 1 - first - y : first + y;
      rows[y] = Compose(from, height, resized_h, top, crop_h, out_h);
    }
    __syncthreads();
    for (int e = threadIdx.x; e < count * out_w; e += kThreads) {
      const int y = e / out_w, x = e % out_w;
      for (int c = 0; c < a.channels; ++c) {
        const float scale = a.scale[c], black = a.bias[c];
        const uint8_t* bytes = a.images + (sample.index * a.channels + c) * plane;
        float sum = 0;
        for (int r = 0; r < rows[y].count; ++r) {
          const int row = rows[y].index[r];
          float along = black;
          if (row < height) {
            along = 0;
            for (int t = 0; t < columns[x].count; ++t) {
              const int column = columns[x].index[t];
              const float value =
                  column < width ? static_cast<float>(bytes[row * width + column]) * scale + black : black;
              along += columns[x].weight[t] * value;
            }
          }
          sum += rows[y].weight[r] * along;
        }
        const int64_t pixel = static_cast<int64_t>(first + y) * out_w + x;
        const int64_t at = a.channels_last
                               ? (b * out_h * out_w + pixel) * a.channels + c
                               : (b * a.channels + c) * static_cast<int64_t>(out_h) * out_w + pixel;
        static_cast<T*>(a.output)[at] = FromFloat<T>(sum);
      }
    }
    __syncthreads();  // before the tables are those of the next image
  }
}

int64_t RowsPerBlock(const AugmentArgs& a) {
  constexpr int64_t kPixels = 2048;  // of a block
  const int64_t wanted = DivideUp(kPixels, a.out_w);
  return wanted < a.out_h ? wanted : a.out_h;
}

size_t TableBytes(const AugmentArgs& a) { return (a.out_w + RowsPerBlock(a)) * sizeof(Taps); }

}  // namespace

bool AugmentFits(const AugmentArgs& a) { return TableBytes(a) <= kSharedBytes; }

void Augment(const AugmentArgs& a, Stream stream) {
  if (a.batch == 0) return;
  const int64_t rows = RowsPerBlock(a);
  const dim3 grid{GridSize(DivideUp(a.out_h, rows)),
                  static_cast<unsigned>(a.batch < kMaxGridY ? a.batch : kMaxGridY)};
  WithElement(a.element, [&](auto* type) {
    Launch(AugmentKernel<std::remove_pointer_t<decltype(type)>>, grid, dim3{kThreads}, TableBytes(a), stream,
           a, static_cast<int>(rows));
  });
}

}  // namespace dyconv::kernels::cuda
