#include "storage/model/clock.h"

#include <time.h>

#include "storage/model/check.h"

namespace historian {
namespace {

class SystemClock : public Clock {
 public:
  // Abseil's own reading counts processor cycles for seconds before it looks at the clock again, and so goes on with the old time
  // when somebody sets it.
  Timestamp Now() const override {
    timespec time;
    HISTORIAN_CHECK(clock_gettime(CLOCK_REALTIME, &time) == 0);
    return time.tv_sec * kNanosPerSecond + time.tv_nsec;
  }
  MonotonicTime Monotonic() const override { return MonotonicTime::Now(); }
};

}  // namespace

const Clock& Clock::System() {
  static const SystemClock clock;
  return clock;
}

}  // namespace historian
