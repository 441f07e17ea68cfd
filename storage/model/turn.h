// File: storage/model/turn.h
//
// One at a time, for work that may take as long as a disk takes. Unlike who waits for a mutex, who waits for a turn can
// be told to give up.
//
//   ASSIGN_OR_RETURN(const Turns::Turn turn, turns_.Take(keep_going));
//   ...                                          // Until the turn is destroyed nobody else has it.
//
// Threads: any number.
#ifndef HISTORIAN_STORAGE_MODEL_TURN_H_
#define HISTORIAN_STORAGE_MODEL_TURN_H_

#include <memory>

#include "absl/base/thread_annotations.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/model/keep_going.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"

namespace historian {

class Turns {
  struct Leave {
    void operator()(Turns* turns) const {
      absl::MutexLock lock(&turns->mu_);
      turns->taken_ = false;
      turns->left_.Signal();
    }
  };

 public:
  using Turn = std::unique_ptr<Turns, Leave>;

  // Waits until it is the caller's turn. Errors: those of keep_going, which is asked while it waits.
  absl::StatusOr<Turn> Take(const KeepGoing& keep_going) ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    while (taken_) {
      left_.WaitFor(&mu_, kLookPeriod);
      if (absl::Status status = GoOn(keep_going); !status.ok()) {
        left_.Signal();  // This one may have been meant for somebody who stays.
        return status;
      }
    }
    taken_ = true;
    return Turn(this);
  }

 private:
  static constexpr absl::Duration kLookPeriod = absl::Milliseconds(20);

  absl::Mutex mu_;
  CondVar left_;
  bool taken_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_TURN_H_
