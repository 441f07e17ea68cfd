// File: storage/model/clock.h
//
// Time as a parameter, so that a test lives through a year in a millisecond.
#ifndef HISTORIAN_STORAGE_MODEL_CLOCK_H_
#define HISTORIAN_STORAGE_MODEL_CLOCK_H_

#include <atomic>

#include "storage/model/timestamp.h"

namespace historian {

// Threads: any number.
class Clock {
 public:
  virtual ~Clock() = default;
  virtual Timestamp Now() const = 0;

  // The machine's clock.
  static const Clock& System();
};

// Stands still until told to move.
class SimulatedClock : public Clock {
 public:
  explicit SimulatedClock(Timestamp now) : now_(now) {}
  Timestamp Now() const override { return now_.load(std::memory_order_relaxed); }
  void Set(Timestamp now) { now_.store(now, std::memory_order_relaxed); }
  void Advance(int64_t nanos) { now_.fetch_add(nanos, std::memory_order_relaxed); }

 private:
  std::atomic<Timestamp> now_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_CLOCK_H_
