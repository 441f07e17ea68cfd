// File: server/clock_watch.h
//
// Notices when somebody sets the machine's clock: its distance from the monotonic clock, which nobody sets, has changed.
// (A time server that makes the clock run faster or slower for a while makes both do so.)
//
// Threads: any number.
#ifndef HISTORIAN_SERVER_CLOCK_WATCH_H_
#define HISTORIAN_SERVER_CLOCK_WATCH_H_

#include <cstdint>
#include <optional>

#include "absl/base/thread_annotations.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/model/clock.h"
#include "storage/model/timestamp.h"

namespace historian::server {

class ClockWatch {
 public:
  // A smaller step is none that anybody needs to know of.
  static constexpr absl::Duration kStepMin = absl::Seconds(1);

  struct Step {
    Timestamp from = 0;  // What the clock would say now,
    Timestamp to = 0;    // and what it says.
    absl::Duration by() const { return absl::Nanoseconds(to - from); }
  };

  // The clock must outlive the watch.
  explicit ClockWatch(const Clock& clock) : clock_(clock), distance_(Distance()) {}

  // To be called every second or so. Returns the step that the clock has made since the last call.
  std::optional<Step> Look() ABSL_LOCKS_EXCLUDED(mu_);

  // Since the start.
  uint64_t steps() const ABSL_LOCKS_EXCLUDED(mu_);
  std::optional<Step> last() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::Duration Distance() const;

  const Clock& clock_;
  mutable absl::Mutex mu_;
  absl::Duration distance_ ABSL_GUARDED_BY(mu_);
  uint64_t steps_ ABSL_GUARDED_BY(mu_) = 0;
  std::optional<Step> last_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_CLOCK_WATCH_H_
