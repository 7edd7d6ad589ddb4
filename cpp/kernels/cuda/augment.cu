// Augmentation as cpp/ops/augment.h defines it, of a set that is on the device. Compiled without fused
// multiply-adds, so that a crop is that of the CPU; test/kernels compares the two.
#include "platform.cuh"

namespace dyconv::kernels::cuda {
namespace {

constexpr int kThreads = 256;
constexpr int kMaxTaps = 4;
constexpr uint64_t kGolden = 0x9e3779b97f4a7c15ull;

__device__ uint64_t Mix(uint64_t z) {
  z = (z ^ (z >> 30)) * 0xbf58476d1ce4e5b9ull;
  z = (z ^ (z >> 27)) * 0x94d049bb133111ebull;
  return z ^ (z >> 31);
}

struct Random {
  uint64_t state;

  __device__ Random(uint64_t seed, uint64_t epoch, uint64_t index)
      : state(Mix((Mix((Mix(seed + kGolden) ^ epoch) + kGolden) ^ index) + kGolden)) {}
  __device__ double Uniform() {
    state += kGolden;
    return static_cast<double>(Mix(state) >> 11) * 0x1.0p-53;
  }
  __device__ double Uniform(double low, double high) { return low + Uniform() * (high - low); }
  __device__ int Below(int bound) { return min(static_cast<int>(Uniform() * bound), bound - 1); }
};

struct Box {
  int top, left, height, width, flip;
};

__device__ Box RandomCrop(const AugmentArgs& a, int height, int width, Random& random) {
  const double log_min = log(a.ratio_min), log_max = log(a.ratio_max);
  for (int attempt = 0; attempt < 10; ++attempt) {
    const double area =
        static_cast<double>(static_cast<int64_t>(height) * width) * random.Uniform(a.scale_min, a.scale_max);
    const double ratio = exp(random.Uniform(log_min, log_max));
    const double crop_w = nearbyint(sqrt(area * ratio)), crop_h = nearbyint(sqrt(area / ratio));
    if (crop_w > 0 && crop_w <= width && crop_h > 0 && crop_h <= height) {
      const int h = static_cast<int>(crop_h), w = static_cast<int>(crop_w);
      const int top = random.Below(height - h + 1);
      return {top, random.Below(width - w + 1), h, w, 0};
    }
  }
  int h = height, w = width;
  const double ratio = static_cast<double>(width) / height;
  if (ratio < a.ratio_min) h = static_cast<int>(fmax(1.0, round(width / a.ratio_min)));
  if (ratio > a.ratio_max) w = static_cast<int>(fmax(1.0, round(height * a.ratio_max)));
  h = min(h, height), w = min(w, width);
  return {(height - h) / 2, (width - w) / 2, h, w, 0};
}

__device__ Box ChooseBox(const AugmentArgs& a, int height, int width, int64_t index) {
  Random random(a.seed, a.epoch, static_cast<uint64_t>(index));
  Box box{0, 0, height, width, 0};
  if (a.crop) box = RandomCrop(a, height, width, random);
  if (a.padding > 0) {
    const int padding = static_cast<int>(a.padding);
    box.top = random.Below(2 * padding + 1) - padding;
    box.left = random.Below(2 * padding + 1) - padding;
  }
  box.flip = a.flip > 0 && random.Uniform() < a.flip;
  return box;
}

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

// Composes the resize and the crop along one axis; position `source` is the black line beside the image.
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
  const int resized_h = a.resize_h > 0 ? static_cast<int>(a.resize_h) : height;
  const int resized_w = a.resize_w > 0 ? static_cast<int>(a.resize_w) : width;
  Taps* columns = Shared<Taps>();  // [out_w]
  Taps* rows = columns + out_w;    // [rows_per_block]
  Box* box = reinterpret_cast<Box*>(rows + rows_per_block);
  const int first = blockIdx.x * rows_per_block, count = min(rows_per_block, out_h - first);
  const int64_t plane = static_cast<int64_t>(height) * width;
  for (int64_t b = blockIdx.y; b < a.batch; b += gridDim.y) {
    const int64_t index = a.indices[b];
    const bool inside = index >= 0 && index < a.count;
    if (threadIdx.x == 0) *box = ChooseBox(a, resized_h, resized_w, index);
    __syncthreads();
    for (int x = threadIdx.x; x < out_w; x += kThreads) {
      columns[box->flip ? out_w - 1 - x : x] = Compose(x, width, resized_w, box->left, box->width, out_w);
    }
    for (int y = threadIdx.x; y < count; y += kThreads) {
      rows[y] = Compose(first + y, height, resized_h, box->top, box->height, out_h);
    }
    __syncthreads();
    for (int e = threadIdx.x; e < count * out_w; e += kThreads) {
      const int y = e / out_w, x = e % out_w;
      for (int c = 0; c < a.channels; ++c) {
        const float scale = 1.0f / (255.0f * a.std[c]), black = -a.mean[c] / a.std[c];
        const uint8_t* bytes = a.images + ((inside ? index : 0) * a.channels + c) * plane;
        float sum = 0;
        for (int r = 0; r < rows[y].count; ++r) {
          const int row = rows[y].index[r];
          float along = black;
          if (inside && row < height) {
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
    // The next image's box is written when all have passed the barrier behind their last look at this one's,
    // its taps behind a barrier that all reach when their pixels are done.
  }
}

}  // namespace

void Augment(const AugmentArgs& a, Stream stream) {
  if (a.batch == 0) return;
  constexpr int64_t kPixels = 2048;  // of a block
  const int64_t wanted = DivideUp(kPixels, a.out_w), rows = wanted < a.out_h ? wanted : a.out_h;
  const size_t shared = (a.out_w + rows) * sizeof(Taps) + sizeof(Box);
  if (shared > kSharedBytes)
    throw std::runtime_error("CUDA: the images are too wide to be augmented on the device");
  const dim3 grid{GridSize(DivideUp(a.out_h, rows)),
                  static_cast<unsigned>(a.batch < kMaxGridY ? a.batch : kMaxGridY)};
  WithElement(a.element, [&](auto* type) {
    Launch(AugmentKernel<std::remove_pointer_t<decltype(type)>>, grid, dim3{kThreads}, shared, stream, a,
           static_cast<int>(rows));
  });
}

}  // namespace dyconv::kernels::cuda
