#include <algorithm>
#include <cmath>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "tools/histbench/ingest.h"
#include "tools/histbench/measure.h"

namespace historian::histbench {
namespace {

constexpr size_t kTags = 1'000'000;
// What the server does by itself after the last sample is over by then.
constexpr absl::Duration kRest = absl::Seconds(3);
// Nearly what begins a seal (archive.journal_bytes_max is 16 MiB).
constexpr uint64_t kFullJournalBytes = uint64_t{12} << 20;
constexpr int kRoundsMax = 64;

}  // namespace

absl::Status MeasureIdle(const MeasureOptions& options, Json* json, std::string* table) {
  ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed, TestBed::Start(options.bed));
  const size_t tags = options.tags > 0 ? options.tags : kTags;
  Workload workload({.kind = WorkloadKind::kWide,
                     .seed = options.seed,
                     .tags = tags,
                     .seconds = kRoundsMax,
                     .prefix = "idle"});
  const auto write = [&](int64_t second) {
    return Ingest(workload, second, second + 1,
                  {.target = bed->target(),
                   .connections = options.connections,
                   .frames_in_flight = options.frames_in_flight,
                   .memory_bytes = options.memory_bytes});
  };
  ASSIGN_OR_RETURN(const uint64_t empty, ResidentBytes(bed->pid()));
  Say("idle: making %d tags", tags);
  const MonotonicTime make_begin = MonotonicTime::Now();
  RETURN_IF_ERROR(MakeTags(bed->connection(), &workload));
  const double make_seconds = absl::ToDoubleSeconds(MonotonicTime::Now() - make_begin);
  ASSIGN_OR_RETURN(const uint64_t made, ResidentBytes(bed->pid()));
  Say("  one sample each");
  RETURN_IF_ERROR(write(0).status());
  absl::SleepFor(kRest);
  ASSIGN_OR_RETURN(const uint64_t sampled, ResidentBytes(bed->pid()));
  RETURN_IF_ERROR(bed->admin().Seal().status());
  absl::SleepFor(kRest);
  ASSIGN_OR_RETURN(const uint64_t sealed, ResidentBytes(bed->pid()));
  const auto per_tag = [&](uint64_t bytes) {
    return static_cast<double>(bytes - std::min(bytes, empty)) / static_cast<double>(tags);
  };

  Say("  filling the journal");
  int64_t second = 1;
  uint64_t journal = 0, seals = 0;
  for (; second < kRoundsMax && journal < kFullJournalBytes; ++second) {
    RETURN_IF_ERROR(write(second).status());
    ASSIGN_OR_RETURN(const v1::GetStatusResponse status, bed->admin().Status());
    journal = status.journal_bytes();
    seals = status.seals();
  }
  ASSIGN_OR_RETURN(const v1::GetStorageResponse before, bed->admin().Storage());
  const uint64_t written = before.samples_sealed() + before.samples_open();
  Say("  kill -9, restart");
  const TagId first = workload.sensors()[0].tag.id;
  const MonotonicTime begin = MonotonicTime::Now();
  ASSIGN_OR_RETURN(const double ready_seconds, bed->Restart(/*kill=*/true));
  ASSIGN_OR_RETURN(const client::Latest latest, bed->reader().ReadLatest({.ids = {first}}));
  const double answer_seconds = absl::ToDoubleSeconds(MonotonicTime::Now() - begin);
  if (latest.groups.empty()) return absl::DataLossError("no newest sample after the restart");
  ASSIGN_OR_RETURN(const v1::GetStorageResponse after, bed->admin().Storage());
  const uint64_t found = after.samples_sealed() + after.samples_open();

  Figure("tags", static_cast<double>(tags), "tags", json, table);
  Figure("make_seconds", make_seconds, "tags made, s", json, table);
  Figure("made_bytes_per_tag", per_tag(made), "resident bytes a tag, without samples", json, table);
  Figure("bytes_per_tag", per_tag(sampled), "resident bytes a tag, one sample each", json, table);
  Figure("sealed_bytes_per_tag", per_tag(sealed), "resident bytes a tag, that sample sealed", json, table);
  Figure("empty_bytes", static_cast<double>(empty), "the server without tags", json, table);
  Figure("journal_bytes", static_cast<double>(journal), "journal at the kill, bytes", json, table);
  Figure("seals", static_cast<double>(seals), "seals before", json, table);
  Figure("restart_ready_seconds", ready_seconds, "ready after kill -9, s", json, table);
  Figure("restart_seconds", answer_seconds, "first query answered after, s", json, table);
  Figure("lost", static_cast<double>(written - std::min(written, found)), "lost", json, table);
  Figure("duplicated", static_cast<double>(found - std::min(written, found)), "duplicated", json, table);
  return bed->Stop();
}

}  // namespace historian::histbench
