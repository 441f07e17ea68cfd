// File: tools/histbench/server_process.h
//
// A historiand of our own in a directory of our own, and what /proc says of it or of any other server.
//
// Threads: one.
#ifndef HISTORIAN_TOOLS_HISTBENCH_SERVER_PROCESS_H_
#define HISTORIAN_TOOLS_HISTBENCH_SERVER_PROCESS_H_

#include <sys/types.h>

#include <cstdint>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/time/time.h"

namespace historian::histbench {

class ServerProcess {
 public:
  struct Options {
    std::string binary;
    std::string data_dir;
    std::string log_file;
    std::string grpc_listen = "127.0.0.1:0";
    std::vector<std::string> flags;        // Further ones.
    std::vector<std::string> environment;  // NAME=VALUE, beside our own.
  };

  // Returns when the server has written its port file. The server dies with us.
  // Errors: NotFound, no such binary; Unavailable, it ended or was not ready within a minute; names the log.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(const Options& options);
  // kill -9, if it still runs.
  ~ServerProcess();

  pid_t pid() const { return pid_; }
  const std::string& target() const { return target_; }  // Of gRPC: HOST:PORT.

  void Kill();
  // SIGTERM. Errors: DeadlineExceeded, it still runs; Aborted, it ended with another code than 0.
  absl::Status Stop(absl::Duration timeout);

 private:
  ServerProcess(pid_t pid, std::string target) : pid_(pid), target_(std::move(target)) {}
  pid_t pid_;
  std::string target_;
};

// User and system time of a process so far.
absl::StatusOr<double> CpuSeconds(pid_t pid);
// The most memory it ever had resident.
absl::StatusOr<uint64_t> PeakMemoryBytes(pid_t pid);
// What it has resident now.
absl::StatusOr<uint64_t> ResidentBytes(pid_t pid);
// What it caused to be written to disks so far.
absl::StatusOr<uint64_t> WrittenBytes(pid_t pid);
// Takes the files of a directory out of the system's cache, so that the next read is the disk's. Needs no
// rights beyond those on the files.
void ForgetCachedFiles(const std::string& directory);
// What a directory takes on the disk.
uint64_t DirectoryBytes(const std::string& directory);

// Finds historiand beside this program, in the build's tree or in the runfiles; empty if it is not there.
std::string FindServerBinary();

}  // namespace historian::histbench

#endif  // HISTORIAN_TOOLS_HISTBENCH_SERVER_PROCESS_H_
