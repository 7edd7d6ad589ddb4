#include "kernels/dispatch.h"

#include <cassert>
#include <cstdio>
#include <cstdlib>
#include <cstring>
#include <initializer_list>

#if defined(__x86_64__)
#include <cpuid.h>
#endif

namespace dyconv::kernels {

#define DYCONV_KERNEL(name, result, parameters) result name parameters;
namespace portable {
#include "kernels/kernels.inc"
}
#if defined(__x86_64__)
namespace avx2 {
#include "kernels/kernels.inc"
}
namespace avx512 {
#include "kernels/kernels.inc"
}
#endif
#undef DYCONV_KERNEL

namespace {

#define DYCONV_KERNEL(name, result, parameters) name,
const KernelTable& PortableKernels() {
  using namespace portable;
  static const KernelTable table = {
      "portable",
#include "kernels/kernels.inc"
  };
  return table;
}
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
#undef DYCONV_KERNEL

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
  return isa == Isa::kPortable;
}

Isa BestIsa() {
  static const Isa best = [] {
    const char* wanted = std::getenv("DYCONV_CPU_CAPABILITY");
    Isa widest = Isa::kPortable;
    for (const Isa isa : {Isa::kPortable, Isa::kAvx2, Isa::kAvx512}) {
      if (!IsaAvailable(isa)) continue;
      widest = isa;
      if (wanted != nullptr && std::strcmp(wanted, Kernels(isa).name) == 0) return isa;
    }
    if (wanted != nullptr) {
      std::fprintf(stderr,
                   "dyconv: this CPU has no DYCONV_CPU_CAPABILITY=%s (portable, avx2, avx512): %s it is.\n",
                   wanted, Kernels(widest).name);
    }
    return widest;
  }();
  return best;
}

bool HasAmxBf16() {
#if defined(__x86_64__)
  // __builtin_cpu_supports does not know it before gcc 13.
  static const bool has = [] {
    unsigned eax, ebx, ecx, edx;
    return __get_cpuid_count(7, 0, &eax, &ebx, &ecx, &edx) != 0 && (edx >> 22 & 1) != 0;
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
  return PortableKernels();
}

}  // namespace dyconv::kernels
