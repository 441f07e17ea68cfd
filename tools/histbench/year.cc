#include <algorithm>
#include <cmath>
#include <functional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "tools/histbench/ingest.h"
#include "tools/histbench/measure.h"
#include "tools/histbench/queries.h"

namespace historian::histbench {
namespace {

constexpr int64_t kBuckets = 2000;
constexpr int kColdRounds = 5;
constexpr int kStreamRounds = 3;

}  // namespace

void Figure(absl::string_view key, double value, absl::string_view said, Json* json, std::string* table) {
  json->Number(key, value);
  absl::StrAppendFormat(table, "  %-60s %14s\n", said,
                        value < 0                                     ? "-"
                        : value >= 1000 && value == std::floor(value) ? absl::StrFormat("%.0f", value)
                                                                      : absl::StrFormat("%.4g", value));
}

absl::Status MeasureYear(const MeasureOptions& options, Json* json, std::string* table) {
  ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed, TestBed::Start(options.bed));
  const double hours = options.hours > 0 ? options.hours : 365 * 24;
  // Whole buckets.
  const int64_t seconds = static_cast<int64_t>(hours * 3600) / kBuckets * kBuckets;
  Workload workload({.seed = options.seed,
                     .tags = std::max<size_t>(1, options.tags),
                     .seconds = seconds,
                     .prefix = "year"});
  RETURN_IF_ERROR(MakeTags(bed->connection(), &workload));
  Say("year: writing %d samples in order", workload.samples());
  ASSIGN_OR_RETURN(const IngestResult ingest, Ingest(workload, 0, seconds,
                                                     {.target = bed->target(),
                                                      .connections = 1,
                                                      .frames_in_flight = options.frames_in_flight,
                                                      .memory_bytes = options.memory_bytes}));
  Say("  %.1f M samples/s; sealing and settling", ingest.rate() * 1e-6);
  const MonotonicTime settle_begin = MonotonicTime::Now();
  RETURN_IF_ERROR(bed->admin().Seal(/*settle=*/true, absl::Hours(1)).status());
  const double settle_seconds = absl::ToDoubleSeconds(MonotonicTime::Now() - settle_begin);
  ASSIGN_OR_RETURN(const v1::GetStorageResponse storage, bed->admin().Storage());
  Figure("tags", static_cast<double>(workload.options().tags), "tags", json, table);
  Figure("samples", static_cast<double>(ingest.samples), "samples", json, table);
  Figure("samples_per_second", std::round(ingest.rate()), "written, samples/s, one connection", json, table);
  Figure("settle_seconds", settle_seconds, "sealed and settled, s", json, table);
  Figure("bytes_per_sample", static_cast<double>(storage.block_bytes()) / static_cast<double>(ingest.samples),
         "bytes/sample in blocks and rollups, settled", json, table);

  const TagId tag = workload.sensors()[0].tag.id;
  const Timestamp start = workload.start();
  const auto ask = [&bed, tag](Timestamp from, int64_t length, bool round) -> absl::StatusOr<uint64_t> {
    client::ProcessedRequest request = {
        .start = from,
        .end = from + length * kNanosPerSecond,
        .aggregates = {Aggregate::kMinimum, Aggregate::kMaximum, Aggregate::kAverage}};
    if (round) {
      request.intervals_max = kBuckets;
    } else {
      request.interval = absl::Nanoseconds(length * kNanosPerSecond / kBuckets);
    }
    ASSIGN_OR_RETURN(const auto series, bed->reader().Processed({.ids = {tag}}, request));
    return CountValues(series);
  };
  const auto year = [&] { return ask(start, seconds, false); };
  const int64_t a_day = std::min<int64_t>(86'400, seconds);
  const auto day = [&] { return ask(start + (seconds - a_day) / 2 * kNanosPerSecond, a_day, false); };
  const auto round = [&] { return ask(start, seconds, true); };
  Say("  asking");
  ASSIGN_OR_RETURN(const QueryResult warm_year,
                   TimeQuery("year", options.repetitions, options.repetitions / 10, year));
  ASSIGN_OR_RETURN(const QueryResult warm_day,
                   TimeQuery("day", options.repetitions, options.repetitions / 10, day));
  Figure("year_p50_ms", warm_year.p50_ms, "the whole range in 2,000 buckets min/max/avg, warm p50, ms", json,
         table);
  Figure("year_p99_ms", warm_year.p99_ms, "  p99", json, table);
  Figure("day_p50_ms", warm_day.p50_ms, "a day in 2,000 buckets, warm p50, ms", json, table);
  Figure("day_p99_ms", warm_day.p99_ms, "  p99", json, table);
  Figure("year_to_day", warm_year.p50_ms / warm_day.p50_ms, "  the whole range costs this many times a day",
         json, table);

  ASSIGN_OR_RETURN(const QueryResult warm_round,
                   TimeQuery("round", options.repetitions, options.repetitions / 10, round));
  Figure("year_round_p50_ms", warm_round.p50_ms,
         "the whole range in at most 2,000 round intervals, warm p50, ms", json, table);
  Figure("year_round_p99_ms", warm_round.p99_ms, "  p99", json, table);

  double stream_rate = 0, stream_cpu = 0;
  for (int round = 0; round < kStreamRounds; ++round) {
    ASSIGN_OR_RETURN(const double cpu, CpuSeconds(bed->pid()));
    const MonotonicTime begin = MonotonicTime::Now();
    uint64_t samples = 0;
    client::RawSamples raw = bed->reader().Raw(tag, start - kNanosPerSecond, workload.EndOf(seconds));
    for (const client::SampleBatch& batch : raw) samples += batch.samples.size();
    RETURN_IF_ERROR(raw.status());
    const double rate = static_cast<double>(samples) / absl::ToDoubleSeconds(MonotonicTime::Now() - begin);
    if (rate < stream_rate) continue;
    stream_rate = rate;
    ASSIGN_OR_RETURN(stream_cpu, CpuSeconds(bed->pid()));
    stream_cpu = (stream_cpu - cpu) * 1e6 / static_cast<double>(samples);
  }
  Figure("raw_samples_per_second", std::round(stream_rate), "raw samples/s through one stream, best of 3",
         json, table);
  Figure("raw_server_cpu_seconds_per_million", stream_cpu, "  server CPU, s per million", json, table);

  // Cold: a server that has read nothing yet, and files that are in no cache.
  const struct {
    const char* key;
    const char* said;
    std::function<absl::StatusOr<uint64_t>()> ask;
  } cold[] = {{"year_cold", "the whole range, cold, median of 5, ms", year},
              {"year_round_cold", "the whole range in round intervals, cold, median of 5, ms", round},
              {"day_cold", "a day, cold, median of 5, ms", day}};
  for (const auto& question : cold) {
    std::vector<double> cold_ms;
    for (int round = 0; round < kColdRounds; ++round) {
      RETURN_IF_ERROR(bed->Restart(/*kill=*/false, /*forget_files=*/true).status());
      RETURN_IF_ERROR(bed->admin().Status().status());  // The link is up and the code is loaded.
      ForgetCachedFiles(bed->data_dir());
      const MonotonicTime begin = MonotonicTime::Now();
      RETURN_IF_ERROR(question.ask().status());
      cold_ms.push_back(absl::ToDoubleMilliseconds(MonotonicTime::Now() - begin));
    }
    const double median = Quantile(cold_ms, 0.5);
    Figure(absl::StrCat(question.key, "_ms"), median, question.said, json, table);
    Figure(absl::StrCat(question.key, "_max_ms"), cold_ms.back(), "  max", json, table);
  }
  return bed->Stop();
}

}  // namespace historian::histbench
