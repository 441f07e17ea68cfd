// File: storage/platform/simd.h
//
// HISTORIAN_SIMD in front of a function compiles it three times, for every x86-64, for those with AVX2 and
// FMA (x86-64-v3) and for those with AVX-512 (x86-64-v4), and picks one when the program is loaded. For leaf
// loops that the compiler vectorises; it prevents inlining, so never on something called per sample. All give
// the same bits: a product and a sum are rounded as one only where the source says __builtin_fma, which may
// do so when HasFused() is true; else it would go through a library. Sanitizers cannot run the code that
// picks, so there all is compiled once.
#ifndef HISTORIAN_STORAGE_PLATFORM_SIMD_H_
#define HISTORIAN_STORAGE_PLATFORM_SIMD_H_

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(HISTORIAN_SANITIZED)
#define HISTORIAN_SIMD                                                         \
  __attribute__((target_clones("arch=x86-64-v4", "arch=x86-64-v3", "default"), \
                 optimize("O3", "fp-contract=off")))
#define HISTORIAN_HAS_FUSED __builtin_cpu_supports("x86-64-v3")
#else
#define HISTORIAN_SIMD
#define HISTORIAN_HAS_FUSED false
#endif

namespace historian {

inline bool HasFused() {
  static const bool has = HISTORIAN_HAS_FUSED;
  return has;
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_PLATFORM_SIMD_H_
