#include "server/process.h"

#include <pwd.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <unistd.h>

#include <csignal>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"

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
