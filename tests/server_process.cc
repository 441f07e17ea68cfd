#include "tests/server_process.h"

#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "gtest/gtest.h"

namespace historian::testing {

namespace {

std::string ReadAll(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// A program that becomes `binary` with fewer descriptors.
std::string WithDescriptors(const std::string& binary, int descriptors, const std::string& script) {
  std::ofstream(script) << "#!/bin/sh\nulimit -n " << descriptors << "\nexec '" << binary << "' \"$@\"\n";
  std::filesystem::permissions(script, std::filesystem::perms::owner_all);
  return script;
}

}  // namespace

std::string ScratchDirectory(absl::string_view name) {
  static int count = 0;
  const std::string path = absl::StrCat(::testing::TempDir(), name, ".", getpid(), ".", ++count);
  std::filesystem::create_directories(path);
  return path;
}

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(const Options& options) {
  auto server = std::unique_ptr<ServerProcess>(new ServerProcess());
  const std::string scratch = ScratchDirectory("server");
  server->log_file_ = scratch + "/log";
  // In the runfiles, where bazel starts tests.
  std::string binary = std::filesystem::absolute("server/historiand");
  if (options.descriptors > 0) binary = WithDescriptors(binary, options.descriptors, scratch + "/historiand");
  absl::StatusOr<std::unique_ptr<histbench::ServerProcess>> process =
      histbench::ServerProcess::Start({.binary = binary,
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
  const std::string ports = ReadAll(absl::StrCat(options.data_dir, ".ports"));
  const size_t http = ports.find("http=") + 5;
  server->http_address_ = ports.substr(http, ports.find('\n', http) - http);
  return server;
}

int ServerProcess::grpc_port() const {
  int port = 0;
  return absl::SimpleAtoi(target().substr(target().rfind(':') + 1), &port) ? port : 0;
}

std::string ServerProcess::LogText() const { return ReadAll(log_file_); }

std::string ServerProcess::LogTail() const {
  const std::string log = LogText();
  return log.size() > 4000 ? log.substr(log.size() - 4000) : log;
}

std::string ServerProcess::Stacks() const {
  const std::string file = absl::StrCat(log_file_, ".stacks");
  const std::string command =
      absl::StrCat("gdb -p ", pid(), " -batch -ex 'set pagination off' -ex 'thread apply all bt 40' > '",
                   file, "' 2>&1 < /dev/null");
  if (std::system(command.c_str()) != 0) return "no stacks: is gdb installed?";
  return ReadAll(file);
}

}  // namespace historian::testing
