#include "server/process.h"

#include <sys/resource.h>
#include <sys/stat.h>

#include <csignal>

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
