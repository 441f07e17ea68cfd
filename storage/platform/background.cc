#include "storage/platform/background.h"

#include <fcntl.h>
#include <sys/resource.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

#include <algorithm>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_split.h"
#include "absl/strings/string_view.h"
#include "absl/time/clock.h"
#include "absl/time/time.h"

namespace historian {
namespace {

constexpr uint64_t kWaitedPart = 5;  // Of its time, the part that makes a thread rest.
constexpr uint64_t kRestFactor = 9;  // So long for what it worked.

uint64_t WorkedNs() {
  timespec used{};
  ::clock_gettime(CLOCK_THREAD_CPUTIME_ID, &used);
  return static_cast<uint64_t>(used.tv_sec) * 1'000'000'000 + static_cast<uint64_t>(used.tv_nsec);
}

}  // namespace

void YieldToAllOther() {
  constexpr int kNiceness = 10;
  ::setpriority(PRIO_PROCESS, static_cast<id_t>(::syscall(SYS_gettid)), kNiceness);
}

// Linux: Documentation/scheduler/sched-stats.rst, "/proc/<pid>/schedstat": nanoseconds on a processor,
// nanoseconds on its queue, slices.
BackgroundPace::BackgroundPace() : counts_(::open("/proc/thread-self/schedstat", O_RDONLY | O_CLOEXEC)) {
  looked_ = Now();
}

BackgroundPace::~BackgroundPace() {
  if (counts_ >= 0) ::close(counts_);
}

BackgroundPace::Usage BackgroundPace::Now() const {
  Usage usage{.worked_ns = WorkedNs()};
  char text[96];
  const ssize_t size = counts_ < 0 ? -1 : ::pread(counts_, text, sizeof text, 0);
  if (size <= 0) return usage;
  const std::vector<absl::string_view> counts =
      absl::StrSplit(absl::string_view(text, static_cast<size_t>(size)), ' ');
  if (counts.size() < 2 || !absl::SimpleAtoi(counts[1], &usage.waited_ns)) usage.waited_ns = 0;
  return usage;
}

uint64_t BackgroundPace::RestNs(Usage since_last_rest) {
  const auto [worked, waited] = since_last_rest;
  if (waited * kWaitedPart < worked + waited) return 0;
  // Having waited, it has been out of the way for so long.
  const uint64_t rest = worked * kRestFactor;
  return std::min(rest - std::min(rest, waited), kRestNsMax);
}

void BackgroundPace::MayRest() {
  if (WorkedNs() - looked_.worked_ns < kLookNs) return;
  const Usage now = Now();
  const uint64_t rest_ns = RestNs({now.worked_ns - looked_.worked_ns, now.waited_ns - looked_.waited_ns});
  looked_ = now;
  if (rest_ns > 0) absl::SleepFor(absl::Nanoseconds(rest_ns));
}

}  // namespace historian
