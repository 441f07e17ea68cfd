// File: storage/platform/eventually.h
//
// For tests: waits for what another thread or process does.
#ifndef HISTORIAN_STORAGE_PLATFORM_EVENTUALLY_H_
#define HISTORIAN_STORAGE_PLATFORM_EVENTUALLY_H_

#include "absl/time/clock.h"
#include "absl/time/time.h"
#include "storage/platform/monotonic.h"

namespace historian {

// Asks condition() again and again until it is true. Returns false if it still is not after half a minute.
template <class Condition>
bool Eventually(Condition condition) {
  const MonotonicTime deadline = MonotonicTime::Now() + absl::Seconds(30);
  while (!condition()) {
    if (MonotonicTime::Now() > deadline) return false;
    absl::SleepFor(absl::Milliseconds(1));
  }
  return true;
}

}  // namespace historian

#endif  // HISTORIAN_STORAGE_PLATFORM_EVENTUALLY_H_
