#include <algorithm>
#include <array>
#include <atomic>
#include <cmath>
#include <filesystem>
#include <functional>
#include <random>
#include <thread>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "tools/histbench/endless.h"
#include "tools/histbench/measure.h"
#include "tools/histbench/queries.h"
#include "tools/histbench/sync_probe.h"

namespace historian::histbench {
namespace {

constexpr int64_t kRoundSeconds = 4096;
// A plant that runs thousands of times as fast as the clock: it begins long ago, so as not to reach the
// future.
constexpr int64_t kFirstSoakSecond = 631'152'000;  // 1990-01-01.
constexpr absl::Duration kWarmUp = absl::Seconds(3);
constexpr absl::Duration kHighestRate = absl::Seconds(10);
constexpr absl::Duration kLookPeriod = absl::Seconds(1);
constexpr absl::Duration kMemoryPeriod = absl::Seconds(10);
constexpr absl::Duration kQueryPeriod = absl::Milliseconds(20);
constexpr double kStallMs = 250;
// A stall is the disk's when a synced write of our own took at least half as long at the time.
constexpr double kDiskShare = 0.5;
constexpr size_t kStallsListedMax = 100;
constexpr uint64_t kFreeBytesMin = uint64_t{4} << 30;
constexpr int64_t kQueriedSeconds = 6 * 3600;

struct Stall {
  double at_s;  // Since the begin.
  double ms;
  double disk_ms;
};

// What dashboards ask while it runs.
class Asking {
 public:
  Asking(const TestBed& bed, const Workload& workload, const EndlessWriter& writer)
      : reader_(bed.reader()), workload_(workload), writer_(writer), thread_([this] { Run(); }) {}
  ~Asking() { End().IgnoreError(); }

  absl::Status End() {
    stop_.store(true);
    if (thread_.joinable()) thread_.join();
    return status_;
  }
  static constexpr const char* kNames[] = {"raw_hour", "buckets_1000", "latest_all"};
  std::vector<double>& took_ms(size_t query) { return took_ms_[query]; }

 private:
  absl::Status Ask(size_t query, TagId tag) {
    const Timestamp now = writer_.sent_until();
    if (query == 0) {
      client::RawSamples raw = reader_.Raw(tag, now - 3600 * kNanosPerSecond, now);
      for (const client::SampleBatch& batch : raw) answers_ += batch.samples.size();
      return raw.status();
    }
    if (query == 1) {
      ASSIGN_OR_RETURN(
          const auto series,
          reader_.Processed({.ids = {tag}},
                            {.start = now - kQueriedSeconds * kNanosPerSecond,
                             .end = now,
                             .interval = absl::Seconds(kQueriedSeconds) / 1000,
                             .aggregates = {Aggregate::kMinimum, Aggregate::kMaximum, Aggregate::kAverage}}));
      answers_ += CountValues(series);
      return absl::OkStatus();
    }
    client::TagSelection all;
    for (const plant::Sensor& sensor : workload_.sensors()) all.ids.push_back(sensor.tag.id);
    return reader_.ReadLatest(all).status();
  }

  void Run() {
    std::mt19937_64 random(workload_.options().seed);
    for (size_t i = 0; !stop_.load() && status_.ok(); ++i) {
      const size_t query = i % std::size(kNames);
      const TagId tag = workload_.sensors()[random() % workload_.sensors().size()].tag.id;
      const MonotonicTime begin = MonotonicTime::Now();
      status_ = Ask(query, tag);
      took_ms_[query].push_back(absl::ToDoubleMilliseconds(MonotonicTime::Now() - begin));
      absl::SleepFor(kQueryPeriod);
    }
  }

  const client::Reader reader_;
  const Workload& workload_;
  const EndlessWriter& writer_;
  std::atomic<bool> stop_{false};
  absl::Status status_;
  uint64_t answers_ = 0;
  std::array<std::vector<double>, std::size(kNames)> took_ms_;
  std::thread thread_;
};

void Latencies(absl::string_view name, std::vector<double>& ms, Json* json, std::string* table) {
  json->Open(name);
  json->Number("count", static_cast<double>(ms.size()));
  for (const auto& [key, q] :
       {std::pair("p50_ms", 0.5), {"p99_ms", 0.99}, {"p999_ms", 0.999}, {"max_ms", 1.0}}) {
    json->Number(key, Quantile(ms, q));
  }
  json->Close();
  absl::StrAppendFormat(table, "  %-40s %8d   p50 %8.3f  p99 %8.3f  p99.9 %8.3f  max %8.3f ms\n", name,
                        ms.size(), Quantile(ms, 0.5), Quantile(ms, 0.99), Quantile(ms, 0.999),
                        Quantile(ms, 1));
}

double Mean(const std::vector<double>& values, size_t begin, size_t end) {
  double sum = 0;
  for (size_t i = begin; i < end; ++i) sum += values[i];
  return begin < end ? sum / static_cast<double>(end - begin) : 0;
}

}  // namespace

absl::Status MeasureSoak(const MeasureOptions& options, Json* json, std::string* table) {
  ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed, TestBed::Start(options.bed));
  Workload workload({.seed = options.seed,
                     .tags = options.tags > 0 ? options.tags : 1000,
                     .seconds = kRoundSeconds,
                     .first_second = kFirstSoakSecond,
                     .prefix = "soak"});
  RETURN_IF_ERROR(MakeTags(bed->connection(), &workload));
  ASSIGN_OR_RETURN(const std::unique_ptr<EndlessWriter> writer,
                   EndlessWriter::Begin(workload, {.target = bed->target(),
                                                   .connections = options.connections,
                                                   .frames_in_flight = options.frames_in_flight}));
  Say("soak: the highest rate");
  absl::SleepFor(kWarmUp);
  uint64_t samples_begin = writer->acknowledged();
  MonotonicTime begin = MonotonicTime::Now();
  absl::SleepFor(kHighestRate);
  const double highest = static_cast<double>(writer->acknowledged() - samples_begin) /
                         absl::ToDoubleSeconds(MonotonicTime::Now() - begin);
  writer->SetPace(highest * options.share);
  absl::SleepFor(kWarmUp);
  writer->TakeAcks();

