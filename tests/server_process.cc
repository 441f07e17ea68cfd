#include "tests/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cstdlib>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

extern char** environ;

namespace historian::testing {
namespace {

// In the runfiles, where bazel starts tests.
constexpr char kBinary[] = "server/historiand";
constexpr absl::Duration kStartMax = absl::Seconds(60);
constexpr absl::Duration kStopMax = absl::Seconds(30);
constexpr absl::Duration kPoll = absl::Milliseconds(5);

std::string ReadFile(const std::string& path) {
  std::ifstream file(path);
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

}  // namespace

std::string ScratchDirectory(absl::string_view name) {
  static int count = 0;
  const char* base = std::getenv("TEST_TMPDIR");
  const std::string path =
      absl::StrCat(base == nullptr ? "/tmp" : base, "/", name, ".", getpid(), ".", ++count);
  std::filesystem::create_directories(path);
  return path;
}

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(Options options) {
  auto server = std::unique_ptr<ServerProcess>(new ServerProcess());
  const std::string scratch = ScratchDirectory("server");
  const std::string port_file = scratch + "/ports";
  server->log_path_ = scratch + "/log";
  std::vector<std::string> arguments = {kBinary,
                                        "--data-dir",
                                        options.data_dir,
                                        "--grpc-listen",
                                        absl::StrCat("127.0.0.1:", options.grpc_port),
                                        "--http-listen",
                                        "127.0.0.1:0",
                                        "--port-file",
                                        port_file};
  arguments.insert(arguments.end(), options.flags.begin(), options.flags.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);

  posix_spawn_file_actions_t actions;
  posix_spawn_file_actions_init(&actions);
  for (const int fd : {STDOUT_FILENO, STDERR_FILENO}) {
    posix_spawn_file_actions_addopen(&actions, fd, server->log_path_.c_str(), O_WRONLY | O_CREAT | O_APPEND,
                                     0644);
  }
  const int error = posix_spawn(&server->pid_, kBinary, &actions, nullptr, argv.data(), environ);
  posix_spawn_file_actions_destroy(&actions);
  if (error != 0) {
    server->pid_ = -1;
    return absl::InternalError(absl::StrCat("cannot start ", kBinary, ": ", strerror(error)));
  }
  for (const absl::Time deadline = absl::Now() + kStartMax; absl::Now() < deadline; absl::SleepFor(kPoll)) {
    int status;
    if (waitpid(server->pid_, &status, WNOHANG) == server->pid_) {
      server->pid_ = -1;
      return absl::InternalError(absl::StrCat(
          "the server ended with ", WIFEXITED(status) ? WEXITSTATUS(status) : -1, ": ", server->LogTail()));
    }
    std::istringstream ports(ReadFile(port_file));
    for (std::string line; std::getline(ports, line);) {
      absl::string_view text = line;
      if (absl::ConsumePrefix(&text, "grpc=")) server->grpc_ = std::string(text);
      if (absl::ConsumePrefix(&text, "http=")) server->http_ = std::string(text);
    }
    if (!server->grpc_.empty() && !server->http_.empty()) return server;
  }
  return absl::InternalError(absl::StrCat("the server is not ready after ", absl::FormatDuration(kStartMax),
                                          ": ", server->LogTail()));
}

ServerProcess::~ServerProcess() { Kill(); }

int ServerProcess::grpc_port() const {
  int port = 0;
  return absl::SimpleAtoi(grpc_.substr(grpc_.rfind(':') + 1), &port) ? port : 0;
}

void ServerProcess::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

int ServerProcess::Terminate() {
  if (pid_ < 0) return -1;
  kill(pid_, SIGTERM);
  for (const absl::Time deadline = absl::Now() + kStopMax; absl::Now() < deadline; absl::SleepFor(kPoll)) {
    int status;
    if (waitpid(pid_, &status, WNOHANG) == pid_) {
      pid_ = -1;
      return WIFEXITED(status) ? WEXITSTATUS(status) : -1;
    }
  }
  Kill();
  return -1;
}

std::string ServerProcess::LogTail() const {
  const std::string log = ReadFile(log_path_);
  return log.size() > 4000 ? log.substr(log.size() - 4000) : log;
}

}  // namespace historian::testing
