#include "server/clock_watch.h"

#include "storage/platform/monotonic.h"

namespace historian::server {

absl::Duration ClockWatch::Distance() const {
  return absl::Nanoseconds(clock_.Now()) -
         (clock_.Monotonic() - MonotonicTime::FromStart(absl::ZeroDuration()));
}

std::optional<ClockWatch::Step> ClockWatch::Look() {
  absl::MutexLock lock(&mu_);
  const absl::Duration distance = Distance(), by = distance - distance_;
  if (by > -kStepMin && by < kStepMin) return std::nullopt;
  distance_ = distance;
  ++steps_;
  const Timestamp now = clock_.Now();
  last_ = Step{.from = now - absl::ToInt64Nanoseconds(by), .to = now};
  return last_;
}

uint64_t ClockWatch::steps() const {
  absl::MutexLock lock(&mu_);
  return steps_;
}

std::optional<ClockWatch::Step> ClockWatch::last() const {
  absl::MutexLock lock(&mu_);
  return last_;
}

}  // namespace historian::server
