// File: storage/write/completions.h
//
// Runs callbacks in the order of their tickets, whatever order the work behind them finishes in.
//
// Threads: any number. A callback runs on the thread of one of the calls to Complete, one at a time.
#ifndef HISTORIAN_STORAGE_WRITE_COMPLETIONS_H_
#define HISTORIAN_STORAGE_WRITE_COMPLETIONS_H_

#include <cstdint>
#include <deque>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/synchronization/mutex.h"

namespace historian {

class Completions {
 public:
  using Callback = absl::AnyInvocable<void()>;

  // The place of the next piece of work in the order.
  uint64_t NextTicket() ABSL_LOCKS_EXCLUDED(mu_);
  // Once for each ticket.
  void Complete(uint64_t ticket, Callback callback) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  absl::Mutex mu_;
  std::deque<Callback> waiting_ ABSL_GUARDED_BY(mu_);  // [ticket - first_]; null: not complete yet.
  uint64_t first_ ABSL_GUARDED_BY(mu_) = 0;
  bool running_ ABSL_GUARDED_BY(mu_) = false;  // Some thread is at it.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_COMPLETIONS_H_
