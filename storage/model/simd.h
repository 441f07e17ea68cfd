// File: storage/model/simd.h
//
// HISTORIAN_SIMD in front of a function compiles it twice, for every x86-64 and for AVX2, and picks one when
// the program is loaded. For leaf loops that the compiler vectorises; it prevents inlining, so never on
// something called per sample. Sanitizers cannot run the code that picks, so there it compiles once.
#ifndef HISTORIAN_STORAGE_MODEL_SIMD_H_
#define HISTORIAN_STORAGE_MODEL_SIMD_H_

#if defined(__x86_64__) && defined(__GNUC__) && !defined(__clang__) && !defined(HISTORIAN_SANITIZED)
#define HISTORIAN_SIMD __attribute__((target_clones("avx2", "default"), optimize("O3")))
#else
#define HISTORIAN_SIMD
#endif

#endif  // HISTORIAN_STORAGE_MODEL_SIMD_H_
