// Which build of the kernels runs: chosen from what the CPU can do, or by argument.
#pragma once

#include "kernels/int8.h"
#include "kernels/kernel.h"
#include "kernels/nhwc.h"
#include "kernels/pointwise.h"

namespace dyconv::kernels {

enum class Isa { kPortable, kAvx2, kAvx512, kNeon };

// Those of this processor family, the narrowest first, which all its processors have. CMakeLists.txt compiles
// the same ones.
#if defined(__x86_64__)
inline constexpr Isa kIsas[] = {Isa::kPortable, Isa::kAvx2, Isa::kAvx512};
#elif defined(__aarch64__)
inline constexpr Isa kIsas[] = {Isa::kNeon};
#else
inline constexpr Isa kIsas[] = {Isa::kPortable};
#endif

// One build of every kernel in kernels.inc.
struct KernelTable {
  const char* name;
#define DYCONV_KERNEL(name, result, parameters) result(*name) parameters;
#include "kernels/kernels.inc"
#undef DYCONV_KERNEL
};

// Whether this CPU can run `isa`.
bool IsaAvailable(Isa isa);

// Its name: portable, neon, avx2 or avx512.
const char* NameOf(Isa isa);

// The widest that this CPU can run, or the one that DYCONV_CPU_CAPABILITY names in the environment, as
// ATEN_CPU_CAPABILITY does for libtorch's kernels.
Isa BestIsa();

// Whether this CPU multiplies whole matrices of bfloat16 at a time (AMX), as libtorch then does and these
// kernels do not.
bool HasAmxBf16();

// Whether this CPU multiplies small matrices of bfloat16 (FEAT_BF16 of ARM), which only the kernels that need
// it are compiled for.
bool HasArmBf16();

// Kernels of `isa`, which must be available.
const KernelTable& Kernels(Isa isa);

// Those of the widest instruction set.
inline const KernelTable& BestKernels() { return Kernels(BestIsa()); }

}  // namespace dyconv::kernels
