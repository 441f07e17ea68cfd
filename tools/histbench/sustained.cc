#include "tools/histbench/sustained.h"

#include <algorithm>
#include <filesystem>
#include <memory>
#include <vector>

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "client/admin.h"
#include "client/reader.h"
#include "storage/model/aggregate.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "tools/histbench/endless.h"
#include "tools/histbench/server_process.h"

namespace historian::histbench {
namespace {

constexpr double kWarmUpShare = 0.1;
constexpr absl::Duration kWarmUpMax = absl::Seconds(5);
constexpr size_t kTagsAtOnce = 100;

// Holds what is stored of the tags against what was written in all.
absl::Status Count(const TestBed& bed, const Workload& workload, uint64_t written, SustainedResult* result) {
  const std::vector<plant::Sensor>& sensors = workload.sensors();
  uint64_t counted = 0, stored = 0;
  for (size_t begin = 0; begin < sensors.size(); begin += kTagsAtOnce) {
    client::TagSelection selection;
    for (size_t i = begin; i < std::min(sensors.size(), begin + kTagsAtOnce); ++i)
      selection.ids.push_back(sensors[i].tag.id);
    ASSIGN_OR_RETURN(const auto counts,
                     bed.reader().Processed(selection, {.start = workload.start() - kNanosPerSecond,
                                                        .end = *TimestampFromTime(absl::Now()),
                                                        .aggregates = {Aggregate::kSampleCount}}));
    for (const client::ProcessedSeries& series : counts)
      counted += static_cast<uint64_t>(series.columns[0].AsDouble(0));
    ASSIGN_OR_RETURN(const v1::GetStorageResponse storage, bed.admin().Storage(selection));
    for (const v1::TagStorage& tag : storage.tags()) stored += tag.samples();
  }
  if (counted < written) result->lost = written - counted;
  if (std::max(counted, stored) > written) result->duplicated = std::max(counted, stored) - written;
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<SustainedResult> MeasureSustained(const WorkloadOptions& options,
                                                 const SustainedOptions& sustained) {
  SustainedResult result;
  ASSIGN_OR_RETURN(const std::unique_ptr<TestBed> bed, TestBed::Start(sustained.bed));
  Workload workload(options);
  RETURN_IF_ERROR(MakeTags(bed->connection(), &workload));
  ASSIGN_OR_RETURN(const std::unique_ptr<EndlessWriter> writer,
                   EndlessWriter::Begin(workload, {.target = bed->target(),
                                                   .connections = sustained.connections,
                                                   .frames_in_flight = sustained.frames_in_flight}));
  absl::SleepFor(std::min(kWarmUpMax, absl::Seconds(sustained.seconds * kWarmUpShare)));

  writer->TakeAcks();
  const uint64_t samples_begin = writer->acknowledged();
  ASSIGN_OR_RETURN(const double cpu_begin, CpuSeconds(bed->pid()));
  const double own_begin = OwnCpuSeconds();
  const MonotonicTime begin = MonotonicTime::Now();
  absl::SleepFor(absl::Seconds(sustained.seconds));
  IngestResult& ingest = result.ingest;
  ingest.samples = writer->acknowledged() - samples_begin;
  ingest.seconds = absl::ToDoubleSeconds(MonotonicTime::Now() - begin);
  ingest.client_cpu_seconds = OwnCpuSeconds() - own_begin;
  ASSIGN_OR_RETURN(const double cpu_end, CpuSeconds(bed->pid()));
  ingest.server_cpu_seconds = cpu_end - cpu_begin;
  for (const EndlessWriter::Ack& ack : writer->TakeAcks()) ingest.ack_ms.push_back(ack.ms);
  ingest.frames = ingest.ack_ms.size();

  RETURN_IF_ERROR(writer->End());
  ingest.rejected = writer->rejected();
  RETURN_IF_ERROR(bed->admin().Seal().status());
  ASSIGN_OR_RETURN(const double cpu_sealed, CpuSeconds(bed->pid()));
  result.sealed_cpu_seconds = cpu_sealed - cpu_begin;
  result.sealed_samples = writer->acknowledged() - samples_begin;
  RETURN_IF_ERROR(Count(*bed, workload, writer->acknowledged(), &result));
  ASSIGN_OR_RETURN(result.peak_memory_bytes, PeakMemoryBytes(bed->pid()));
  RETURN_IF_ERROR(bed->Stop());
  std::error_code ignored;
  std::filesystem::remove_all(sustained.bed.scratch, ignored);
  return result;
}

}  // namespace historian::histbench
