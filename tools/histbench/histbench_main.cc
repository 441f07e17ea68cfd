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
#include "absl/time/clock.h"
#include "tools/histbench/bench.h"
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

What is timed: frames are made and encoded before the clock starts; it runs from the first frame
sent to the last acknowledgement (which means: on disk). Client and server share the machine; what
the client costs is in the report. Latency of an acknowledgement counts from handing the frame to
gRPC, with --in-flight frames on their way on every connection.

Exit codes: 0 done; 1 failed; 2 mistake on the command line; 3 samples were lost or duplicated.)";

int Main(int argc, char** argv) {
  CLI::App app{kDescription};
  std::string workload = "plant", json_file, target, server_binary, scratch;
  bool self_contained = false, keep = false;
  uint64_t seed = 1;
  size_t tags = 0;
  double hours = 0;
  std::vector<size_t> connections;
  BenchOptions options;
  std::vector<std::string> flags;
  int server_pid = -1;
  app.add_option("--workload", workload, "plant, late or wide")
      ->check(CLI::IsMember({"plant", "late", "wide"}))
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
  app.add_option("--tags", tags, "Default 1,000; wide: 100,000")->check(CLI::Range(1, 10'000'000));
  app.add_option("--hours", hours, "Of plant time; default 6; wide: 0.05")
      ->check(CLI::Range(0.001, 100'000.0));
  app.add_option("--connections", connections, "One run for each; default 1 4")
      ->delimiter(',')
      ->check(CLI::Range(1, 64));
  app.add_option("--seed", seed, "Same seed, same samples")->capture_default_str();
  app.add_option("--in-flight", options.frames_in_flight, "Frames on their way a connection")
      ->check(CLI::Range(1, 1000))
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

  const std::map<std::string, WorkloadKind> kinds = {
      {"plant", WorkloadKind::kPlant}, {"late", WorkloadKind::kLate}, {"wide", WorkloadKind::kWide}};
  options.workload.kind = kinds.at(workload);
  const bool wide = options.workload.kind == WorkloadKind::kWide;
  options.workload.seed = seed;
  options.workload.tags = tags > 0 ? tags : wide ? 100'000 : 1000;
  options.workload.seconds = std::max<int64_t>(16, std::llround((hours > 0 ? hours
                                                                 : wide    ? 0.05
                                                                           : 6) *
                                                                3600));
  options.target = target;
  options.server_pid = server_pid;
  options.server_flags = flags;
  if (connections.empty()) connections = {1, 4};

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

int main(int argc, char** argv) { return historian::histbench::Main(argc, argv); }
