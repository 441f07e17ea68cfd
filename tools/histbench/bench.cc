#include "tools/histbench/bench.h"

#include <algorithm>
#include <atomic>
#include <cstdio>
#include <filesystem>
#include <memory>
#include <thread>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/synchronization/mutex.h"
#include "client/admin.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "tools/histbench/server_process.h"
#include "tools/histbench/sustained.h"
#include "tools/histbench/test_bed.h"

namespace historian::histbench {
namespace {

// How much is written around the kill: enough that the kill comes in its midst.
constexpr int64_t kKillSamples = 4'000'000;

// Writes on behind the workload's end, kills the server when about half of that is acknowledged, starts it
// again on the same port, lets the writers find it, and counts everything.
absl::Status KillAndRestart(const BenchOptions& options, const Workload& workload,
                            ServerProcess::Options server_options, std::unique_ptr<ServerProcess>* server,
                            RunResult* result) {
  const int64_t seconds = workload.options().seconds;
  const int64_t more =
      std::clamp<int64_t>(kKillSamples / static_cast<int64_t>(workload.options().tags), 16, 3600);
  const uint64_t half = static_cast<uint64_t>(more) * workload.options().tags / 2;
  server_options.grpc_listen = (*server)->target();

  absl::Mutex mutex;
  uint64_t acknowledged = 0;
  bool ended = false;
  absl::StatusOr<IngestResult> ingest = absl::UnknownError("not run");
  std::thread writing([&] {
    ingest = Ingest(workload, seconds, seconds + more,
                    {.target = server_options.grpc_listen,
                     .producer = "histbench-kill",
                     .connections = options.connections,
                     .frames_in_flight = options.frames_in_flight,
                     .memory_bytes = options.memory_bytes,
                     .on_progress = [&](uint64_t samples) {
                       absl::MutexLock lock(&mutex);
                       acknowledged = std::max(acknowledged, samples);
                     }});
    absl::MutexLock lock(&mutex);
    ended = true;
  });
  {
    absl::MutexLock lock(&mutex);
    const auto reached = [&] { return acknowledged >= half || ended; };
    mutex.Await(absl::Condition(&reached));
    (*server)->Kill();
    result->killed_after_samples = acknowledged;
  }
  const MonotonicTime begin = MonotonicTime::Now();
  absl::StatusOr<std::unique_ptr<ServerProcess>> again = ServerProcess::Start(server_options);
  absl::Status answered = again.status();
  if (answered.ok()) {
    *server = *std::move(again);
    absl::StatusOr<client::Connection> connection = Connect((*server)->target());
    answered = connection.ok()
                   ? client::Reader(*connection).ReadLatest({.ids = {workload.sensors()[0].tag.id}}).status()
                   : connection.status();
    result->restart_seconds = absl::ToDoubleSeconds(MonotonicTime::Now() - begin);
  }
  writing.join();
  RETURN_IF_ERROR(Annotate(answered, "after the restart"));
  RETURN_IF_ERROR(Annotate(ingest.status(), "writing through the restart"));
  result->restarted = true;
  ASSIGN_OR_RETURN(const client::Connection connection, Connect((*server)->target()));
  ASSIGN_OR_RETURN(result->after_restart, Verify(connection, workload, seconds + more, options.compared_max));
  return absl::OkStatus();
}

}  // namespace

absl::StatusOr<RunResult> RunBench(const BenchOptions& options, std::string* version) {
  RunResult result;
  ServerProcess::Options server_options{.binary = options.server_binary,
                                        .data_dir = absl::StrCat(options.scratch, "/data"),
                                        .log_file = absl::StrCat(options.scratch, "/server.log"),
                                        .flags = options.server_flags};
  std::unique_ptr<ServerProcess> server;
  std::string target = options.target;
  pid_t pid = options.server_pid;
  if (target.empty()) {
    std::error_code error;
    std::filesystem::create_directories(options.scratch, error);
    if (error)
      return absl::UnavailableError(absl::StrCat("cannot make ", options.scratch, ": ", error.message()));
    ASSIGN_OR_RETURN(server, ServerProcess::Start(server_options));
    target = server->target();
    pid = server->pid();
  }
  ASSIGN_OR_RETURN(const client::Connection connection, Connect(target));
  const client::Admin admin(connection);
  ASSIGN_OR_RETURN(const v1::GetStatusResponse status, admin.Status());
  *version = status.version();

  Workload workload(options.workload);
  RETURN_IF_ERROR(MakeTags(connection, &workload));
  Say("%d connections: making and sending %d samples", options.connections, workload.samples());
  double cpu_begin = 0;
  if (pid >= 0) {
    ASSIGN_OR_RETURN(cpu_begin, CpuSeconds(pid));
  }
  ASSIGN_OR_RETURN(result.ingest, Ingest(workload, 0, options.workload.seconds,
                                         {.target = target,
                                          .connections = options.connections,
                                          .frames_in_flight = options.frames_in_flight,
                                          .memory_bytes = options.memory_bytes,
                                          .server_pid = pid}));
  Say("  %.3f M samples/s; sealing", result.ingest.rate() / 1e6);
  const MonotonicTime seal_begin = MonotonicTime::Now();
  RETURN_IF_ERROR(admin.Seal().status());
  result.seal_seconds = absl::ToDoubleSeconds(MonotonicTime::Now() - seal_begin);
  if (pid >= 0) {
    ASSIGN_OR_RETURN(const double cpu_end, CpuSeconds(pid));
    result.sealed_cpu_seconds = cpu_end - cpu_begin;
  }
  ASSIGN_OR_RETURN(const v1::GetStorageResponse storage, admin.Storage());
  result.samples_sealed = storage.samples_sealed();
  result.block_bytes = storage.block_bytes();
  result.bytes_on_disk = storage.bytes_on_disk();
  Say("  settling");
  const MonotonicTime settle_begin = MonotonicTime::Now();
  RETURN_IF_ERROR(admin.Seal(/*settle=*/true, absl::Hours(1)).status());
  result.settle_seconds = absl::ToDoubleSeconds(MonotonicTime::Now() - settle_begin);
  ASSIGN_OR_RETURN(const v1::GetStorageResponse settled, admin.Storage());
  result.samples_settled = settled.samples_sealed();
  result.settled_block_bytes = settled.block_bytes();
  result.settled_bytes_on_disk = settled.bytes_on_disk();
  if (server != nullptr)
    result.directory_bytes = static_cast<int64_t>(DirectoryBytes(server_options.data_dir));

  Say("  reading back");
  ASSIGN_OR_RETURN(result.verification,
                   Verify(connection, workload, options.workload.seconds, options.compared_max));
  Say("  %d lost, %d duplicated; asking", result.verification.lost, result.verification.duplicated);
  if (!result.verification.first_difference.empty()) Say("  %s", result.verification.first_difference);
  ASSIGN_OR_RETURN(result.queries, RunQueries(connection, workload, options.repetitions));
  if (pid >= 0) {
    ASSIGN_OR_RETURN(const uint64_t peak, PeakMemoryBytes(pid));
    result.peak_memory_bytes = static_cast<int64_t>(peak);
  }

  if (server != nullptr) {
    Say("  kill -9 while writing, restart");
    RETURN_IF_ERROR(KillAndRestart(options, workload, server_options, &server, &result));
    Say("  answers after %.3f s; %d lost, %d duplicated", result.restart_seconds, result.after_restart.lost,
        result.after_restart.duplicated);
    RETURN_IF_ERROR(server->Stop(absl::Minutes(2)));
  }
  if (options.sustained_seconds > 0) {
    Say("  sending over and over for %g s", options.sustained_seconds);
    ASSIGN_OR_RETURN(result.sustained,
                     MeasureSustained(options.workload, {.bed = {options.server_binary, options.server_flags,
                                                                 absl::StrCat(options.scratch, "/sustained")},
                                                         .connections = options.connections,
                                                         .frames_in_flight = options.frames_in_flight,
                                                         .seconds = options.sustained_seconds}));
    result.peak_memory_bytes =
        std::max(result.peak_memory_bytes, static_cast<int64_t>(result.sustained->peak_memory_bytes));
    Say("  %.3f M samples/s; %d lost, %d duplicated", result.sustained->ingest.rate() / 1e6,
        result.sustained->lost, result.sustained->duplicated);
  }
  return result;
}

}  // namespace historian::histbench
