#include <algorithm>
#include <atomic>
#include <cmath>
#include <functional>
#include <thread>
#include <utility>

#include "absl/synchronization/barrier.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "tools/histbench/ingest.h"
#include "tools/histbench/measure.h"
#include "tools/histbench/queries.h"

namespace historian::histbench {
namespace {

constexpr int64_t kPeriodSeconds = 10;
constexpr double kHours = 7 * 24;
// Current data before the backfill, in seconds of the plant.
constexpr int64_t kBeforeSeconds = 3600;
// Current data flow at this share of what the same connections reach without a limit.
constexpr double kCurrentShare = 0.1;
constexpr double kAloneSeconds = 5;
// Of current data made ahead: how long a backfill may take at most.
constexpr double kFlowSecondsMax = 30;

struct Stored {
  double bytes_per_sample = 0;  // Blocks and rollups, settled.
  double written_per_sample = 0;
  double written_per_byte = 0;  // Kept.
  double settle_seconds = 0;
};

// Seals, settles, and says what is kept and what was written for it since the server began.
absl::StatusOr<Stored> Settle(const TestBed& bed) {
  Stored stored;
  const MonotonicTime begin = MonotonicTime::Now();
  RETURN_IF_ERROR(bed.admin().Seal(/*settle=*/true, absl::Hours(1)).status());
  stored.settle_seconds = absl::ToDoubleSeconds(MonotonicTime::Now() - begin);
  ASSIGN_OR_RETURN(const v1::GetStorageResponse storage, bed.admin().Storage());
  ASSIGN_OR_RETURN(const uint64_t written, WrittenBytes(bed.pid()));
  const double samples = static_cast<double>(storage.samples_sealed());
  stored.bytes_per_sample = static_cast<double>(storage.block_bytes()) / samples;
  stored.written_per_sample = static_cast<double>(written) / samples;
  stored.written_per_byte = static_cast<double>(written) / static_cast<double>(storage.block_bytes());
  return stored;
}

}  // namespace

absl::Status MeasureBackfill(const MeasureOptions& options, Json* json, std::string* table) {
  const size_t tags = options.tags > 0 ? options.tags : 1000;
  const double hours = options.hours > 0 ? options.hours : kHours;
  const int64_t week_samples = std::max<int64_t>(64, static_cast<int64_t>(hours * 3600) / kPeriodSeconds);
  Workload week({.seed = options.seed,
                 .tags = tags,
                 .seconds = week_samples,
                 .first_second = kFirstSecond - week_samples * kPeriodSeconds,
                 .period_seconds = kPeriodSeconds,
                 .prefix = "backfill"});
  Workload current({.seed = options.seed, .tags = tags, .seconds = kBeforeSeconds, .prefix = "backfill"});
  const auto write = [&options](const TestBed& bed, const Workload& workload, int64_t begin, int64_t end,
                                absl::string_view producer, double pace = 0,
                                const std::atomic<bool>* stop = nullptr,
                                std::function<void()> on_ready = nullptr) {
    return Ingest(workload, begin, end,
                  {.target = bed.target(),
                   .producer = std::string(producer),
                   .connections = options.connections,
                   .frames_in_flight = options.frames_in_flight,
                   .memory_bytes = options.memory_bytes,
                   .samples_per_second = pace,
                   .on_ready = std::move(on_ready),
                   .stop = stop});
  };

  // Late: first what is current, then the week, while more of what is current comes in.
  TestBed::Options late_bed = options.bed;
  late_bed.scratch += "/late";
  ASSIGN_OR_RETURN(std::unique_ptr<TestBed> bed, TestBed::Start(late_bed));
  RETURN_IF_ERROR(MakeTags(bed->connection(), &week));
  RETURN_IF_ERROR(MakeTags(bed->connection(), &current));
  Say("backfill: %d current samples", current.samples());
  ASSIGN_OR_RETURN(const IngestResult before, write(*bed, current, 0, kBeforeSeconds, "current"));
  const double pace = before.rate() * kCurrentShare;
  const auto seconds_of = [&](double length) {
    return std::max<int64_t>(64, static_cast<int64_t>(pace * length / static_cast<double>(tags)));
  };
  const int64_t alone_end = kBeforeSeconds + seconds_of(kAloneSeconds);
  Say("  current data alone, at %.2f M samples/s", pace * 1e-6);
  ASSIGN_OR_RETURN(IngestResult alone, write(*bed, current, kBeforeSeconds, alone_end, "current", pace));
  Say("  the same, and %d samples that are older", week.samples());
  std::atomic<bool> done{false};
  absl::StatusOr<IngestResult> beside = absl::UnknownError("not run");
  auto* const barrier = new absl::Barrier(2);
  const auto both_ready = [barrier] {
    if (barrier->Block()) delete barrier;
  };
  std::thread flowing([&] {
    beside = write(*bed, current, alone_end, alone_end + seconds_of(kFlowSecondsMax), "current", pace, &done,
                   both_ready);
  });
  absl::StatusOr<IngestResult> backfill =
      write(*bed, week, 0, week_samples, "backfill", 0, nullptr, both_ready);
  done.store(true);
  flowing.join();
  RETURN_IF_ERROR(backfill.status());
  RETURN_IF_ERROR(beside.status());
  Say("  %.2f M samples/s; settling", backfill->rate() * 1e-6);
  ASSIGN_OR_RETURN(const Stored late, Settle(*bed));
  RETURN_IF_ERROR(bed->Stop());

  // The same in order.
  TestBed::Options ordered_bed = options.bed;
  ordered_bed.scratch += "/in-order";
  ASSIGN_OR_RETURN(bed, TestBed::Start(ordered_bed));
  RETURN_IF_ERROR(MakeTags(bed->connection(), &week));
  RETURN_IF_ERROR(MakeTags(bed->connection(), &current));
  Say("  the same samples in order");
  ASSIGN_OR_RETURN(const IngestResult in_order, write(*bed, week, 0, week_samples, "week"));
  const int64_t current_seconds =
      alone_end + static_cast<int64_t>(beside->samples / static_cast<uint64_t>(tags));
  RETURN_IF_ERROR(write(*bed, current, 0, current_seconds, "current").status());
  ASSIGN_OR_RETURN(const Stored ordered, Settle(*bed));
  RETURN_IF_ERROR(bed->Stop());

  Figure("tags", static_cast<double>(tags), "tags", json, table);
  Figure("samples", static_cast<double>(backfill->samples), "samples of the backfill", json, table);
  Figure("samples_per_second", std::round(backfill->rate()), "backfill, samples/s, current data beside it",
         json, table);
  Figure("in_order_samples_per_second", std::round(in_order.rate()), "the same samples in order, samples/s",
         json, table);
  Figure("rate_to_in_order", backfill->rate() / in_order.rate(), "  backfill : in order", json, table);
  Figure("current_offered_per_second", std::round(pace), "current data offered, samples/s", json, table);
  Figure("current_alone_per_second", std::round(alone.rate()), "current data alone, samples/s", json, table);
  Figure("current_beside_per_second", std::round(beside->rate()),
         "current data beside the backfill, samples/s", json, table);
  Figure("current_beside_to_alone", beside->rate() / alone.rate(), "  beside : alone", json, table);
  Figure("current_alone_ack_p99_ms", Quantile(alone.ack_ms, 0.99), "  acknowledgement p99 alone, ms", json,
         table);
  Figure("current_beside_ack_p99_ms", Quantile(beside->ack_ms, 0.99), "  beside, ms", json, table);
  Figure("bytes_per_sample", late.bytes_per_sample, "bytes/sample in blocks and rollups, settled", json,
         table);
  Figure("in_order_bytes_per_sample", ordered.bytes_per_sample, "  in order", json, table);
  Figure("written_bytes_per_sample", late.written_per_sample, "bytes written to disk for each sample", json,
         table);
  Figure("in_order_written_bytes_per_sample", ordered.written_per_sample, "  in order", json, table);
  Figure("write_amplification", late.written_per_byte, "bytes written for each byte kept", json, table);
  Figure("in_order_write_amplification", ordered.written_per_byte, "  in order", json, table);
  Figure("settle_seconds", late.settle_seconds, "sealed and settled, s", json, table);
  Figure("in_order_settle_seconds", ordered.settle_seconds, "  in order", json, table);
  return absl::OkStatus();
}

}  // namespace historian::histbench
