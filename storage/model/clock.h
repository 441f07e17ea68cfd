// File: storage/model/clock.h
//
// Time as a parameter, so that a test lives through a year in a millisecond.
//
// Two clocks: the machine's, which people and time servers set, forwards and backwards, and which may be wrong by years;
// and the monotonic one, which only says how much time has passed (storage/platform/monotonic.h).
#ifndef HISTORIAN_STORAGE_MODEL_CLOCK_H_
#define HISTORIAN_STORAGE_MODEL_CLOCK_H_

#include <atomic>

#include "absl/time/time.h"
#include "storage/model/timestamp.h"
#include "storage/platform/monotonic.h"

namespace historian {

// Threads: any number.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp Now() const = 0;
  virtual MonotonicTime Monotonic() const = 0;

  // The machine's clock.
  static const Clock& System();
};

// Stands still until told to move. Set is somebody who sets the machine's clock; Advance is time that passes.
class SimulatedClock : public Clock {
 public:
  explicit SimulatedClock(Timestamp now) : now_(now) {}
  Timestamp Now() const override { return now_.load(std::memory_order_relaxed); }
  MonotonicTime Monotonic() const override {
    return MonotonicTime::FromStart(absl::Nanoseconds(passed_.load(std::memory_order_relaxed)));
  }
  void Set(Timestamp now) { now_.store(now, std::memory_order_relaxed); }
  void Advance(int64_t nanos) {
    now_.fetch_add(nanos, std::memory_order_relaxed);
    passed_.fetch_add(nanos, std::memory_order_relaxed);
  }

 private:
  std::atomic<Timestamp> now_;
  std::atomic<int64_t> passed_{0};
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_CLOCK_H_
