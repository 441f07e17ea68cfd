// File: storage/write/memory_gate.h
//
// Lets frames in while there is memory for them, in the order in which they come.
//
//   frames   the gate counts their bytes, from Take or Wait to Release
//   tails    somebody else counts them: Look tells the gate that they may have shrunk
//
// A frame is let in while both are below their limits, so the frames may be above theirs by one frame.
// Nothing waits in a call: what waits is a callback.
//
// Threads: any number. Callbacks run on the thread of `io`, never within a call.
#ifndef HISTORIAN_STORAGE_WRITE_MEMORY_GATE_H_
#define HISTORIAN_STORAGE_WRITE_MEMORY_GATE_H_

#include <cstdint>
#include <deque>
#include <functional>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "boost/asio/io_context.hpp"
#include "boost/asio/steady_timer.hpp"
#include "storage/platform/monotonic.h"

namespace historian {

class MemoryGate {
 public:
  struct Limits {
    uint64_t frame_bytes = 0;
    uint64_t budget_bytes = 0;  // Of which these are shares: for messages.
    absl::Duration wait_max = absl::Seconds(10);
  };
  // OK: the frame has its memory. Else why it was refused.
  using LetIn = absl::AnyInvocable<void(absl::Status)>;

  // What the tails hold, and may hold, at this moment.
  struct Tails {
    uint64_t bytes = 0;
    uint64_t limit_bytes = 0;
  };
  using LookAtTails = std::function<Tails()>;

  // `tails` is called under the gate's mutex, and must be quick.
  MemoryGate(boost::asio::io_context& io, const Limits& limits, LookAtTails tails);

  // Takes memory for a frame at once.
  // Errors: ResourceExhausted, there is no memory left, or others wait for it; names the budget. Close's status.
  absl::Status Take(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  // Takes memory for a frame when those before it have theirs. Calls `let_in` once, with the errors of Take
  // after wait_max, and with those of RefuseWaiting and Close.
  void Wait(uint64_t bytes, LetIn let_in) ABSL_LOCKS_EXCLUDED(mu_);
  // Gives back what one frame took.
  void Release(uint64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  // To be called when tails have become smaller.
  void Look() ABSL_LOCKS_EXCLUDED(mu_);

  // Refuses those that wait now.
  void RefuseWaiting(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);
  // Refuses those that wait now and all that come.
  void Close(const absl::Status& why) ABSL_LOCKS_EXCLUDED(mu_);

  uint64_t frame_bytes() const ABSL_LOCKS_EXCLUDED(mu_);  // Taken.

 private:
  struct Waiting {
    uint64_t bytes = 0;
    MonotonicTime deadline;
    LetIn let_in;
  };

  bool HasRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  absl::Status NoRoom() const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void LetThrough() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // Answers the first that waits, on the thread of io_.
  void AnswerFirst(absl::Status status) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The timer goes off when the first has waited long enough. It is set while one waits.
  void SetTimer() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void OnTimer() ABSL_LOCKS_EXCLUDED(mu_);

  boost::asio::io_context& io_;
  const Limits limits_;
  const LookAtTails tails_;

  mutable absl::Mutex mu_;
  absl::Status closed_ ABSL_GUARDED_BY(mu_);
  uint64_t frame_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mu_);  // In the order of their deadlines.
  boost::asio::steady_timer timer_ ABSL_GUARDED_BY(mu_);
  bool timer_set_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_MEMORY_GATE_H_
