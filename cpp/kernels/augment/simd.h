// Inner loops of the augmentation are compiled once per instruction set, and the dynamic linker picks the
// best one when the add-on is loaded. gcc 11 cannot choose between those levels. ARM
// has one level, for which gcc vectorizes at -O3.
#pragma once

#if defined(__x86_64__) && defined(__linux__) && !defined(__clang__) && __GNUC__ >= 12
#define DYCONV_SIMD_CLONES \
  __attribute__((optimize("O3"), target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default")))
#define DYCONV_INLINE inline __attribute__((always_inline))
#elif defined(__aarch64__) && defined(__GNUC__) && !defined(__clang__)
#define DYCONV_SIMD_CLONES __attribute__((optimize("O3")))
#define DYCONV_INLINE inline __attribute__((always_inline))
#else
#define DYCONV_SIMD_CLONES
#define DYCONV_INLINE inline
#endif
