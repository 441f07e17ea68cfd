// File: server/process_usage.h
//
// What the process takes of the machine, as the metrics named process_ have it.
// Source: Prometheus, "Writing client libraries", process metrics.
#ifndef HISTORIAN_SERVER_PROCESS_USAGE_H_
#define HISTORIAN_SERVER_PROCESS_USAGE_H_

#include <cstdint>

namespace historian::server {

struct ProcessUsage {
  double cpu_seconds = 0;         // User's and system's, since the start.
  double start_time_seconds = 0;  // Since 1970.
  uint64_t resident_bytes = 0;
  uint64_t virtual_bytes = 0;
  uint64_t open_descriptors = 0;
  uint64_t descriptors_max = 0;
};

// What the system does not tell is 0. Threads: any number.
ProcessUsage UsageOfProcess();

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_PROCESS_USAGE_H_
