// File: storage/model/check.h
//
// CHECK: a broken invariant of our own stops the process; a historian that guesses is worse than one that
// stops. Never for input, files or the network: those get an absl::Status.
#ifndef HISTORIAN_STORAGE_MODEL_CHECK_H_
#define HISTORIAN_STORAGE_MODEL_CHECK_H_

#include <cstdio>
#include <cstdlib>

#define HISTORIAN_CHECK(condition)                                                                  \
  do {                                                                                              \
    if (!(condition)) [[unlikely]] {                                                                \
      std::fprintf(stderr, "%s:%d: CHECK failed: %s\n", __FILE__, __LINE__, #condition);            \
      std::abort();                                                                                 \
    }                                                                                               \
  } while (false)

#endif  // HISTORIAN_STORAGE_MODEL_CHECK_H_
