#include "kernels/dispatch.h"

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <cstring>

#if defined(__x86_64__)
#include <cpuid.h>
#elif defined(__aarch64__) && defined(__linux__)
#include <sys/auxv.h>
#elif defined(__aarch64__) && defined(__APPLE__)
#include <sys/sysctl.h>
#endif

namespace dyconv::kernels {

#define DYCONV_KERNEL(name, result, parameters) result name parameters;
#if defined(__x86_64__)
namespace avx2 {
#include "kernels/kernels.inc"
}
namespace avx512 {
#include "kernels/kernels.inc"
}
#endif
#if defined(__aarch64__)
namespace neon {
#include "kernels/kernels.inc"
}
#else
namespace portable {
#include "kernels/kernels.inc"
}
#endif
#undef DYCONV_KERNEL

namespace {

#define DYCONV_KERNEL(name, result, parameters) name,
#if defined(__x86_64__)
const KernelTable& Avx2Kernels() {
  using namespace avx2;
  static const KernelTable table = {
      "avx2",
#include "kernels/kernels.inc"
  };
  return table;
}
const KernelTable& Avx512Kernels() {
  using namespace avx512;
  static const KernelTable table = {
      "avx512",
#include "kernels/kernels.inc"
  };
  return table;
}
#endif
#if defined(__aarch64__)
const KernelTable& BaseKernels() {
  using namespace neon;
  static const KernelTable table = {
      "neon",
#include "kernels/kernels.inc"
  };
  return table;
}
#else
const KernelTable& BaseKernels() {
  using namespace portable;
  static const KernelTable table = {
      "portable",
#include "kernels/kernels.inc"
  };
  return table;
}
#endif
#undef DYCONV_KERNEL

// Of all in kIsas.
struct Names {
  char text[64] = "";

  Names() {
    int at = 0;
    for (const Isa isa : kIsas) {
      at += std::snprintf(text + at, sizeof(text) - at, "%s%s", at == 0 ? "" : ", ", NameOf(isa));
    }
  }
};

}  // namespace

bool IsaAvailable(Isa isa) {
#if defined(__x86_64__)
  // The compiler's own check covers CPUID and what the operating system saves of the registers. These are
  // what the levels that CMakeLists.txt compiles for add, x86-64-v3 and v4, which gcc 11 does not know by
  // name; the rest of v3 came with them in every CPU.
  const bool avx2 = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") &&
                    __builtin_cpu_supports("bmi") && __builtin_cpu_supports("bmi2");
  const bool avx512 = avx2 && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw") &&
                      __builtin_cpu_supports("avx512cd") && __builtin_cpu_supports("avx512dq") &&
                      __builtin_cpu_supports("avx512vl");
  if (isa == Isa::kAvx512) return avx512;
  if (isa == Isa::kAvx2) return avx2;
#endif
  return isa == kIsas[0];
}

const char* NameOf(Isa isa) {
  switch (isa) {
    case Isa::kPortable:
      return "portable";
    case Isa::kNeon:
      return "neon";
    case Isa::kAvx2:
      return "avx2";
    case Isa::kAvx512:
      return "avx512";
  }
  return "";
}

Isa BestIsa() {
  static const Isa best = [] {
    const char* wanted = std::getenv("DYCONV_CPU_CAPABILITY");
    Isa widest = kIsas[0];
    for (const Isa isa : kIsas) {
      if (!IsaAvailable(isa)) continue;
      widest = isa;
      if (wanted != nullptr && std::strcmp(wanted, NameOf(isa)) == 0) return isa;
    }
    if (wanted != nullptr) {
      std::fprintf(stderr, "dyconv: this CPU has no DYCONV_CPU_CAPABILITY=%s (%s): %s it is.\n", wanted,
                   Names().text, NameOf(widest));
    }
    return widest;
  }();
  return best;
}

bool HasAmxBf16() {
#if defined(__x86_64__)
  // __builtin_cpu_supports does not support it before gcc 13.
  static const bool has = [] {
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx >> 22 & 1) != 0;
  }();
  return has;
#else
  return false;
#endif
}

bool HasArmBf16() {
#if defined(__aarch64__) && defined(__linux__)
  // HWCAP2_BF16, which older headers do not name.
  static const bool has = (getauxval(AT_HWCAP2) >> 14 & 1) != 0;
  return has;
#elif defined(__aarch64__) && defined(__APPLE__)
  static const bool has = [] {
    int value = 0;
    size_t size = sizeof(value);
    return sysctlbyname("hw.optional.arm.FEAT_BF16", &value, &size, nullptr, 0) == 0 && value != 0;
  }();
  return has;
#else
  return false;
#endif
}

const KernelTable& Kernels(Isa isa) {
  assert(IsaAvailable(isa));
#if defined(__x86_64__)
  if (isa == Isa::kAvx512) return Avx512Kernels();
  if (isa == Isa::kAvx2) return Avx2Kernels();
#endif
  return BaseKernels();
}

}  // namespace dyconv::kernels
