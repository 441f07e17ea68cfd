// File: server/call_memory.h
//
// The memory of calls: requests while they are parsed and served, and answers while they are made. It is a share of
// limits.memory_budget. What a call takes is taken here first, and given back with the call.
//
//   CallMemory::Hold hold(memory);
//   RETURN_IF_ERROR(hold.Grow(bytes, "the request"));   // Or the call ends with RESOURCE_EXHAUSTED.
//
// A stream that writes samples cannot be refused for what others take: it waits, and is not read meanwhile. All that
// writes has half of the memory, or one message more than that alone: a disk that holds up writers leaves the other half
// to reads. The last sixteenth is for holds of up to 64 KiB, such as a question for the status. Spares, which are kept for
// whoever has them, have a sixteenth at most, since nothing makes their owners give them back.
//
// Threads: any number; a Hold from one at a time.
#ifndef HISTORIAN_SERVER_CALL_MEMORY_H_
#define HISTORIAN_SERVER_CALL_MEMORY_H_

#include <cstdint>
#include <deque>
#include <functional>
#include <utility>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"

namespace historian::server {

class CallMemory {
 public:
  // Runs what waited, soon and on another thread.
  using Post = std::function<void(absl::AnyInvocable<void()>)>;

  CallMemory(uint64_t limit_bytes, Post post) : limit_bytes_(limit_bytes), post_(std::move(post)) {}

  // What the memory is for.
  enum class Use { kReads, kWrites, kSpares };

  class Hold {
   public:
    explicit Hold(CallMemory& memory, Use use = Use::kReads) : memory_(&memory), use_(use) {}
    Hold(Hold&& other) noexcept
        : memory_(other.memory_), use_(other.use_), bytes_(std::exchange(other.bytes_, 0)) {}
    Hold& operator=(Hold&& other) noexcept {
      Release();
      memory_ = other.memory_;
      use_ = other.use_;
      bytes_ = std::exchange(other.bytes_, 0);
      return *this;
    }
    ~Hold() { Release(); }

    // Takes more. Errors: ResourceExhausted, calls have no more; says for what, how much, and what to do.
    absl::Status Grow(uint64_t bytes, absl::string_view what);
    // The same, if at least half of all memory stays free. For a bound that is far too high, and for spares.
    bool GrowIfPlenty(uint64_t bytes);
    // Gives back all but so much.
    void ShrinkTo(uint64_t bytes);
    // Takes what is there already, so that others are refused sooner.
    void Note(uint64_t bytes);
    void Release();
    uint64_t bytes() const { return bytes_; }

   private:
    friend class CallMemory;
    CallMemory* memory_;
    Use use_;
    uint64_t bytes_ = 0;
  };

  // Takes memory for `hold`, whose owner keeps it until `ready` is called, when those before it have theirs.
  // Errors: ResourceExhausted, it is more than there ever is; `ready` is not called then.
  absl::Status Wait(Hold* hold, uint64_t bytes, absl::string_view what, absl::AnyInvocable<void()> ready)
      ABSL_LOCKS_EXCLUDED(mu_);

  uint64_t used_bytes() const ABSL_LOCKS_EXCLUDED(mu_);
  uint64_t limit_bytes() const { return limit_bytes_; }
  // What one hold may have, if others have nothing but spares.
  uint64_t most_bytes() const { return limit_bytes_ - 2 * (limit_bytes_ / 16); }

 private:
  struct Waiting {
    Hold* hold;
    uint64_t bytes;
    absl::AnyInvocable<void()> ready;
  };

  absl::Status TooLarge(uint64_t bytes, absl::string_view what) const;
  bool HasRoom(const Hold& hold, uint64_t bytes) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void TakeFor(Hold* hold, uint64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void Count(Use use, int64_t bytes) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void GiveBack(Use use, uint64_t bytes) ABSL_LOCKS_EXCLUDED(mu_);
  void LetThrough() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  const uint64_t limit_bytes_;
  const Post post_;

  mutable absl::Mutex mu_;
  uint64_t used_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  // Of used_bytes_.
  uint64_t writes_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  uint64_t spares_bytes_ ABSL_GUARDED_BY(mu_) = 0;
  std::deque<Waiting> waiting_ ABSL_GUARDED_BY(mu_);
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_CALL_MEMORY_H_
