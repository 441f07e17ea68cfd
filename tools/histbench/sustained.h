// File: tools/histbench/sustained.h
//
// What a server takes in over a minute and more: the workload's frames are sent over and over, their times moved on
// each time (endless.h), while the clock runs. Sealing and settling in the background are part of what is measured.
// A workload that is sent once may be over in half a second, before a server has to do any of that.
#ifndef HISTORIAN_TOOLS_HISTBENCH_SUSTAINED_H_
#define HISTORIAN_TOOLS_HISTBENCH_SUSTAINED_H_

#include <cstddef>
#include <cstdint>

#include "absl/status/statusor.h"
#include "tools/histbench/ingest.h"
#include "tools/histbench/test_bed.h"
#include "tools/histbench/workload.h"

namespace historian::histbench {

struct SustainedOptions {
  TestBed::Options bed;  // The server's own directory is removed afterwards.
  size_t connections = 4;
  size_t frames_in_flight = 4;
  double seconds = 60;  // On the clock; a tenth of it, at most 5 s, is sent before.
};

struct SustainedResult {
  // Of what was acknowledged while the clock ran. `bytes`, `pieces`, `make_seconds` and `reconnects` are not known.
  IngestResult ingest;
  double sealed_cpu_seconds = 0;  // Server CPU from the clock's start until all is sealed,
  uint64_t sealed_samples = 0;    // for this many samples.
  uint64_t peak_memory_bytes = 0;
  // Of all samples, by SAMPLE_COUNT of every tag and by the storage's books.
  uint64_t lost = 0;
  uint64_t duplicated = 0;
};

absl::StatusOr<SustainedResult> MeasureSustained(const WorkloadOptions& options,
                                                 const SustainedOptions& sustained);

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_SUSTAINED_H_
