// Shared by the checks of the CUDA kernels on the host: reproducible data, 16-bit images, one line per finding.
#pragma once

#include <cmath>
#include <cstdint>
#include <cstdio>
#include <random>
#include <string>
#include <type_traits>
#include <vector>

#include "kernels/cuda/platform.cuh"

namespace check {

using namespace dyconv::kernels::cuda;

inline const char* Name(Element element) {
  return element == Element::kFloat ? "float32" : element == Element::kBFloat16 ? "bfloat16" : "float16";
}

// Half the distance between neighboring numbers near 1, with a margin for sums in another order.
inline double Precision(Element element) {
  return element == Element::kFloat ? 2e-6 : element == Element::kBFloat16 ? 6e-3 : 8e-4;
}

class Data {
 public:
  explicit Data(unsigned seed) : random_(seed) {}
  // Numbers from -1 to 1 that `element` can represent.
  std::vector<float> Numbers(int64_t count, Element element = Element::kFloat) {
    std::vector<float> numbers(count);
    for (float& number : numbers) {
      number = static_cast<float>(random_() / 2147483648.0 - 1);
      WithElement(element, [&](auto* type) {
        number = ToFloat(FromFloat<std::remove_pointer_t<decltype(type)>>(number));
      });
    }
    return numbers;
  }
  std::vector<float> Attention(int64_t batch, int64_t experts) {
    std::vector<float> attention = Numbers(batch * experts);
    for (float& a : attention) a = (a + 1.1f) / 2;
    return attention;
  }

 private:
  std::mt19937 random_;
};

// A buffer of `element`, converted from and to floats. It begins `shift` elements after a 16-byte boundary, as
// a view into a tensor may.
class Buffer {
 public:
  Buffer(Element element, const std::vector<float>& numbers, size_t shift = 0)
      : Buffer(element, numbers.size(), shift) {
    WithElement(element, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      for (size_t i = 0; i < numbers.size(); ++i) static_cast<T*>(data())[i] = FromFloat<T>(numbers[i]);
    });
  }
  // Filled with NaN.
  Buffer(Element element, size_t count, size_t shift = 0)
      : element_(element), count_(count), words_((count + shift) / 2 + 2, {{~0ull, ~0ull}}) {
    shift_ = shift * (element == Element::kFloat ? 4 : 2);
  }
  void* data() { return reinterpret_cast<char*>(words_.data()) + shift_; }
  std::vector<float> Floats() {
    std::vector<float> numbers(count_);
    WithElement(element_, [&](auto* type) {
      using T = std::remove_pointer_t<decltype(type)>;
      for (size_t i = 0; i < count_; ++i) numbers[i] = ToFloat(static_cast<const T*>(data())[i]);
    });
    return numbers;
  }

 private:
  struct alignas(16) Word {
    uint64_t halves[2];
  };
  Element element_;
  size_t count_, shift_ = 0;  // elements, bytes
  std::vector<Word> words_;
};

// [B, C, P] to [B, P, C] and back.
template <class T>
std::vector<T> Transposed(const std::vector<T>& from, int64_t batch, int64_t rows, int64_t columns) {
  std::vector<T> to(from.size());
  for (int64_t b = 0; b < batch; ++b) {
    for (int64_t r = 0; r < rows; ++r) {
      for (int64_t c = 0; c < columns; ++c)
        to[(b * columns + c) * rows + r] = from[(b * rows + r) * columns + c];
    }
  }
  return to;
}

inline std::vector<double> Doubles(const std::vector<float>& from) { return {from.begin(), from.end()}; }

// Largest difference, relative to the largest expected number; NaN counts as infinite.
inline double Worst(const std::vector<float>& got, const std::vector<double>& expected) {
  if (got.size() != expected.size()) return HUGE_VAL;
  double scale = 1e-3, worst = 0;
  for (double e : expected) scale = std::max(scale, std::abs(e));
  for (size_t i = 0; i < got.size(); ++i) {
    const double off = std::abs(got[i] - expected[i]);
    if (!(off <= worst)) worst = std::isnan(off) ? HUGE_VAL : off;
  }
  return worst / scale;
}

// While true, findings are counted but not printed.
inline bool silent = false;
inline int failures = 0;

// One line of JSON per check; test/kernels/cuda.test.ts reads them.
inline void Report(const std::string& kernel, const std::string& what, double worst, double allowed) {
  if (!(worst <= allowed)) ++failures;
  if (silent) return;
  std::printf("{\"kernel\":\"%s\",\"check\":\"%s\",\"worst\":%g,\"allowed\":%g}\n", kernel.c_str(),
              what.c_str(), std::isfinite(worst) ? worst : 1e300, allowed);
}

// The output of a kernel, compared with the expected one.
struct Result {
  std::string what;
  std::vector<float> got;
  std::vector<double> expected;
  double allowed;
};

// Runs `run` in several orders of a block's threads. Each result must be correct, and all must be
// bit-identical.
template <class Run>
void InEveryOrder(const std::string& kernel, const std::string& problem, const Run& run) {
  struct Turn {
    const char* name;
    emulation::Order order;
    unsigned seed;
  };
  const Turn turns[] = {{"first to last", emulation::Order::kForward, 0},
                        {"last to first", emulation::Order::kReverse, 0},
                        {"shuffled", emulation::Order::kShuffled, 7}};
  std::vector<Result> first;
  for (const Turn& turn : turns) {
    emulation::order = turn.order;
    emulation::seed = turn.seed;
    std::vector<Result> results;
    try {
      results = run();
    } catch (const std::exception& error) {
      Report(kernel, problem + ", threads " + turn.name + ": " + error.what(), HUGE_VAL, 0);
      continue;
    }
    for (size_t i = 0; i < results.size(); ++i) {
      const Result& r = results[i];
      const std::string what = problem + ", threads " + turn.name + ": " + r.what;
      Report(kernel, what, Worst(r.got, r.expected), r.allowed);
      if (first.size() == results.size() && r.got != first[i].got) {
        Report(kernel, what + " differs between orders of threads", HUGE_VAL, 0);
      }
    }
    if (first.empty()) first = std::move(results);
  }
}

void CheckRouting();
void CheckMix();
void CheckDynamicConv();
void CheckAugment();
// Incorrect kernels, which the emulation must detect.
void CheckBroken();
// Whether `checks` detect the absence of any single barrier of their kernels.
void CheckBarriers(const std::string& kernel, void (*checks)());

}  // namespace check
