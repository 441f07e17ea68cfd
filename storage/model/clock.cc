#include "storage/model/clock.h"

#include "absl/time/clock.h"

namespace historian {
namespace {

class SystemClock : public Clock {
 public:
  Timestamp Now() const override { return absl::GetCurrentTimeNanos(); }
  MonotonicTime Monotonic() const override { return MonotonicTime::Now(); }
};

}  // namespace

const Clock& Clock::System() {
  static const SystemClock clock;
  return clock;
}

}  // namespace historian