  Say("  %.1f M samples/s; %.0f minutes at %.0f %% of it", highest * 1e-6, options.minutes,
      options.share * 100);
  SyncProbe probe(options.bed.scratch);
  Asking asking(*bed, workload, *writer);
  begin = MonotonicTime::Now();
  samples_begin = writer->acknowledged();
  ASSIGN_OR_RETURN(const double cpu_begin, CpuSeconds(bed->pid()));
  ASSIGN_OR_RETURN(const uint64_t written_begin, WrittenBytes(bed->pid()));
  const MonotonicTime end = begin + absl::Minutes(options.minutes);
  std::vector<double> ack_ms, resident;
  std::vector<Stall> stalls;
  uint64_t stalled = 0, stalled_without_disk = 0;
  MonotonicTime next_memory = begin;
  bool disk_was_full = false;
  while (MonotonicTime::Now() < end && !disk_was_full) {
    absl::SleepFor(std::min(kLookPeriod, end - MonotonicTime::Now()));
    for (const EndlessWriter::Ack& ack : writer->TakeAcks()) {
      ack_ms.push_back(ack.ms);
      if (ack.ms <= kStallMs) continue;
      ++stalled;
      const double disk_ms = probe.LongestMs(ack.at - absl::Milliseconds(ack.ms), ack.at);
      stalled_without_disk += disk_ms < ack.ms * kDiskShare;
      if (stalls.size() < kStallsListedMax)
        stalls.push_back({absl::ToDoubleSeconds(ack.at - begin), ack.ms, disk_ms});
    }
    if (MonotonicTime::Now() >= next_memory) {
      next_memory = next_memory + kMemoryPeriod;
      ASSIGN_OR_RETURN(const uint64_t bytes, ResidentBytes(bed->pid()));
      resident.push_back(static_cast<double>(bytes));
      std::error_code error;
      const auto space = std::filesystem::space(options.bed.scratch, error);
      disk_was_full = !error && space.available < kFreeBytesMin;
      if (disk_was_full) Say("  ended early: less than %d GiB are free", kFreeBytesMin >> 30);
    }
  }
  const double seconds = absl::ToDoubleSeconds(MonotonicTime::Now() - begin);
  const uint64_t samples = writer->acknowledged() - samples_begin;
  ASSIGN_OR_RETURN(const double cpu_end, CpuSeconds(bed->pid()));
  ASSIGN_OR_RETURN(const uint64_t written_end, WrittenBytes(bed->pid()));
  RETURN_IF_ERROR(asking.End());
  RETURN_IF_ERROR(writer->End());
  ASSIGN_OR_RETURN(const uint64_t peak, PeakMemoryBytes(bed->pid()));

  Figure("minutes", seconds / 60, "minutes", json, table);
  Figure("highest_samples_per_second", std::round(highest), "highest rate, samples/s", json, table);
  Figure("share", options.share, "share of it that was offered", json, table);
  Figure("samples_per_second", std::round(static_cast<double>(samples) / seconds), "acknowledged, samples/s",
         json, table);
  Figure("server_cpu_seconds_per_million", (cpu_end - cpu_begin) * 1e6 / static_cast<double>(samples),
         "server CPU s per million, queries included", json, table);
  Figure("server_cores", (cpu_end - cpu_begin) / seconds, "processors the server used", json, table);
  Figure("written_bytes_per_sample",
         static_cast<double>(written_end - written_begin) / static_cast<double>(samples),
         "bytes written to disk for each sample", json, table);
  Latencies("acknowledgement", ack_ms, json, table);
  for (size_t i = 0; i < std::size(Asking::kNames); ++i)
    Latencies(Asking::kNames[i], asking.took_ms(i), json, table);
  std::vector<double> disk_ms = probe.TookMs();
  Latencies("synced_4k_write", disk_ms, json, table);
  Figure("stalled", static_cast<double>(stalled), "acknowledgements later than 250 ms", json, table);
  Figure("stalled_without_disk", static_cast<double>(stalled_without_disk),
         "  while the disk took less than half of that", json, table);
  json->OpenList("stalls");
  for (const Stall& stall : stalls) {
    json->Open("");
    json->Number("at_s", stall.at_s);
    json->Number("ms", stall.ms);
    json->Number("disk_ms", stall.disk_ms);
    json->Close();
    absl::StrAppendFormat(table, "    at %.1f s: %.0f ms, the disk %.0f ms\n", stall.at_s, stall.ms,
                          stall.disk_ms);
  }
  json->CloseList();
  // The first fifth is caches filling.
  const size_t n = resident.size(), warm = n / 5, middle = warm + (n - warm) / 2;
  const double first = Mean(resident, warm, middle), second = Mean(resident, middle, n);
  Figure("peak_bytes", static_cast<double>(peak), "most memory ever, bytes", json, table);
  Figure("resident_first_half_bytes", first, "resident bytes after a fifth, mean of the first half", json,
         table);
  Figure("resident_second_half_bytes", second, "  of the second half", json, table);
  json->OpenList("resident_bytes_every_10_s");
  for (const double bytes : resident) json->Number("", bytes);
  json->CloseList();
  return bed->Stop();
}

}  // namespace historian::histbench
