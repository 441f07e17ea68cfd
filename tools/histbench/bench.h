// File: tools/histbench/bench.h
//
// One run of the load generator: tags, ingest, verification, sealing, queries, and with a server of our own a
// kill -9 in the midst of writing, a restart, and verification again.
#ifndef HISTORIAN_TOOLS_HISTBENCH_BENCH_H_
#define HISTORIAN_TOOLS_HISTBENCH_BENCH_H_

#include <sys/types.h>

#include <cstddef>
#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/histbench/report.h"
#include "tools/histbench/workload.h"

namespace historian::histbench {

struct BenchOptions {
  WorkloadOptions workload;
  size_t connections = 4;
  size_t frames_in_flight = 4;
  size_t memory_bytes = size_t{1} << 30;
  size_t repetitions = 500;
  uint64_t compared_max = 100'000'000;  // Samples held against the generated ones.
  double sustained_seconds =
      0;  // Also sends over and over for so long, to another server of our own. 0: does not.

  // A server of our own in `scratch`/run-N, or, when `target` is set, that one.
  std::string server_binary;
  std::vector<std::string> server_flags;
  std::string scratch;
  std::string target;
  pid_t server_pid = -1;  // Of `target`: for CPU time and memory.
};

// Says on standard error what it is doing. `version` is the server's.
absl::StatusOr<RunResult> RunBench(const BenchOptions& options, std::string* version);

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_BENCH_H_
