// File: tests/server_process.h
//
// A real historiand on loopback, for tests that stop and kill it.
#ifndef HISTORIAN_TESTS_SERVER_PROCESS_H_
#define HISTORIAN_TESTS_SERVER_PROCESS_H_

#include <sys/types.h>

#include <memory>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"

namespace historian::testing {

// A new directory under $TEST_TMPDIR.
std::string ScratchDirectory(absl::string_view name);

class ServerProcess {
 public:
  struct Options {
    std::string data_dir;
    int grpc_port = 0;  // 0: a free one.
    std::vector<std::string> flags;
  };

  // Returns when the server answers. Errors: Internal, it ended instead; the message has the end of its log.
  static absl::StatusOr<std::unique_ptr<ServerProcess>> Start(Options options);
  // Kills it if it runs.
  ~ServerProcess();

  const std::string& target() const { return grpc_; }       // HOST:PORT of gRPC.
  const std::string& http_target() const { return http_; }  // HOST:PORT of HTTP.
  int grpc_port() const;
  pid_t pid() const { return pid_; }

  // SIGKILL, and waits until it is gone.
  void Kill();
  // SIGTERM, and waits for its exit code; kills it and gives -1 when that takes more than 30 s.
  int Terminate();
  // The last of what it wrote to its log.
  std::string LogTail() const;

 private:
  ServerProcess() = default;

  pid_t pid_ = -1;
  std::string grpc_;
  std::string http_;
  std::string log_path_;
};

}  // namespace historian::testing

#endif  // HISTORIAN_TESTS_SERVER_PROCESS_H_
