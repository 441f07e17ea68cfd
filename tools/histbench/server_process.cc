#include "tools/histbench/server_process.h"

#include <fcntl.h>
#include <signal.h>
#include <sys/prctl.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include <cerrno>
#include <cstring>
#include <filesystem>
#include <fstream>
#include <sstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_split.h"
#include "absl/strings/strip.h"
#include "absl/time/clock.h"
#include "storage/platform/monotonic.h"

namespace historian::histbench {
namespace {

constexpr absl::Duration kStartTimeout = absl::Minutes(1);

absl::StatusOr<std::string> ReadFile(const std::string& path) {
  std::ifstream file(path);
  if (!file) return absl::NotFoundError(absl::StrCat("cannot read ", path));
  std::stringstream text;
  text << file.rdbuf();
  return text.str();
}

// The number behind `name` in a file of /proc/PID, times `unit`.
absl::StatusOr<uint64_t> ProcNumber(pid_t pid, absl::string_view file, absl::string_view name,
                                    uint64_t unit) {
  absl::StatusOr<std::string> text = ReadFile(absl::StrCat("/proc/", pid, "/", file));
  if (!text.ok()) return text.status();
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    uint64_t number = 0;
    if (!absl::ConsumePrefix(&line, name)) continue;
    absl::ConsumeSuffix(&line, "kB");
    if (absl::SimpleAtoi(line, &number)) return number * unit;
  }
  return absl::InternalError(absl::StrCat("/proc/", pid, "/", file, " has no ", name));
}

// HOST:PORT of a complete port file; empty: not yet.
std::string GrpcTarget(const std::string& port_file) {
  const absl::StatusOr<std::string> text = ReadFile(port_file);
  if (!text.ok() || text->find("http=") == std::string::npos || text->back() != '\n') return "";
  for (absl::string_view line : absl::StrSplit(*text, '\n')) {
    if (absl::ConsumePrefix(&line, "grpc=")) return std::string(line);
  }
  return "";
}

}  // namespace

absl::StatusOr<std::unique_ptr<ServerProcess>> ServerProcess::Start(const Options& options) {
  if (access(options.binary.c_str(), X_OK) != 0) {
    return absl::NotFoundError(
        absl::StrCat("'", options.binary, "' is not a program; name historiand with --server-binary"));
  }
  const std::string port_file = absl::StrCat(options.data_dir, ".ports");
  unlink(port_file.c_str());
  std::vector<std::string> arguments = {options.binary,  "--data-dir",        options.data_dir,
                                        "--grpc-listen", options.grpc_listen, "--http-listen",
                                        "127.0.0.1:0",   "--port-file",       port_file};
  arguments.insert(arguments.end(), options.flags.begin(), options.flags.end());
  std::vector<char*> argv;
  for (std::string& argument : arguments) argv.push_back(argument.data());
  argv.push_back(nullptr);
  std::vector<std::string> variables = options.environment;
  std::vector<char*> environment;
  for (std::string& variable : variables) environment.push_back(variable.data());
  const int log = open(options.log_file.c_str(), O_WRONLY | O_CREAT | O_APPEND | O_CLOEXEC, 0644);
  if (log < 0)
    return absl::UnavailableError(absl::StrCat("cannot write ", options.log_file, ": ", strerror(errno)));
  const pid_t parent = getpid();
  const pid_t pid = fork();
  if (pid == 0) {
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (getppid() != parent) _exit(127);
    dup2(log, STDOUT_FILENO);
    dup2(log, STDERR_FILENO);
    for (char* variable : environment) putenv(variable);
    execv(argv[0], argv.data());
    _exit(127);
  }
  close(log);
  if (pid < 0) return absl::UnavailableError(absl::StrCat("cannot fork: ", strerror(errno)));
  std::unique_ptr<ServerProcess> process(new ServerProcess(pid, ""));
  const MonotonicTime deadline = MonotonicTime::Now() + kStartTimeout;
  while ((process->target_ = GrpcTarget(port_file)).empty()) {
    int status = 0;
    if (waitpid(pid, &status, WNOHANG) == pid) {
      process->pid_ = -1;
      return absl::UnavailableError(
          absl::StrCat(options.binary, " ended before it was ready; see ", options.log_file));
    }
    if (MonotonicTime::Now() > deadline) {
      return absl::UnavailableError(absl::StrCat(options.binary, " was not ready within ",
                                                 absl::FormatDuration(kStartTimeout), "; see ",
                                                 options.log_file));
    }
    absl::SleepFor(absl::Microseconds(500));
  }
  return process;
}

