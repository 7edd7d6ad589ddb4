#include "bf16.h"

namespace dyconv::kernels::DYCONV_ISA {
namespace {

template <typename T>
void Means(const T* planes, int64_t size, float* means, int64_t begin, int64_t end) {
  const float scale = 1.0f / static_cast<float>(size);
  const int64_t whole = size / kLanes * kLanes;
  int64_t i = begin;
  // kLanes planes at a time, so that the sums within vectors are one transposition.
  for (; i + kLanes <= end; i += kLanes) {
    Vec sums[kLanes] = {};
    const T* from = planes + i * size;
    for (int64_t j = 0; j < kLanes; ++j) {
      for (int64_t p = 0; p < whole; p += kLanes) sums[j] += Widened(from + j * size + p);
    }
    Transpose(sums);
    Vec total = {};
    for (int64_t j = 0; j < kLanes; ++j) total += sums[j];
    for (int64_t p = whole; p < size; ++p) {
      Vec rest;
      for (int64_t j = 0; j < kLanes; ++j) rest[j] = WidenedOne(from[j * size + p]);
      total += rest;
    }
    Store(means + i, total * scale);
  }
  for (; i < end; ++i) {
    float total = 0;
    for (int64_t p = 0; p < size; ++p) total += WidenedOne(planes[i * size + p]);
    means[i] = total * scale;
  }
}

}  // namespace

void MeanPlanes(const float* planes, int64_t size, float* means, int64_t begin, int64_t end) {
  Means(planes, size, means, begin, end);
}

void MeanPlanesBf16(const uint16_t* planes, int64_t size, float* means, int64_t begin, int64_t end) {
  Means(planes, size, means, begin, end);
}

}  // namespace dyconv::kernels::DYCONV_ISA
