#include "server/process.h"

#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <algorithm>
#include <csignal>
#include <fstream>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/string_view.h"
#include "absl/strings/strip.h"
#include "storage/model/units.h"

namespace historian::server {

void RaiseDescriptorLimit() {
  rlimit limit;
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return;
  limit.rlim_cur = limit.rlim_max;
  setrlimit(RLIMIT_NOFILE, &limit);
}

uint64_t DescriptorLimit() {
  rlimit limit;
  // What every system has.
  if (getrlimit(RLIMIT_NOFILE, &limit) != 0) return 1024;
  return limit.rlim_cur == RLIM_INFINITY ? UINT64_MAX : limit.rlim_cur;
}

uint64_t MemoryLimit(const std::string& groups_of_process, const std::string& groups) {
  std::ifstream in(groups_of_process);
  std::string line;
  uint64_t least = UINT64_MAX;
  while (std::getline(in, line)) {
    absl::string_view path = line;
    // The one of version 2; those of version 1 have numbers and names.
    if (!absl::ConsumePrefix(&path, "0::/")) continue;
    for (;;) {
      for (const char* const file : {"memory.max", "memory.high"}) {
        std::ifstream limit_in(absl::StrCat(groups, "/", path, path.empty() ? "" : "/", file));
        std::string text;
        uint64_t limit = 0;
        // "max" is none.
        if (limit_in >> text && absl::SimpleAtoi(text, &limit)) least = std::min(least, limit);
      }
      if (path.empty()) break;
      const size_t slash = path.rfind('/');
      path = path.substr(0, slash == absl::string_view::npos ? 0 : slash);
    }
  }
  return least;
}

void WarnOfMemoryLimit(uint64_t needed, uint64_t limit, Log& log) {
  if (limit >= needed) return;
  log.Warning("memory_limit_low", {{"limit", FormatSize(limit)},
                                   {"needed", FormatSize(needed)},
                                   {"danger",
                                    "the system slows the server down or kills it before it has used "
                                    "limits.memory_budget and 256 MiB: raise the "
                                    "limit (MemoryHigh= and MemoryMax= of the unit), or lower the budget"}});
}

void SetUpFilesAndSignals() {
  umask(027);
  std::signal(SIGPIPE, SIG_IGN);
  std::signal(SIGXFSZ, SIG_IGN);
  std::signal(SIGHUP, SIG_IGN);
  for (const int signal : StraySignals()) std::signal(signal, SIG_IGN);
}

std::vector<int> StraySignals() {
  std::vector<int> signals = {SIGUSR1, SIGUSR2, SIGALRM, SIGVTALRM, SIGPROF, SIGIO, SIGSTKFLT};
  for (int signal = SIGRTMIN; signal <= SIGRTMAX; ++signal) signals.push_back(signal);
  return signals;
}

std::string OwnerOtherThanRoot(const std::string& data_dir) {
  struct stat info;
  if (geteuid() != 0 || stat(data_dir.c_str(), &info) != 0 || info.st_uid == 0) return "";
  const passwd* const owner = getpwuid(info.st_uid);
  return owner == nullptr ? absl::StrCat("#", info.st_uid) : std::string(owner->pw_name);
}

absl::Status RefuseToBeRootElsewhere(const std::string& data_dir) {
  const std::string owner = OwnerOtherThanRoot(data_dir);
  if (owner.empty()) return absl::OkStatus();
  return absl::FailedPreconditionError(absl::StrCat(
      data_dir, " belongs to the user ", owner, ", and this is root, who would leave files in it that ",
      owner, " cannot read; start the server as that user (systemctl start historiand, or runuser -u ", owner,
      " -- historiand ...), or give root the directory (chown -R root)"));
}

void WarnOfOpenDirectory(const std::string& data_dir, Log& log) {
  struct stat info;
  if (stat(data_dir.c_str(), &info) != 0 || (info.st_mode & S_IRWXO) == 0) return;
  log.Warning("data_directory_open",
              {{"data_dir", data_dir},
               {"mode", absl::StrFormat("%04o", info.st_mode & 07777)},
               {"danger", "every user of this machine can read the samples; chmod -R o-rwx the directory"}});
}

}  // namespace historian::server
