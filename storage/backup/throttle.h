// File: storage/backup/throttle.h
//
// Keeps the bytes of a copy to a rate, on the monotonic clock: over any second no more go through than the rate, and what a
// tenth of a second has.
#ifndef HISTORIAN_STORAGE_BACKUP_THROTTLE_H_
#define HISTORIAN_STORAGE_BACKUP_THROTTLE_H_

#include <cstdint>

#include "absl/status/status.h"
#include "storage/model/keep_going.h"
#include "storage/platform/monotonic.h"

namespace historian::backup {

// Threads: one.
class Throttle {
 public:
  explicit Throttle(uint64_t bytes_per_second) : bytes_per_second_(bytes_per_second) {}  // 0: no limit.

  // Waits until so many bytes may go. Errors: those of keep_going, which is asked at least every 20 ms.
  absl::Status Take(uint64_t bytes, const KeepGoing& keep_going);

 private:
  const uint64_t bytes_per_second_;
  MonotonicTime free_at_ = MonotonicTime::InfinitePast();  // When what was taken has gone at the rate.
};

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_THROTTLE_H_
