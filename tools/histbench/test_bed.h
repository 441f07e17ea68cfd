// File: tools/histbench/test_bed.h
//
// A server of our own, filled and asked: what every measure begins with.
//
// Threads: one.
#ifndef HISTORIAN_TOOLS_HISTBENCH_TEST_BED_H_
#define HISTORIAN_TOOLS_HISTBENCH_TEST_BED_H_

#include <sys/types.h>

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/str_format.h"
#include "client/admin.h"
#include "client/connection.h"
#include "client/reader.h"
#include "tools/histbench/server_process.h"
#include "tools/histbench/workload.h"

namespace historian::histbench {

// A line on standard error.
template <typename... Args>
void Say(const absl::FormatSpec<Args...>& format, const Args&... args) {
  std::fprintf(stderr, "%s\n", absl::StrFormat(format, args...).c_str());
}

absl::StatusOr<client::Connection> Connect(const std::string& target);

// Makes sure that the workload's tags are there, and tells it their ids.
absl::Status MakeTags(const client::Connection& connection, Workload* workload);

class TestBed {
 public:
  struct Options {
    std::string server_binary;
    std::vector<std::string> server_flags;
    std::string scratch;  // Made when it is not there; the data go to SCRATCH/data.
  };
  static absl::StatusOr<std::unique_ptr<TestBed>> Start(const Options& options);

  // Connected to the server that runs now.
  const client::Connection& connection() const { return *connection_; }
  client::Admin admin() const { return client::Admin(*connection_); }
  client::Reader reader() const { return client::Reader(*connection_); }
  const std::string& target() const { return server_->target(); }
  pid_t pid() const { return server_->pid(); }
  const std::string& data_dir() const { return options_.data_dir; }

  // Ends the server, by SIGTERM and a seal or by kill -9, forgets cached files when asked to, starts it again
  // and connects. Seconds from starting it until it is ready.
  absl::StatusOr<double> Restart(bool kill, bool forget_files = false);
  absl::Status Stop();

 private:
  explicit TestBed(ServerProcess::Options options) : options_(std::move(options)) {}

  const ServerProcess::Options options_;
  std::unique_ptr<ServerProcess> server_;
  std::optional<client::Connection> connection_;
};

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_TEST_BED_H_
