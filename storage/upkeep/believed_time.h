// File: storage/upkeep/believed_time.h
//
// What time retention goes by.
//
// What has expired does not come back, so nothing expires because the machine's clock says that years have passed. The
// believed time is at most what the clock says, and it rises only with a witness:
//
//   the server ran   as much as the monotonic clock says has passed
//   samples came     to the newest time of a sample received since the start
//   a person         whose own clock says the same (Vouch)
//
// It falls with the clock at once, because a clock that was ahead is no witness. It is kept in the store, so that it
// does not begin anew with each start.
//
// A clock and a collector may be wrong together. So a leap (samples that carry the believed time forward by more than
// kLeap) is given kThinkOver before retention acts on it: somebody has that long to see it in the log and in the status.
//
// Threads: any number.
#ifndef HISTORIAN_STORAGE_UPKEEP_BELIEVED_TIME_H_
#define HISTORIAN_STORAGE_UPKEEP_BELIEVED_TIME_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/kv/store.h"
#include "storage/model/clock.h"
#include "storage/model/timestamp.h"
#include "storage/platform/monotonic.h"

namespace historian {

class BelievedTime {
 public:
  static constexpr absl::Duration kLeap = absl::Hours(1);
  static constexpr absl::Duration kThinkOver = absl::Hours(24);

  struct State {
    Timestamp time = 0;   // What is believed.
    Timestamp clock = 0;  // What the clock says.
    // How long retention waits after a leap; zero: it need not.
    absl::Duration wait = absl::ZeroDuration();

    absl::Duration behind() const { return absl::Nanoseconds(clock - time); }
  };

  // Begins with what the store has; `known`, when it has nothing: the newest time that the archive notes itself. The
  // store and the clock must outlive it.
  // Errors: those of the store. DataLoss, the record is damaged, goes to *damage, and it begins as if the store had
  // nothing. Null: it is an error.
  static absl::StatusOr<std::unique_ptr<BelievedTime>> Open(kv::Store& store, const Clock& clock,
                                                            Timestamp known, absl::Status* damage = nullptr);

  // Looks at the clocks. `newest_received` is the newest time of the samples received since the start; the lowest
  // Timestamp when there are none.
  State Look(Timestamp newest_received) ABSL_LOCKS_EXCLUDED(mu_);
  // As of the last look.
  State Get() const ABSL_LOCKS_EXCLUDED(mu_);

  // Believes the clock, because a person's clock says `witness`.
  // Errors: InvalidArgument, the two differ by more than kLeap.
  absl::Status Vouch(Timestamp witness) ABSL_LOCKS_EXCLUDED(mu_);
  // Vouch would be OK.
  absl::Status Check(Timestamp witness) const;

  // Writes it down if it has changed by much since it was written, or at all with `now`. Waits for the disk.
  absl::Status Keep(bool now) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  BelievedTime(kv::Store& store, const Clock& clock, Timestamp time);
  State StateLocked() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  kv::Store& store_;
  const Clock& clock_;

  mutable absl::Mutex mu_;
  Timestamp time_ ABSL_GUARDED_BY(mu_);
  Timestamp kept_ ABSL_GUARDED_BY(mu_);
  MonotonicTime looked_ ABSL_GUARDED_BY(mu_);
  MonotonicTime leapt_ ABSL_GUARDED_BY(mu_) = MonotonicTime::InfinitePast();
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UPKEEP_BELIEVED_TIME_H_
