#include "storage/backup/throttle.h"

#include <algorithm>

#include "absl/time/clock.h"
#include "storage/model/status_macros.h"

namespace historian::backup {
namespace {

constexpr absl::Duration kBurst = absl::Milliseconds(100);
constexpr absl::Duration kLook = absl::Milliseconds(20);

}  // namespace

absl::Status Throttle::Take(uint64_t bytes, const KeepGoing& keep_going) {
  RETURN_IF_ERROR(GoOn(keep_going));
  if (bytes_per_second_ == 0) return absl::OkStatus();
  free_at_ = std::max(free_at_, MonotonicTime::Now() - kBurst) +
             absl::Seconds(static_cast<double>(bytes) / static_cast<double>(bytes_per_second_));
  for (absl::Duration left; (left = free_at_ - MonotonicTime::Now()) > absl::ZeroDuration();) {
    absl::SleepFor(std::min(left, kLook));
    RETURN_IF_ERROR(GoOn(keep_going));
  }
  return absl::OkStatus();
}

}  // namespace historian::backup
