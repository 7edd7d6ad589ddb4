// The routing of a dynamic convolution: means of planes, a hidden layer, logits, attention; and back.
#include "kernels/cpu/bf16.h"

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

// The largest logit is subtracted before the division by the temperature: divided first, large logits could
// become infinite.
void Softmax(float* logits, float temperature, int64_t count) {
  float most = logits[0], sum = 0;
  for (int64_t k = 1; k < count; ++k) most = logits[k] > most ? logits[k] : most;
  for (int64_t k = 0; k < count; ++k) {
    sum += logits[k] = __builtin_expf((logits[k] - most) / temperature);
  }
  for (int64_t k = 0; k < count; ++k) logits[k] /= sum;
}

// The gradient of one sample's logits before their temperature.
void GradLogits(const RoutingArgs& args, const float* attention, const float* grad_attention, float* grad) {
  float mean = 0;
  for (int64_t k = 0; args.softmax && k < args.experts; ++k) mean += attention[k] * grad_attention[k];
  for (int64_t k = 0; k < args.experts; ++k) {
    const float slope = args.softmax ? attention[k] : attention[k] * (1 - attention[k]);
    grad[k] = slope * (grad_attention[k] - mean) / args.temperature;
  }
}

// to += factor * from
DYCONV_INLINE void AddScaled(const float* from, float factor, int64_t count, float* to) {
  for (int64_t i = 0; i < count; ++i) to[i] += factor * from[i];
}

}  // namespace

void RoutingForward(const RoutingArgs& args, int64_t begin, int64_t end) {
  const int64_t in = args.channels;
  if (args.planes != nullptr) Means(args.planes, args.plane, args.means, begin * in, end * in);
  if (args.planes16 != nullptr) Means(args.planes16, args.plane, args.means, begin * in, end * in);
  for (int64_t b = begin; b < end; ++b) {
    float* hidden = args.hidden + b * args.hidden_size;
    for (int64_t j = 0; j < args.hidden_size; ++j) {
      const float sum =
          Dot(args.w1 + j * in, args.means + b * in, in) + (args.b1 != nullptr ? args.b1[j] : 0);
      hidden[j] = sum < 0 ? 0 : sum;
    }
    float* attention = args.attention + b * args.experts;
    for (int64_t k = 0; k < args.experts; ++k) {
      const float sum = Dot(args.w2 + k * args.hidden_size, hidden, args.hidden_size) +
                        (args.b2 != nullptr ? args.b2[k] : 0);
      attention[k] = sum;
    }
    if (args.softmax) {
      Softmax(attention, args.temperature, args.experts);
      continue;
    }
    for (int64_t k = 0; k < args.experts; ++k) {
      attention[k] = 1 / (1 + __builtin_expf(-attention[k] / args.temperature));
    }
  }
}

void RoutingGradMeans(const RoutingArgs& args, int64_t begin, int64_t end) {
  const int64_t in = args.channels, size = args.hidden_size;
  for (int64_t b = begin; b < end; ++b) {
    float* grad_logits = args.grad_logits + b * args.experts;
    GradLogits(args, args.attention + b * args.experts, args.grad_attention + b * args.experts, grad_logits);
    const float* hidden = args.hidden + b * size;
    float* grad_hidden = args.grad_hidden + b * size;
    std::memset(grad_hidden, 0, size * sizeof(float));
    for (int64_t k = 0; k < args.experts; ++k)
      AddScaled(args.w2 + k * size, grad_logits[k], size, grad_hidden);
    float* grad_means = args.grad_means + b * in;
    std::memset(grad_means, 0, in * sizeof(float));
    for (int64_t j = 0; j < size; ++j) {
      grad_hidden[j] = hidden[j] <= 0 ? 0 : grad_hidden[j];
      AddScaled(args.w1 + j * in, grad_hidden[j] / static_cast<float>(args.plane), in, grad_means);
    }
  }
}

void RoutingGradWeights(const RoutingArgs& args, int64_t begin, int64_t end) {
  const int64_t in = args.channels, size = args.hidden_size;
  std::memset(args.grad_w1 + begin * in, 0, (end - begin) * in * sizeof(float));
  for (int64_t j = begin; j < end; ++j) {
    args.grad_b1[j] = 0;
    for (int64_t b = 0; b < args.batch; ++b) {
      const float grad = args.grad_hidden[b * size + j];
      AddScaled(args.means + b * in, grad, in, args.grad_w1 + j * in);
      args.grad_b1[j] += grad;
    }
    for (int64_t k = 0; k < args.experts; ++k) {
      float sum = 0;
      for (int64_t b = 0; b < args.batch; ++b) {
        sum += args.grad_logits[b * args.experts + k] * args.hidden[b * size + j];
      }
      args.grad_w2[k * size + j] = sum;
    }
  }
}

}  // namespace dyconv::kernels::DYCONV_ISA
