#include "tools/histbench/queries.h"

#include <algorithm>
#include <cmath>
#include <functional>
#include <iterator>
#include <random>
#include <utility>

#include "client/reader.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

namespace historian::histbench {

double Quantile(std::vector<double>& values, double q) {
  if (values.empty()) return 0;
  std::sort(values.begin(), values.end());
  const double rank = std::ceil(q * static_cast<double>(values.size()));
  return values[static_cast<size_t>(std::max(1.0, rank)) - 1];
}

uint64_t CountValues(const std::vector<client::ProcessedSeries>& series) {
  uint64_t values = 0;
  for (const client::ProcessedSeries& s : series) {
    for (const client::ProcessedColumn& column : s.columns) values += column.size();
  }
  return values;
}

absl::StatusOr<QueryResult> TimeQuery(absl::string_view name, size_t n, size_t warm_up,
                                      const std::function<absl::StatusOr<uint64_t>()>& ask) {
  std::vector<double> took_ms;
  QueryResult result{.name = std::string(name), .repetitions = n};
  for (size_t i = 0; i < warm_up + n; ++i) {
    const MonotonicTime begin = MonotonicTime::Now();
    ASSIGN_OR_RETURN(const uint64_t answers, ask());
    if (i < warm_up) continue;
    took_ms.push_back(absl::ToDoubleMilliseconds(MonotonicTime::Now() - begin));
    result.answers += answers;
  }
  result.p50_ms = Quantile(took_ms, 0.5);
  result.p99_ms = Quantile(took_ms, 0.99);
  result.max_ms = took_ms.back();
  return result;
}

absl::StatusOr<std::vector<QueryResult>> RunQueries(const client::Connection& connection,
                                                    const Workload& workload, size_t repetitions) {
  const client::Reader reader(connection);
  const std::vector<plant::Sensor>& sensors = workload.sensors();
  // Whole seconds; the first sample may be 5 ms before its own.
  const Timestamp start = workload.start();
  const Timestamp end = start + workload.options().seconds * kNanosPerSecond;
  const auto id = [&](size_t k) { return sensors[k % sensors.size()].tag.id; };
  client::TagSelection all;
  for (const plant::Sensor& sensor : sensors) all.ids.push_back(sensor.tag.id);

  const auto processed = [&](client::TagSelection tags, absl::Duration interval,
                             std::vector<Aggregate> aggregates) -> absl::StatusOr<uint64_t> {
    ASSIGN_OR_RETURN(
        const auto series,
        reader.Processed(
            tags, {.start = start, .end = end, .interval = interval, .aggregates = std::move(aggregates)}));
    return CountValues(series);
  };

  const struct {
    const char* name;
    bool wide;
    std::function<absl::StatusOr<uint64_t>(size_t)> ask;
  } queries[] = {
      {"raw_hour", false,
       [&](size_t k) -> absl::StatusOr<uint64_t> {
         client::RawSamples raw = reader.Raw(id(k), std::max(start, end - 3600 * kNanosPerSecond), end);
         uint64_t samples = 0;
         for (const client::SampleBatch& batch : raw) samples += batch.samples.size();
         RETURN_IF_ERROR(raw.status());
         return samples;
       }},
      {"buckets_1000", false,
       [&](size_t k) {
         return processed({.ids = {id(k)}}, absl::Nanoseconds((end - start) / 1000),
                          {Aggregate::kMinimum, Aggregate::kMaximum, Aggregate::kAverage});
       }},
      {"minute_average_100_tags", true,
       [&](size_t k) {
         client::TagSelection tags;
         for (size_t i = 0; i < std::min<size_t>(100, sensors.size()); ++i) tags.ids.push_back(id(k + i));
         return processed(std::move(tags), absl::Minutes(1), {Aggregate::kAverage});
       }},
      {"latest_all", true,
       [&](size_t) -> absl::StatusOr<uint64_t> {
         ASSIGN_OR_RETURN(const client::Latest latest, reader.ReadLatest(all));
         uint64_t samples = 0;
         for (const client::LatestSamples& group : latest.groups) samples += group.samples.size();
         return samples;
       }},
      {"time_weighted_hour", false,
       [&](size_t k) { return processed({.ids = {id(k)}}, absl::Hours(1), {Aggregate::kTimeAverage2}); }},
  };

  std::vector<QueryResult> results;
  for (const auto& query : queries) {
    const size_t n = std::max<size_t>(20, query.wide ? repetitions / 5 : repetitions);
    QueryResult results_of[2];
    for (QueryResult& result : results_of) {
      std::mt19937_64 random(workload.options().seed);
      ASSIGN_OR_RETURN(result, TimeQuery(query.name, n, /*warm_up=*/0,
                                         [&] { return query.ask(random() % sensors.size()); }));
    }
    results_of[1].first_p50_ms = results_of[0].p50_ms;
    results.push_back(std::move(results_of[1]));
  }
  return results;
}

}  // namespace historian::histbench
