#include "tests/server_process.h"

#include <unistd.h>

#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace historian::testing {

std::string ScratchDirectory(absl::string_view name) {
  static int count = 0;
  const std::string path = absl::StrCat(::testing::TempDir(), name, ".", getpid(), ".", ++count);
  std::filesystem::create_directories(path);
  return path;
}

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(const Options& options) {
  auto server = std::unique_ptr<ServerProcess>(new ServerProcess());
  server->log_file_ = ScratchDirectory("server") + "/log";
  absl::StatusOr<std::unique_ptr<histbench::ServerProcess>> process = histbench::ServerProcess::Start(
      {.binary =
           std::filesystem::absolute("server/historiand"),  // In the runfiles, where bazel starts tests.
       .data_dir = options.data_dir,
       .log_file = server->log_file_,
       .grpc_listen = absl::StrCat("127.0.0.1:", options.grpc_port),
       .flags = options.flags,
       .environment = options.environment});
  if (!process.ok()) {
    return absl::Status(process.status().code(),
                        absl::StrCat(process.status().message(), "\n", server->LogTail()));
  }
  server->process_ = *std::move(process);
  return server;
}

int ServerProcess::grpc_port() const {
  int port = 0;
  return absl::SimpleAtoi(target().substr(target().rfind(':') + 1), &port) ? port : 0;
}

std::string ServerProcess::LogTail() const {
  std::ifstream file(log_file_);
  std::stringstream text;
  text << file.rdbuf();
  const std::string log = text.str();
  return log.size() > 4000 ? log.substr(log.size() - 4000) : log;
}

}  // namespace historian::testing
