// File: storage/journal/journal.h
//
// What makes an acknowledged write durable. Records are queued from any thread; one thread writes all that is
// queued as one batch, syncs once, and then tells the writers, in order: group commit that adapts by itself,
// as whatever arrives during one sync shares the next.
//
// Bytes: storage/journal/journal.md. A batch is written only after the one before it is synced, so at most
// the last batch can be torn, and none of it was acknowledged: Open drops it. A broken batch with a good one
// behind it is damage; Open reports it and goes on behind it.
//
// Threads: Append from any. `done` callbacks run on the journal's thread, one at a time, in order of
// positions.
#ifndef HISTORIAN_STORAGE_JOURNAL_JOURNAL_H_
#define HISTORIAN_STORAGE_JOURNAL_JOURNAL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "storage/kv/store.h"

namespace historian {

struct JournalReplay {
  uint64_t records = 0;
  uint64_t torn_bytes = 0;  // Of an unacknowledged batch at the end, dropped.
  // Damaged regions [from, to) that were skipped, and what is wrong.
  struct Damage {
    uint64_t from = 0;
    uint64_t to = 0;
  };
  std::vector<Damage> damage;
};

class Journal {
 public:
  // Gives every whole record whose batch begins at or after `from` to `replay`, in order. An error of
  // `replay` ends the opening with it.
  using ReplayRecord = std::function<absl::Status(uint64_t position, absl::string_view record)>;
  // after_commit: called on the journal's thread after the `done`s of each batch that was written, so that
  // who does something with many small records can do it once for all of them. What it refers to must outlive
  // the journal.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(
      kv::Store& store, uint64_t from, const ReplayRecord& replay, JournalReplay* report,
      std::function<void()> after_commit = [] {});
  // Writes what is queued, then stops.
  ~Journal();

  // Position: that of the batch, so several records may share one; the next batch's is higher. A seal may
  // trim below the position of the first batch it does not cover.
  using Done = absl::AnyInvocable<void(absl::StatusOr<uint64_t> position)>;

  // Queues a record of any size above 0. done: ResourceExhausted when there is no room; the record is not in
  // the journal then, and neither is any other of its epoch that was queued behind it: an epoch ends with the
  // first failure, so that what a writer appends in one is there without a hole, or cut off at its end.
  // Unavailable: the epoch has ended.
  void Append(std::string record, uint64_t epoch, Done done);
  uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }

  // Calls `task` on the journal's thread, between batches, with the position of the next batch: everything
  // before it has been given to its `done`, nothing after.
  void AtBoundary(absl::AnyInvocable<void(uint64_t next_position)> task);

  absl::Status Trim(uint64_t position);

  // Reads what is durable now again, from the batch at `from`, as Open does, while it goes on being written.
  // What is trimmed meanwhile is passed over. Damage is reported, a torn end too: there may be none.
  absl::Status Check(uint64_t from, const ReplayRecord& replay, JournalReplay* report);

  uint64_t size_bytes() const { return log_->end() - log_->begin(); }
  uint64_t commits() const { return commits_.load(std::memory_order_relaxed); }

 private:
  struct Entry {
    std::string record;
    uint64_t epoch = 0;
    Done done;
    absl::AnyInvocable<void(uint64_t)> boundary;  // Set: no record, but a task.
  };

  Journal(std::unique_ptr<kv::Log> log, std::function<void()> after_commit)
      : log_(std::move(log)), after_commit_(std::move(after_commit)) {}
  void Run();
  absl::Status CommitBatch(const std::vector<Entry>& entries, size_t begin, size_t end);

  // Constant after construction; synchronises itself.
  const std::unique_ptr<kv::Log> log_;
  const std::function<void()> after_commit_;
  std::thread thread_;

  // Of the journal's thread.
  std::string batch_;

  std::atomic<uint64_t> commits_{0};
  std::atomic<uint64_t> epoch_{1};  // Raised by the journal's thread alone.

  absl::Mutex mu_;
  std::vector<Entry> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_JOURNAL_JOURNAL_H_
