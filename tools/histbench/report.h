// File: tools/histbench/report.h
//
// What a run measured, as a table for people and as JSON for the next tool.
#ifndef HISTORIAN_TOOLS_HISTBENCH_REPORT_H_
#define HISTORIAN_TOOLS_HISTBENCH_REPORT_H_

#include <cstddef>
#include <cstdint>
#include <optional>
#include <string>
#include <vector>

#include "tools/histbench/ingest.h"
#include "tools/histbench/json.h"
#include "tools/histbench/queries.h"
#include "tools/histbench/sustained.h"
#include "tools/histbench/verify.h"

namespace historian::histbench {

// One connection count. Negative numbers: not measured.
struct RunResult {
  IngestResult ingest;  // The workload sent once.
  // The same sent over and over, where that was asked for: what ingest figures are then of.
  std::optional<SustainedResult> sustained;
  Verification verification;
  double sealed_cpu_seconds = -1;  // Server CPU from the first frame until everything is sealed.
  double seal_seconds = 0;
  int64_t peak_memory_bytes = -1;
  uint64_t samples_sealed = 0;
  uint64_t block_bytes = 0;
  uint64_t bytes_on_disk = 0;
  // The same when late samples are merged, rollups built and everything is encoded for good.
  double settle_seconds = 0;
  uint64_t samples_settled = 0;
  uint64_t settled_block_bytes = 0;
  uint64_t settled_bytes_on_disk = 0;
  int64_t directory_bytes = -1;
  std::vector<QueryResult> queries;

  bool restarted = false;
  double restart_seconds = -1;
  uint64_t killed_after_samples = 0;  // Acknowledged of those sent for the kill.
  Verification after_restart;
};

struct Report {
  std::string workload;
  std::string command;
  std::string server_version;
  std::string date;
  std::string processor;
  int processors = 0;
  uint64_t machine_memory_bytes = 0;
  uint64_t tags = 0;
  int64_t seconds = 0;
  uint64_t seed = 0;
  std::vector<RunResult> runs;
  std::vector<size_t> connections;  // Of runs.
};

// Fills date, processor, processors and memory.
void DescribeMachine(Report* report);
// What DescribeMachine found, the server's version and the command, as the object "environment".
void EnvironmentToJson(const Report& report, Json* json);

// The run with the most connections is the one on top.
std::string ToTable(const Report& report);
std::string ToJson(const Report& report);

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_REPORT_H_
