// File: tools/histbench/queries.h
//
// What dashboards and reports ask, timed at the client over one warm connection, one at a time:
//
//   raw_hour                 the last hour of a tag, raw
//   buckets_1000             a tag's whole range in 1,000 intervals of minimum, maximum and average
//   minute_average_100_tags  100 tags, the whole range, one-minute averages
//   latest_all               the newest sample of every tag
//   time_weighted_hour       hourly time-weighted averages of a tag over the whole range
#ifndef HISTORIAN_TOOLS_HISTBENCH_QUERIES_H_
#define HISTORIAN_TOOLS_HISTBENCH_QUERIES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "client/connection.h"
#include "client/reader.h"
#include "tools/histbench/workload.h"

namespace historian::histbench {

struct QueryResult {
  std::string name;
  size_t repetitions = 0;
  double first_p50_ms = 0;  // Of first visits, where they are told apart.
  double p50_ms = 0;
  double p99_ms = 0;
  double max_ms = 0;
  uint64_t answers = 0;  // Samples or values in all: so that nobody is fast by answering nothing.
};

// Returns the q-quantile by nearest rank, or 0 if there are no values. Sorts the values.
double Quantile(std::vector<double>& values, double q);

// Asks `n` times, after `warm_up` times. `ask` returns how many samples or values the answer has.
absl::StatusOr<QueryResult> TimeQuery(absl::string_view name, size_t n, size_t warm_up,
                                      const std::function<absl::StatusOr<uint64_t>()>& ask);
// All values of a processed answer.
uint64_t CountValues(const std::vector<client::ProcessedSeries>& series);

// Each query `repetitions` times (the wide ones a fifth of it), with tags drawn by the workload's seed; then
// the same again, as a screen is refreshed, which is what the other figures are of.
absl::StatusOr<std::vector<QueryResult>> RunQueries(const client::Connection& connection,
                                                    const Workload& workload, size_t repetitions);

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_QUERIES_H_
