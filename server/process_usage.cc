#include "server/process_usage.h"

#include <dirent.h>
#include <sys/resource.h>
#include <time.h>
#include <unistd.h>

#include <cstdio>
#include <memory>

namespace historian::server {
namespace {

double SecondsOf(const timeval& time) {
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_usec) / 1e6;
}

double SecondsOf(clockid_t clock) {
  timespec time{};
  clock_gettime(clock, &time);
  return static_cast<double>(time.tv_sec) + static_cast<double>(time.tv_nsec) / 1e9;
}

// In ticks since the machine started: the 22nd field of /proc/self/stat. The second one has the program's name in parentheses, with
// whatever is in it.
double StartSeconds() {
  const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen("/proc/self/stat", "re"), fclose);
  char text[4096];
  if (file == nullptr || fgets(text, sizeof(text), file.get()) == nullptr) return 0;
  const char* at = nullptr;
  for (const char* c = text; *c != 0; ++c) {
    if (*c == ')') at = c;
  }
  unsigned long long ticks = 0;
  if (at == nullptr ||
      sscanf(at, ") %*c %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %*s %llu",
             &ticks) != 1) {
    return 0;
  }
  const double since_boot =
      SecondsOf(CLOCK_BOOTTIME) - static_cast<double>(ticks) / static_cast<double>(sysconf(_SC_CLK_TCK));
  return SecondsOf(CLOCK_REALTIME) - since_boot;
}

uint64_t CountDescriptors() {
  const std::unique_ptr<DIR, int (*)(DIR*)> directory(opendir("/proc/self/fd"), closedir);
  uint64_t count = 0;
  while (directory != nullptr) {
    const dirent* const entry = readdir(directory.get());
    if (entry == nullptr) break;
    if (entry->d_name[0] != '.') ++count;
  }
  return count > 0 ? count - 1 : 0;  // Not the one that reads this.
}

}  // namespace

ProcessUsage UsageOfProcess() {
  ProcessUsage usage;
  rusage times{};
  if (getrusage(RUSAGE_SELF, &times) == 0)
    usage.cpu_seconds = SecondsOf(times.ru_utime) + SecondsOf(times.ru_stime);
  // Once: later it would follow each step of the machine's clock.
  static const double start = StartSeconds();
  usage.start_time_seconds = start;
  if (const std::unique_ptr<FILE, int (*)(FILE*)> file(fopen("/proc/self/statm", "re"), fclose);
      file != nullptr) {
    unsigned long long size = 0, resident = 0;
    if (fscanf(file.get(), "%llu %llu", &size, &resident) == 2) {
      const auto page = static_cast<uint64_t>(sysconf(_SC_PAGESIZE));
      usage.virtual_bytes = size * page;
      usage.resident_bytes = resident * page;
    }
  }
  usage.open_descriptors = CountDescriptors();
  rlimit limit{};
  if (getrlimit(RLIMIT_NOFILE, &limit) == 0) usage.descriptors_max = limit.rlim_cur;
  return usage;
}

}  // namespace historian::server
