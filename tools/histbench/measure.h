// File: tools/histbench/measure.h
//
// Measures beside the ingest workloads; each starts a server of its own.
//
//   year      a tag with a year of seconds: the year and a day of it in 2,000 buckets, warm and cold, and all
//             of it through one stream
//   backfill  a week of 1,000 tags that is older than everything, while current data come in: rates,
//             acknowledgements, bytes per sample and bytes written, held against the same samples in order
//   idle      a million tags with one sample each: resident bytes a tag, restart with a full journal
//   soak      minutes at a share of the highest rate with queries running: memory, latencies, stalls
#ifndef HISTORIAN_TOOLS_HISTBENCH_MEASURE_H_
#define HISTORIAN_TOOLS_HISTBENCH_MEASURE_H_

#include <cstddef>
#include <cstdint>
#include <string>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "tools/histbench/json.h"
#include "tools/histbench/test_bed.h"

namespace historian::histbench {

struct MeasureOptions {
  TestBed::Options bed;
  uint64_t seed = 1;
  // 0: what the measure says. Hours are of plant time.
  size_t tags = 0;
  double hours = 0;
  size_t connections = 4;
  size_t frames_in_flight = 4;
  size_t memory_bytes = size_t{2} << 30;
  size_t repetitions = 500;
  // soak:
  double minutes = 5;
  double share = 0.7;
};

// Adds the measure's figures to *json, inside an open object, and to *table, for people.
absl::Status MeasureYear(const MeasureOptions& options, Json* json, std::string* table);
absl::Status MeasureBackfill(const MeasureOptions& options, Json* json, std::string* table);
absl::Status MeasureIdle(const MeasureOptions& options, Json* json, std::string* table);
absl::Status MeasureSoak(const MeasureOptions& options, Json* json, std::string* table);

// One figure, in both.
void Figure(absl::string_view key, double value, absl::string_view said, Json* json, std::string* table);

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_MEASURE_H_
