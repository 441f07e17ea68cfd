// File: tools/histbench/verify.h
//
// Reads back what was written and holds it against what was generated.
#ifndef HISTORIAN_TOOLS_HISTBENCH_VERIFY_H_
#define HISTORIAN_TOOLS_HISTBENCH_VERIFY_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/statusor.h"
#include "client/connection.h"
#include "tools/histbench/workload.h"

namespace historian::histbench {

struct Verification {
  uint64_t expected = 0;
  // Generated and not read, or read with another value or quality.
  uint64_t lost = 0;
  // Read and not generated, or stored more often than generated.
  uint64_t duplicated = 0;
  uint64_t compared = 0;  // Samples held against the generated ones bit for bit; the others are counted only.
  double raw_samples_per_second = 0;  // Of the raw reads, through gRPC, one stream after another.
  std::string first_difference;       // Empty: none.

  bool ok() const { return lost == 0 && duplicated == 0; }
};

// Seconds [0, seconds) of the workload. Counts the samples of every tag, by SAMPLE_COUNT and in the storage's
// books, and compares the raw samples of up to `compared_max` samples' worth of tags, evenly spread.
absl::StatusOr<Verification> Verify(const client::Connection& connection, const Workload& workload,
                                    int64_t seconds, uint64_t compared_max);

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_VERIFY_H_
