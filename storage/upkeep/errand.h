// File: storage/upkeep/errand.h
//
// Something that callers ask of a thread and wait for: who asks while it is being done waits for the next
// time, and all who asked before it began get the same answer. Who gives up waiting takes nothing back.
#ifndef HISTORIAN_STORAGE_UPKEEP_ERRAND_H_
#define HISTORIAN_STORAGE_UPKEEP_ERRAND_H_

#include <cstdint>
#include <utility>

#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/model/keep_going.h"
#include "storage/platform/monotonic.h"

namespace historian {

// Guarded by a mutex of its owner, which every call requires held.
template <typename T>
class Errand {
 public:
  // For callers: lets go of *mu while it waits. `wake` is what the thread waits on. Errors: also those of keep_going, which
  // is asked meanwhile.
  absl::StatusOr<T> Ask(absl::Mutex* mu, CondVar* wake, const KeepGoing& keep_going) {
    const uint64_t mine = ++asked_;
    wake->SignalAll();
    while (answered_ < mine) {
      answer_came_.WaitFor(mu, kLookPeriod);
      if (answered_ >= mine) break;
      if (absl::Status status = GoOn(keep_going); !status.ok()) return status;
    }
    return answer_;
  }

  // For the thread: whether somebody waits; what begins now answers all who asked so far.
  bool is_asked() const { return asked_ != answered_; }
  uint64_t Begin() const { return asked_; }
  void Answer(uint64_t begun, absl::StatusOr<T> answer) {
    answer_ = std::move(answer);
    answered_ = begun;
    answer_came_.SignalAll();
  }

 private:
  static constexpr absl::Duration kLookPeriod = absl::Milliseconds(20);

  CondVar answer_came_;
  uint64_t asked_ = 0;
  uint64_t answered_ = 0;
  absl::StatusOr<T> answer_ = absl::UnknownError("not done yet");
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_UPKEEP_ERRAND_H_