ServerProcess::~ServerProcess() { Kill(); }

void ServerProcess::Kill() {
  if (pid_ < 0) return;
  kill(pid_, SIGKILL);
  waitpid(pid_, nullptr, 0);
  pid_ = -1;
}

absl::Status ServerProcess::Stop(absl::Duration timeout) {
  if (pid_ < 0) return absl::OkStatus();
  kill(pid_, SIGTERM);
  const MonotonicTime deadline = MonotonicTime::Now() + timeout;
  int status = 0;
  while (waitpid(pid_, &status, WNOHANG) == 0) {
    if (MonotonicTime::Now() > deadline) {
      return absl::DeadlineExceededError(
          absl::StrCat("the server still runs ", absl::FormatDuration(timeout), " after SIGTERM"));
    }
    absl::SleepFor(absl::Milliseconds(1));
  }
  pid_ = -1;
  if (WIFEXITED(status) && WEXITSTATUS(status) == 0) return absl::OkStatus();
  return absl::AbortedError(absl::StrCat("the server ended with status ", status));
}

absl::StatusOr<double> CpuSeconds(pid_t pid) {
  absl::StatusOr<std::string> text = ReadFile(absl::StrCat("/proc/", pid, "/stat"));
  if (!text.ok()) return text.status();
  // The second field, the program's name, may hold anything but ends with the last parenthesis; user and
  // system time are fields 14 and 15.
  const std::vector<std::string> fields = absl::StrSplit(text->substr(text->rfind(')') + 2), ' ');
  uint64_t user = 0, system = 0;
  if (fields.size() < 13 || !absl::SimpleAtoi(fields[11], &user) || !absl::SimpleAtoi(fields[12], &system)) {
    return absl::InternalError(absl::StrCat("/proc/", pid, "/stat is not what it was"));
  }
  return static_cast<double>(user + system) / static_cast<double>(sysconf(_SC_CLK_TCK));
}

absl::StatusOr<uint64_t> PeakMemoryBytes(pid_t pid) { return ProcNumber(pid, "status", "VmHWM:", 1024); }
absl::StatusOr<uint64_t> ResidentBytes(pid_t pid) { return ProcNumber(pid, "status", "VmRSS:", 1024); }
absl::StatusOr<uint64_t> WrittenBytes(pid_t pid) { return ProcNumber(pid, "io", "write_bytes:", 1); }

void ForgetCachedFiles(const std::string& directory) {
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(directory, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    const int file = open(it->path().c_str(), O_RDONLY | O_CLOEXEC);
    if (file < 0) continue;
    fdatasync(file);  // Only what is clean can be forgotten.
    posix_fadvise(file, 0, 0, POSIX_FADV_DONTNEED);
    close(file);
  }
}

uint64_t DirectoryBytes(const std::string& directory) {
  uint64_t bytes = 0;
  std::error_code error;
  for (auto it = std::filesystem::recursive_directory_iterator(directory, error);
       !error && it != std::filesystem::recursive_directory_iterator(); it.increment(error)) {
    struct stat info;
    if (lstat(it->path().c_str(), &info) == 0) bytes += static_cast<uint64_t>(info.st_blocks) * 512;
  }
  return bytes;
}

std::string FindServerBinary() {
  std::error_code error;
  const std::filesystem::path self = std::filesystem::read_symlink("/proc/self/exe", error);
  const std::filesystem::path places[] = {
      self.parent_path() / "historiand",
      self.parent_path() / "../../server/historiand",
      std::filesystem::path(self.string() + ".runfiles") / "historian/server/historiand",
  };
  for (const std::filesystem::path& place : places) {
    if (access(place.c_str(), X_OK) == 0) return std::filesystem::weakly_canonical(place).string();
  }
  return "";
}

}  // namespace historian::histbench
