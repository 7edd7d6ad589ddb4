// Which build of the kernels runs: chosen from what the CPU can do, or by argument.
#pragma once

#include "kernels/kernel.h"
#include "kernels/nhwc.h"

namespace dyconv::kernels {

enum class Isa { kPortable, kAvx2, kAvx512 };

// One build of every kernel in kernels.inc.
struct KernelTable {
  const char* name;
#define DYCONV_KERNEL(name, result, parameters) result(*name) parameters;
#include "kernels/kernels.inc"
#undef DYCONV_KERNEL
};

// Whether this CPU can run `isa`.
bool IsaAvailable(Isa isa);

// The widest that this CPU can run, or the one that the environment asks for: DYCONV_CPU_CAPABILITY is
// portable, avx2 or avx512, as ATEN_CPU_CAPABILITY is for libtorch's kernels.
Isa BestIsa();

// Whether this CPU multiplies whole matrices of bfloat16 at a time (AMX), as libtorch then does and these
// kernels do not.
bool HasAmxBf16();

// Kernels of `isa`, which must be available.
const KernelTable& Kernels(Isa isa);

}  // namespace dyconv::kernels
