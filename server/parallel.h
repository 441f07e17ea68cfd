// File: server/parallel.h
//
// Work on many tags, or many pieces of one range, on all processors.
#ifndef HISTORIAN_SERVER_PARALLEL_H_
#define HISTORIAN_SERVER_PARALLEL_H_

#include <cstddef>

#include "absl/functional/function_ref.h"
#include "absl/status/status.h"
#include "server/work_pool.h"

namespace historian::server {

// The most threads that one call's work is spread over.
size_t ParallelWidth();

// Calls work(i) once for each i below n, on this thread and on threads of the pool that are free, and returns
// when all calls have returned. After an error no further call begins; returns the first error. If the pool
// is busy this thread does more of the work itself: it never waits for its turn. Threads of the pool help
// for a few milliseconds at a time, and between two calls of work let others go first: however much there is
// to do, it keeps no thread but this one from the queries of others.
absl::Status ForEachInParallel(WorkPool& pool, size_t n, absl::FunctionRef<absl::Status(size_t)> work);

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_PARALLEL_H_
