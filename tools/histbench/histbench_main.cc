// histbench: loads a historian, checks that nothing is lost, and says what it costs.
#include <stdlib.h>

#include <cmath>
#include <cstdio>
#include <filesystem>
#include <fstream>
#include <map>
#include <string>
#include <vector>

#include <CLI/CLI.hpp>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/clock.h"
#include "storage/model/status_macros.h"
#include "storage/model/version.h"
#include "tools/histbench/bench.h"
#include "tools/histbench/json.h"
#include "tools/histbench/measure.h"
#include "tools/histbench/report.h"
#include "tools/histbench/server_process.h"

namespace historian::histbench {
namespace {

constexpr char kDescription[] =
    R"(Loads a historian, checks that nothing is lost, and says what it costs.

  histbench --workload plant --self-contained --json result.json
      starts historiand in a scratch directory, once per connection count, and does everything:
      ingest, seal, read back and compare, queries, kill -9 in the midst of writing, restart,
      compare again.
  histbench --workload plant --target 127.0.0.1:7720 --server-pid 1234 --hours 1
      the same against a server that runs already, but for the kill; storage figures are of its
      whole archive.

Workloads, all with one sample a second and tag:
  plant  1,000 tags x 6 h: 40 % drifting analogs with 1 or 2 decimals, 20 % noisy analogs with 3,
         15 % setpoints, 15 % totalisers, 10 % digital states; half of the tags jitter by +-5 ms;
         0.1 % of the samples are not Good. Frames of about 16,384 samples in columns.
  late   the same, 5 % of the samples up to an hour late, in random order.
  wide   100,000 tags x 3 min in snapshots, up to 16,384 tags a frame.
  small  1,000 tags x 15 min in snapshots of 20 tags.

Measures of their own, always with a server of their own:
  year      a year of one tag: written, settled; the year and a day of it in 2,000 buckets, warm and cold
            (server restarted, files out of the system's cache); all of it through one stream.
  backfill  a week of 1,000 tags at 0.1 Hz that is older than everything, while current data come in at a
            tenth of the highest rate; then the same samples in order, to compare.
  idle      1,000,000 tags with one sample each: resident bytes a tag; kill -9 with a full journal, restart.
  soak      --minutes at --share of the highest rate, with queries: memory every 10 s, latencies, stalls and
            what the disk did at the time.

What is timed: frames are made and encoded before the clock starts; it runs from the first frame
sent to the last acknowledgement (which means: on disk). Client and server share the machine; what
the client costs is in the report. A workload that is sent once may be over before the server had
to seal: with --seconds 60 ingest figures are of a minute of sending, to another server, with what
it does in the background; all that is stored is counted. Latency of an acknowledgement counts from handing the frame to
gRPC, with --in-flight frames on their way on every connection.

Exit codes: 0 done; 1 failed; 2 mistake on the command line; 3 samples were lost or duplicated.)";

using Measure = absl::Status (*)(const MeasureOptions&, Json*, std::string*);

absl::Status RunMeasure(Measure run, const MeasureOptions& options, const Report& report,
                        const std::string& json_file) {
  Json json;
  json.Open("");
  json.Open("workload");
  json.Text("name", report.workload);
  json.Number("seed", static_cast<double>(options.seed));
  json.Close();
  EnvironmentToJson(report, &json);
  std::string table;
  json.Open(report.workload);
  RETURN_IF_ERROR(run(options, &json, &table));
  json.Close();
  json.Close();
  std::fprintf(stdout, "%s; server %s\n%s, %d processors, %s\n\n%s", report.workload.c_str(),
               report.server_version.c_str(), report.processor.c_str(), report.processors,
               report.date.c_str(), table.c_str());
  if (json_file.empty()) return absl::OkStatus();
  std::ofstream file(json_file);
  file << json.Take();
  file.close();
  return file ? absl::OkStatus() : absl::UnavailableError(absl::StrCat("cannot write ", json_file));
}

int Main(int argc, char** argv) {
  CLI::App app{kDescription};
  std::string workload = "plant", json_file, target, server_binary, scratch;
  bool self_contained = false, keep = false;
  uint64_t seed = 1;
  size_t tags = 0;
  double hours = 0;
  std::vector<size_t> connections;
  BenchOptions options;
  MeasureOptions measure;
  size_t frames_in_flight = 0;
  std::vector<std::string> flags;
  int server_pid = -1;
  app.add_option("--workload", workload, "plant, late, wide or small; year, backfill, idle or soak")
      ->check(CLI::IsMember({"plant", "late", "wide", "small", "year", "backfill", "idle", "soak"}))
      ->capture_default_str();
  app.add_flag("--self-contained", self_contained,
               "Start a server in a scratch directory (the default without --target)");
  CLI::Option* target_option = app.add_option("--target", target, "HOST:PORT of a server that runs already");
  app.add_option("--server-pid", server_pid, "Of --target: to report its CPU time and memory")
      ->needs(target_option);
  app.add_option("--server-binary", server_binary,
                 "historiand; default: beside this program, or in the build");
  app.add_option("--server-flag", flags, "A further flag for historiand; may be repeated");
  app.add_option("--scratch", scratch,
                 "Where the servers' directories go; default: a new one in $TMPDIR or /tmp");
  app.add_flag("--keep", keep, "Leave the scratch directory behind");
  app.add_option("--tags", tags, "Default 1,000; wide: 100,000; year: 1; idle: 1,000,000")
      ->check(CLI::Range(1, 10'000'000));
  app.add_option("--hours", hours,
                 "Of plant time; default 6; wide: 0.05; small: 0.25; year: 8,760; backfill: 168")
      ->check(CLI::Range(0.001, 100'000.0));
  app.add_option("--connections", connections, "One run for each; default 1 4; measures: 4")
      ->delimiter(',')
      ->check(CLI::Range(1, 64));
  app.add_option("--seed", seed, "Same seed, same samples")->capture_default_str();
  app.add_option("--in-flight", frames_in_flight, "Frames on their way a connection; default 4; small: 128")
      ->check(CLI::Range(1, 1000));
  app.add_option("--seconds", options.sustained_seconds,
                 "plant, late, wide, small: how long samples are sent at full rate, over and over, with "
                 "times that go "
                 "on; ingest figures are then of that. Default: once, which may take half a second")
      ->check(CLI::Range(0.1, 100'000.0))
      ->excludes(target_option);
  app.add_option("--minutes", measure.minutes, "soak: how long")
      ->check(CLI::Range(0.1, 100'000.0))
      ->capture_default_str();
  app.add_option("--share", measure.share, "soak: of the highest rate")
      ->check(CLI::Range(0.01, 1.0))
      ->capture_default_str();
  app.add_option("--memory", options.memory_bytes,
                 "Bytes of frames made at a time; more go in pieces with pauses")
      ->transform(CLI::AsSizeValue(false))
      ->capture_default_str();
  app.add_option("--repetitions", options.repetitions, "Of each query; of the wide ones a fifth")
      ->check(CLI::Range(20, 1'000'000))
      ->capture_default_str();
  app.add_option("--json", json_file, "Also write the results there");
  try {
    app.parse(argc, argv);
    if (self_contained && !target.empty())
      throw CLI::ValidationError("--self-contained and --target exclude one another");
  } catch (const CLI::ParseError& error) {
    return app.exit(error) == 0 ? 0 : 2;
  }

  const std::map<std::string, Measure> measures = {
      {"year", MeasureYear}, {"backfill", MeasureBackfill}, {"idle", MeasureIdle}, {"soak", MeasureSoak}};
  const bool is_measure = measures.contains(workload);
  if (is_measure && !target.empty()) {
    std::fprintf(stderr, "%s always has a server of its own: not with --target\n", workload.c_str());
    return 2;
  }
  struct Kind {
    WorkloadKind kind;
    size_t tags;
    double hours;
    size_t frames_in_flight;
  };
  const std::map<std::string, Kind> kinds = {{"plant", {WorkloadKind::kPlant, 1000, 6, 4}},
                                             {"late", {WorkloadKind::kLate, 1000, 6, 4}},
                                             {"wide", {WorkloadKind::kWide, 100'000, 0.05, 4}},
                                             {"small", {WorkloadKind::kSmall, 1000, 0.25, 128}}};
  const Kind& kind = kinds.at(is_measure ? "plant" : workload);
  options.workload.kind = kind.kind;
  options.workload.seed = seed;
  options.workload.tags = tags > 0 ? tags : kind.tags;
  options.workload.seconds = std::max<int64_t>(16, std::llround((hours > 0 ? hours : kind.hours) * 3600));
  options.frames_in_flight = frames_in_flight > 0 ? frames_in_flight : kind.frames_in_flight;
  options.target = target;
  options.server_pid = server_pid;
  options.server_flags = flags;

  const bool own_scratch = target.empty() && scratch.empty();
  if (target.empty()) {
    options.server_binary = server_binary.empty() ? FindServerBinary() : server_binary;
    if (options.server_binary.empty()) {
      std::fprintf(stderr,
                   "no historiand found beside this program or in the build; name it with --server-binary\n");
      return 2;
    }
    if (own_scratch) {
      const char* tmp = getenv("TMPDIR");
      std::string name = absl::StrCat(tmp != nullptr && *tmp != 0 ? tmp : "/tmp", "/histbench.XXXXXX");
      if (mkdtemp(name.data()) == nullptr) {
        std::fprintf(stderr, "cannot make a scratch directory %s\n", name.c_str());
        return 1;
      }
      scratch = name;
    }
  }

  Report report;
  DescribeMachine(&report);
  report.workload = workload;
  report.command = absl::StrJoin(argv + 1, argv + argc, " ");
  report.tags = options.workload.tags;
  report.seconds = options.workload.seconds;
  report.seed = seed;
  if (is_measure) {
    measure.bed = {options.server_binary, options.server_flags, scratch};
    measure.seed = seed;
    measure.tags = tags;
    measure.hours = hours;
    if (!connections.empty()) measure.connections = connections.back();
    measure.frames_in_flight = options.frames_in_flight;
    measure.repetitions = options.repetitions;
    report.server_version = kVersion;
    const absl::Status status = RunMeasure(measures.at(workload), measure, report, json_file);
    if (own_scratch && !keep && status.ok()) {
      std::error_code error;
      std::filesystem::remove_all(scratch, error);
    }
    if (status.ok()) return 0;
    std::fprintf(stderr, "histbench: %s\nthe server's log: below %s\n", status.ToString().c_str(),
                 scratch.c_str());
    return 1;
  }
  if (connections.empty()) connections = {1, 4};
  bool exact = true;
  int code = 0;
  for (const size_t count : connections) {
    options.connections = count;
    options.scratch = absl::StrCat(scratch, "/run-", report.runs.size());
    // In a server that others use, and that keeps what was written, every run has tags of its own.
    options.workload.prefix =
        target.empty() ? "bench"
                       : absl::StrCat("bench/", absl::ToUnixSeconds(absl::Now()), "-", report.runs.size());
    absl::StatusOr<RunResult> run = RunBench(options, &report.server_version);
    if (!run.ok()) {
      std::fprintf(stderr, "histbench: %s\n", run.status().ToString().c_str());
      if (target.empty()) std::fprintf(stderr, "the server's log: %s/server.log\n", options.scratch.c_str());
      keep = true;
      code = 1;
      break;
    }
    exact = exact && run->verification.ok() && run->after_restart.ok() && run->ingest.rejected == 0;
    if (run->sustained) {
      exact = exact && run->sustained->lost == 0 && run->sustained->duplicated == 0 &&
              run->sustained->ingest.rejected == 0;
    }
    report.runs.push_back(*std::move(run));
    report.connections.push_back(count);
    if (own_scratch && !keep) {
      std::error_code error;
      std::filesystem::remove_all(options.scratch, error);
    }
  }
  if (own_scratch && !keep) {
    std::error_code error;
    std::filesystem::remove_all(scratch, error);
  }
  if (!report.runs.empty()) std::fputs(ToTable(report).c_str(), stdout);
  if (!json_file.empty()) {
    std::ofstream file(json_file);
    file << ToJson(report);
    file.close();
    if (!file) {
      std::fprintf(stderr, "cannot write %s\n", json_file.c_str());
      code = 1;
    }
  }
  return code != 0 ? code : exact ? 0 : 3;
}

}  // namespace
}  // namespace historian::histbench

int main(int argc, char** argv) {
  // Looking for deadlocks is for tests (server/historiand_main.cc).
  absl::SetMutexDeadlockDetectionMode(absl::OnDeadlockCycle::kIgnore);
  return historian::histbench::Main(argc, argv);
}
