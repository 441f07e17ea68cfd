// File: tools/histbench/ingest.h
//
// Sends a workload and times it. The clock runs from the first frame handed to the network until the last
// acknowledgement; frames are made and encoded before it starts. A workload larger than `memory_bytes` goes
// in pieces: the clock stands while the next piece is made and nothing is on its way, and the result says how
// many pieces there were.
#ifndef HISTORIAN_TOOLS_HISTBENCH_INGEST_H_
#define HISTORIAN_TOOLS_HISTBENCH_INGEST_H_

#include <sys/types.h>

#include <atomic>
#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "tools/histbench/workload.h"

namespace historian::histbench {

struct IngestOptions {
  std::string target;
  std::string producer = "histbench";  // Connection c is producer/c.
  size_t connections = 4;
  size_t frames_in_flight = 4;            // A connection.
  size_t memory_bytes = size_t{1} << 30;  // Of encoded frames.
  pid_t server_pid = -1;                  // For its CPU time; -1: not known.
  double samples_per_second = 0;          // Sends no faster, evenly. 0: as fast as it can.
  // Called when the frames are made and the clock is about to start, the first time; may wait.
  std::function<void()> on_ready;
  // Set: what was not sent yet stays unsent.
  const std::atomic<bool>* stop = nullptr;
  // Called with the samples acknowledged so far; by several threads.
  std::function<void(uint64_t)> on_progress;
};

struct IngestResult {
  uint64_t samples = 0;
  uint64_t frames = 0;
  uint64_t bytes = 0;  // Encoded.
  int pieces = 0;
  double make_seconds = 0;  // Not in `seconds`.
  double seconds = 0;
  std::vector<double> ack_ms;      // One a frame: sent to acknowledged.
  double server_cpu_seconds = -1;  // -1: not known.
  double client_cpu_seconds = 0;   // Of this process while the clock ran.
  uint64_t rejected = 0;
  uint64_t reconnects = 0;

  double rate() const { return seconds > 0 ? static_cast<double>(samples) / seconds : 0; }
};

// Seconds [begin, end) of the workload, whose tags have their ids.
absl::StatusOr<IngestResult> Ingest(const Workload& workload, int64_t begin, int64_t end,
                                    const IngestOptions& options);

// CPU time of this process so far.
double OwnCpuSeconds();

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_INGEST_H_
