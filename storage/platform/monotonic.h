// File: storage/platform/monotonic.h
//
// Time that passes, whatever the machine's clock says.
//
// Every duration, deadline and wait uses these types, so that a clock that is set stops nothing and hurries nothing.
// The machine's clock (storage/model/clock.h, absl::Time) is for timestamps, for retention and for what people are
// shown. The compiler keeps the two apart: a MonotonicTime neither becomes an absl::Time nor is made of one.
//
// Why not absl::Mutex::AwaitWithTimeout and absl::CondVar::WaitWithTimeout: in Abseil 20220623 both wait until a time of
// the machine's clock, so a clock that is set back by a day makes them wait a day longer.
#ifndef HISTORIAN_STORAGE_PLATFORM_MONOTONIC_H_
#define HISTORIAN_STORAGE_PLATFORM_MONOTONIC_H_

#include <algorithm>
#include <chrono>
#include <condition_variable>

#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"

namespace historian {

// A moment of CLOCK_MONOTONIC, which counts from the machine's start. It means nothing to another machine, or after a
// restart of this one. A default one is in the infinite past.
class MonotonicTime {
 public:
  constexpr MonotonicTime() = default;

  static MonotonicTime Now() {
    return MonotonicTime(absl::FromChrono(std::chrono::steady_clock::now().time_since_epoch()));
  }
  static constexpr MonotonicTime InfinitePast() { return {}; }
  static constexpr MonotonicTime InfiniteFuture() { return MonotonicTime(absl::InfiniteDuration()); }
  // For a clock that a test moves.
  static constexpr MonotonicTime FromStart(absl::Duration since_start) { return MonotonicTime(since_start); }

  friend constexpr bool operator==(MonotonicTime a, MonotonicTime b) {
    return a.since_start_ == b.since_start_;
  }
  friend constexpr bool operator!=(MonotonicTime a, MonotonicTime b) { return !(a == b); }
  friend constexpr bool operator<(MonotonicTime a, MonotonicTime b) {
    return a.since_start_ < b.since_start_;
  }
  friend constexpr bool operator>(MonotonicTime a, MonotonicTime b) { return b < a; }
  friend constexpr bool operator<=(MonotonicTime a, MonotonicTime b) { return !(b < a); }
  friend constexpr bool operator>=(MonotonicTime a, MonotonicTime b) { return !(a < b); }

  friend absl::Duration operator-(MonotonicTime a, MonotonicTime b) {
    return a.since_start_ - b.since_start_;
  }
  friend MonotonicTime operator+(MonotonicTime a, absl::Duration b) {
    return MonotonicTime(a.since_start_ + b);
  }
  friend MonotonicTime operator-(MonotonicTime a, absl::Duration b) {
    return MonotonicTime(a.since_start_ - b);
  }

 private:
  explicit constexpr MonotonicTime(absl::Duration since_start) : since_start_(since_start) {}

  absl::Duration since_start_ = -absl::InfiniteDuration();
};

// absl::CondVar, but its timeouts are of monotonic time. Threads: any number.
class CondVar {
 public:
  CondVar() = default;
  CondVar(const CondVar&) = delete;
  CondVar& operator=(const CondVar&) = delete;

  // Lets go of *mu, which the caller holds, while it waits. May return without a signal.
  void Wait(absl::Mutex* mu) {
    Lock lock{mu};
    changed_.wait(lock);
  }
  // Returns true when the time is over.
  bool WaitFor(absl::Mutex* mu, absl::Duration timeout) {
    // No wait is longer than the longest that the system's call can express; it counts as one without a signal.
    constexpr absl::Duration kLongest = absl::Hours(24 * 365);
    Lock lock{mu};
    return changed_.wait_for(lock, absl::ToChronoNanoseconds(std::min(timeout, kLongest))) ==
               std::cv_status::timeout &&
           timeout <= kLongest;
  }
  bool WaitUntil(absl::Mutex* mu, MonotonicTime deadline) {
    return WaitFor(mu, deadline - MonotonicTime::Now());
  }
  // Waits until `condition`, which is looked at with *mu held and whose changes are signalled, or until the time is
  // over. Returns what `condition` returned last.
  template <class Condition>
  bool AwaitFor(absl::Mutex* mu, absl::Duration timeout, Condition condition) {
    const MonotonicTime deadline = MonotonicTime::Now() + timeout;
    while (!condition()) {
      if (WaitUntil(mu, deadline)) return condition();
    }
    return true;
  }

  void Signal() { changed_.notify_one(); }
  void SignalAll() { changed_.notify_all(); }

 private:
  // An absl::Mutex, as the standard library calls it.
  struct Lock {
    void lock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mu->Lock(); }
    void unlock() ABSL_NO_THREAD_SAFETY_ANALYSIS { mu->Unlock(); }
    absl::Mutex* const mu;
  };

  std::condition_variable_any changed_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_PLATFORM_MONOTONIC_H_
