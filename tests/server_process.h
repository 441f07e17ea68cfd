// File: tests/server_process.h
//
// A real historiand on loopback, for tests that stop and kill it.
#ifndef HISTORIAN_TESTS_SERVER_PROCESS_H_
#define HISTORIAN_TESTS_SERVER_PROCESS_H_

#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "tools/histbench/server_process.h"

namespace historian::testing {

// A new directory under the test's own (TEST_TMPDIR).
std::string ScratchDirectory(absl::string_view name);

class ServerProcess {
 public:
  struct Options {
    std::string data_dir;
    int grpc_port = 0;  // 0: a free one.
    std::vector<std::string> flags;
    std::vector<std::string> environment = {};  // NAME=VALUE, beside the test's own.
    int descriptors = 0;  // Files that it may have open, soft and hard; 0: as many as we.
  };

  // Returns when the server answers. Errors: Unavailable, it ended instead; the message has the end of its
  // log.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(const Options& options);
  // The destructor kills it if it runs.

  const std::string& target() const { return process_->target(); }  // HOST:PORT of gRPC.
  int grpc_port() const;
  pid_t pid() const { return process_->pid(); }
  const std::string& http_address() const { return http_address_; }  // HOST:PORT.

  // SIGKILL, and waits until it is gone.
  void Kill() { process_->Kill(); }
  // SIGTERM. Whether it ended by itself within 30 s, with exit code 0.
  bool Terminate() { return process_->Stop(absl::Seconds(30)).ok(); }
  // The last of what it wrote to its log.
  std::string LogTail() const;
  // All of it.
  std::string LogText() const;
  // Where its threads are, by gdb, to find out why it does not answer; says so if there is no gdb.
  std::string Stacks() const;

 private:
  ServerProcess() = default;

  std::string log_file_;
  std::string http_address_;
  std::unique_ptr<histbench::ServerProcess> process_;
};

}  // namespace historian::testing

#endif  // HISTORIAN_TESTS_SERVER_PROCESS_H_
