// Runs the CPU kernels on random sizes: fuzz <isa> <seed> <cases>. Every case has its own seed, so `fuzz <isa>
// <seed of the case> 1` repeats it. scripts/fuzz-kernels.js builds and runs this.
#include "guarded.h"

#include <algorithm>
#include <csignal>
#include <iterator>

#if defined(__SANITIZE_ADDRESS__)
#include <sanitizer/asan_interface.h>
#endif

namespace fuzz {
uint64_t current = 0;
}

namespace {

using fuzz::current;

void PrintCase() {
  std::fprintf(stderr, "in the case of seed %llu\n", static_cast<unsigned long long>(current));
}

// The address at which a kernel accessed a page without access.
void OnSignal(int number) {
  std::fprintf(stderr, "signal %d ", number);
  PrintCase();
  std::signal(number, SIG_DFL);
  std::raise(number);
}

struct Family {
  const char* name;
  int64_t share;  // of the cases, in sixteenths
  void (*run)(fuzz::Random&, const dyconv::kernels::KernelTable&);
};

constexpr Family kFamilies[] = {
    {"convolution", 4, fuzz::FuzzConv},      {"depthwise convolution", 1, fuzz::FuzzDepthwise},
    {"pointwise convolution", 1, fuzz::FuzzPointwise},
    {"max pooling", 2, fuzz::FuzzMaxPool},   {"batch normalization", 1, fuzz::FuzzBatchNorm},
    {"routing", 1, fuzz::FuzzRouting},       {"mixing", 1, fuzz::FuzzMixing},
    {"packed convolution", 1, fuzz::FuzzNhwcConv},
    {"packed depthwise convolution", 1, fuzz::FuzzNhwcDepthwise},
    {"channels-last pooling", 1, fuzz::FuzzNhwcPool},
    {"int8 convolution", 1, fuzz::FuzzInt8}, {"int8 pooling", 1, fuzz::FuzzInt8Pool},
    {"noise", 0, fuzz::FuzzNoise},           {"augmentation", 0, fuzz::FuzzAugment},
};

}  // namespace

int main(int count, char** arguments) {
  using namespace dyconv::kernels;
  if (count != 4) return std::fprintf(stderr, "usage: fuzz <isa> <seed> <cases>\n"), 2;
  const Isa* found = std::find_if(std::begin(kIsas), std::end(kIsas), [&](Isa one) {
    return std::strcmp(arguments[1], NameOf(one)) == 0 && IsaAvailable(one);
  });
  if (found == std::end(kIsas)) return std::fprintf(stderr, "this processor has no %s\n", arguments[1]), 3;
  const Isa isa = *found;
#if defined(__SANITIZE_ADDRESS__)
  __asan_set_death_callback(PrintCase);
#else
  std::signal(SIGSEGV, OnSignal);
  std::signal(SIGBUS, OnSignal);
  std::signal(SIGFPE, OnSignal);
#endif
  const uint64_t seed = std::strtoull(arguments[2], nullptr, 10);
  const int64_t cases = std::strtoll(arguments[3], nullptr, 10);
  for (int64_t i = 0; i < cases; ++i) {
    current = seed + static_cast<uint64_t>(i);
    fuzz::Random random(current);
    int64_t at = random.Between(0, 14);
    const Family* family = kFamilies;
    while (at >= family->share && family->share > 0) at -= (family++)->share;
    if (random.OneIn(50)) family = &kFamilies[11];
    if (random.OneIn(20)) family = &kFamilies[12];
    family->run(random, Kernels(isa));
  }
  DynamicConvShape any;
  any.in_channels = 2;
  std::printf("{\"isa\":\"%s\",\"bf16\":%s,\"seed\":%llu,\"cases\":%lld}\n", Kernels(isa).name,
              Kernels(isa).CanMultiplyBf16(any) ? "true" : "false", static_cast<unsigned long long>(seed),
              static_cast<long long>(cases));
}
