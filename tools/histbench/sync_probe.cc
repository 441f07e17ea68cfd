#include "tools/histbench/sync_probe.h"

#include <fcntl.h>
#include <unistd.h>

#include <algorithm>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/platform/monotonic.h"

namespace historian::histbench {
namespace {

constexpr absl::Duration kPeriod = absl::Milliseconds(100);
constexpr size_t kBytes = 4096;

}  // namespace

SyncProbe::SyncProbe(const std::string& directory)
    : path_(absl::StrCat(directory, "/sync-probe")),
      file_(open(path_.c_str(), O_WRONLY | O_CREAT | O_TRUNC | O_CLOEXEC, 0644)) {
  if (file_ >= 0) thread_ = std::thread([this] { Run(); });
}

SyncProbe::~SyncProbe() {
  stop_.store(true);
  if (thread_.joinable()) thread_.join();
  if (file_ < 0) return;
  close(file_);
  unlink(path_.c_str());
}

void SyncProbe::Run() {
  std::string bytes(kBytes, 'x');
  for (char next = 'a'; !stop_.load(); next = next == 'z' ? 'a' : next + 1) {
    bytes[0] = next;
    const MonotonicTime begin = MonotonicTime::Now();
    if (pwrite(file_, bytes.data(), bytes.size(), 0) == static_cast<ssize_t>(bytes.size()) &&
        fdatasync(file_) == 0) {
      absl::MutexLock lock(&mutex_);
      took_.push_back({begin, MonotonicTime::Now()});
    }
    absl::SleepFor(kPeriod);
  }
}

std::vector<double> SyncProbe::TookMs() const {
  absl::MutexLock lock(&mutex_);
  std::vector<double> ms;
  for (const Took& took : took_) ms.push_back(absl::ToDoubleMilliseconds(took.end - took.begin));
  return ms;
}

double SyncProbe::LongestMs(MonotonicTime from, MonotonicTime to) const {
  absl::MutexLock lock(&mutex_);
  double longest = 0;
  for (const Took& took : took_) {
    if (took.end >= from && took.begin <= to)
      longest = std::max(longest, absl::ToDoubleMilliseconds(took.end - took.begin));
  }
  return longest;
}

}  // namespace historian::histbench
