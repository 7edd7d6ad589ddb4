#include "support.h"

namespace check {
namespace {

struct Problem {
  int64_t batch, channels, plane, hidden, experts;
  bool channels_last, softmax, bias;
  Element element;
};

struct Reference {
  std::vector<double> pooled, hidden, attention, grad_pixel, grad_w1, grad_b1, grad_w2, grad_b2;
};

// The definition, loop by loop, in float64. `input` is [B, I, P].
Reference Compute(const Problem& p, const std::vector<float>& input, const std::vector<float>& w1,
                  const std::vector<float>& b1, const std::vector<float>& w2, const std::vector<float>& b2,
                  double temperature, const std::vector<float>& grad) {
  const int64_t I = p.channels, H = p.hidden, K = p.experts;
  Reference r;
  r.pooled.resize(p.batch * I), r.hidden.resize(p.batch * H), r.attention.resize(p.batch * K);
  r.grad_pixel.resize(p.batch * I), r.grad_w1.resize(H * I), r.grad_b1.resize(H);
  r.grad_w2.resize(K * H), r.grad_b2.resize(K);
  for (int64_t b = 0; b < p.batch; ++b) {
    double *pooled = &r.pooled[b * I], *hidden = &r.hidden[b * H], *attention = &r.attention[b * K];
    for (int64_t i = 0; i < I; ++i) {
      for (int64_t n = 0; n < p.plane; ++n) pooled[i] += input[(b * I + i) * p.plane + n];
      pooled[i] /= static_cast<double>(p.plane);
    }
    for (int64_t h = 0; h < H; ++h) {
      hidden[h] = p.bias ? b1[h] : 0;
      for (int64_t i = 0; i < I; ++i) hidden[h] += w1[h * I + i] * pooled[i];
      hidden[h] = std::max(hidden[h], 0.0);
    }
    double total = 0;
    for (int64_t k = 0; k < K; ++k) {
      double logit = p.bias ? b2[k] : 0;
      for (int64_t h = 0; h < H; ++h) logit += w2[k * H + h] * hidden[h];
      attention[k] = p.softmax ? std::exp(logit / temperature) : 1 / (1 + std::exp(-logit / temperature));
      total += attention[k];
    }
    double common = 0;
    for (int64_t k = 0; k < K; ++k) {
      if (p.softmax) attention[k] /= total;
      common += attention[k] * grad[b * K + k];
    }
    std::vector<double> grad_hidden(H);
    for (int64_t k = 0; k < K; ++k) {
      const double slope = p.softmax ? grad[b * K + k] - common : (1 - attention[k]) * grad[b * K + k];
      const double grad_logit = attention[k] * slope / temperature;
      r.grad_b2[k] += grad_logit;
      for (int64_t h = 0; h < H; ++h) {
        r.grad_w2[k * H + h] += grad_logit * hidden[h];
        if (hidden[h] > 0) grad_hidden[h] += grad_logit * w2[k * H + h];
      }
    }
    for (int64_t h = 0; h < H; ++h) {
      r.grad_b1[h] += grad_hidden[h];
      for (int64_t i = 0; i < I; ++i) {
        r.grad_w1[h * I + i] += grad_hidden[h] * pooled[i];
        r.grad_pixel[b * I + i] += grad_hidden[h] * w1[h * I + i] / static_cast<double>(p.plane);
      }
    }
  }
  return r;
}

void Check(const Problem& p) {
  Data data(3);
  const int64_t I = p.channels, H = p.hidden, K = p.experts;
  const auto input = data.Numbers(p.batch * I * p.plane, p.element);
  const auto w1 = data.Numbers(H * I), b1 = data.Numbers(H), w2 = data.Numbers(K * H), b2 = data.Numbers(K);
  const auto grad = data.Numbers(p.batch * K);
  const float temperature = 1.7f;
  const Reference expected = Compute(p, input, w1, b1, w2, b2, temperature, grad);
  Buffer image(p.element, p.channels_last ? Transposed(input, p.batch, I, p.plane) : input);

  const std::string problem =
      std::to_string(p.batch) + "x" + std::to_string(I) + "x" + std::to_string(p.plane) + " to " +
      std::to_string(H) + " to " + std::to_string(K) + " " + Name(p.element) +
      (p.channels_last ? " channels last" : "") + (p.softmax ? " softmax" : " sigmoid");
  InEveryOrder("routing", problem, [&] {
    const auto fresh = [](int64_t count) { return std::vector<float>(count, NAN); };
    auto pooled = fresh(p.batch * I), hidden = fresh(p.batch * H), attention = fresh(p.batch * K);
    auto grad_logits = fresh(p.batch * K), grad_hidden = fresh(p.batch * H), grad_pixel = fresh(p.batch * I);
    auto grad_w1 = fresh(H * I), grad_b1 = fresh(H), grad_w2 = fresh(K * H), grad_b2 = fresh(K);
    RoutingArgs args;
    args.batch = p.batch, args.channels = I, args.plane = p.plane, args.hidden = H, args.experts = K;
    args.channels_last = p.channels_last, args.softmax = p.softmax, args.element = p.element;
    args.input = image.data(), args.w1 = w1.data(), args.w2 = w2.data(), args.temperature = &temperature;
    if (p.bias) args.b1 = b1.data(), args.b2 = b2.data();
    args.pooled = pooled.data(), args.hidden_units = hidden.data(), args.attention = attention.data();
    RoutingForward(args, nullptr);
    args.grad_attention = grad.data(), args.grad_logits = grad_logits.data();
    args.grad_hidden = grad_hidden.data(), args.grad_pixel = grad_pixel.data();
    args.grad_w1 = grad_w1.data(), args.grad_w2 = grad_w2.data();
    if (p.bias) args.grad_b1 = grad_b1.data(), args.grad_b2 = grad_b2.data();
    RoutingBackward(args, nullptr);
    std::vector<Result> results{{"pooled", pooled, expected.pooled, 1e-6},
                                {"hidden", hidden, expected.hidden, 4e-6},
                                {"attention", attention, expected.attention, 4e-6},
                                {"input gradient", grad_pixel, expected.grad_pixel, 2e-5},
                                {"w1 gradient", grad_w1, expected.grad_w1, 2e-5},
                                {"w2 gradient", grad_w2, expected.grad_w2, 2e-5}};
    if (p.bias) {
      results.push_back({"b1 gradient", grad_b1, expected.grad_b1, 2e-5});
      results.push_back({"b2 gradient", grad_b2, expected.grad_b2, 2e-5});
    }
    return results;
  });
}

}  // namespace

void CheckRouting() {
  constexpr auto kFloat = Element::kFloat, kBFloat16 = Element::kBFloat16, kHalf = Element::kHalf;
  Check({3, 64, 49, 16, 2, false, true, true, kFloat});
  Check({2, 300, 9, 75, 16, false, true, true, kFloat});
  Check({2, 70, 33, 17, 4, true, true, true, kFloat});
  Check({2, 300, 5, 9, 3, true, false, false, kFloat});
  Check({1, 1, 1, 1, 1, false, true, true, kFloat});
  Check({2, 40, 10, 10, 4, false, false, true, kBFloat16});
  Check({2, 40, 10, 10, 4, true, true, true, kHalf});
  Check({0, 8, 4, 3, 2, false, true, true, kFloat});
}

}  // namespace check
