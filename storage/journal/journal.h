// File: storage/journal/journal.h
//
// What makes an acknowledged write durable. Records are queued from any thread; one thread writes all that is
// queued as one batch, syncs once, and then tells the writers, in order: group commit that adapts by itself,
// as whatever arrives during one sync shares the next.
//
// Bytes: storage/journal/journal.md. A batch is written only after the one before it is synced, so at most
// the last batch can be torn, and none of it was acknowledged: Open drops it. A broken batch with a good one
// behind it is damage; Open reports it and goes on behind it. So are a beginning that is missing, and an end that was
// synced (kv::Log::synced_end) or is longer than a batch.
//
// Threads: Append from any. `done` callbacks run on the journal's thread, one at a time, in order of
// positions.
#ifndef HISTORIAN_STORAGE_JOURNAL_JOURNAL_H_
#define HISTORIAN_STORAGE_JOURNAL_JOURNAL_H_

#include <atomic>
#include <cstdint>
#include <functional>
#include <memory>
#include <optional>
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
#include "storage/platform/monotonic.h"

namespace historian {

struct JournalReplay {
  uint64_t records = 0;
  // Of a batch at the end that was cut off; 0: there is none. It was not acknowledged, unless damage says so.
  uint64_t torn_bytes = 0;
  uint64_t torn_position = 0;
  // A damaged or missing region [from, to), which was skipped. All or some of its bytes had been acknowledged.
  struct Damage {
    uint64_t from = 0;
    uint64_t to = 0;
  };
  std::vector<Damage> damage;  // In order of positions.
};

class Journal {
 public:
  // Receives a record and the position of its batch. An error ends the replay.
  using ReplayRecord = std::function<absl::Status(uint64_t position, absl::string_view record)>;
  // Opens the journal and gives every whole record whose batch begins at or after `from` to `replay`, in
  // order. Without `from`, where the last seal cut is not known: every whole record. When the store refuses changes the
  // journal is only read: its torn end stays, and Append must not be called.
  //
  // after_commit is called on the journal's thread after the `done`s of each batch that was written, so that
  // work for many small records can be done once for all of them. What it refers to must outlive the
  // journal.
  //
  // Errors: those of `replay` and of the store. DataLoss, the journal ends before `from`, and the store takes changes.
  static absl::StatusOr<std::unique_ptr<Journal>> Open(
      kv::Store& store, std::optional<uint64_t> from, const ReplayRecord& replay, JournalReplay* report,
      std::function<void()> after_commit = [] {});
  // Writes what is queued, then stops.
  ~Journal();

  // Receives the position of the record's batch. Records of one batch share it; the next batch's is higher. A
  // seal may trim below the position of the first batch that it does not cover.
  using Done = absl::AnyInvocable<void(absl::StatusOr<uint64_t> position)>;
  using Boundary = absl::AnyInvocable<void(uint64_t next_position)>;

  // Queues a record of any size above 0. An epoch ends with the first failure: neither the record that failed
  // nor any of the epoch behind it is in the journal. So what a writer appends in one epoch is there without
  // a hole, or cut off at its end.
  // Errors, given to `done`: ResourceExhausted, there is no room. Aborted, the epoch has ended.
  void Append(std::string record, uint64_t epoch, Done done) {
    Append(std::move(record), epoch, std::move(done), nullptr);
  }
  // With `behind`, the record ends its batch, and when it is durable `behind` is called as by AtBoundary, with nothing
  // between them. After an error it is not called.
  void Append(std::string record, uint64_t epoch, Done done, Boundary behind);
  uint64_t epoch() const { return epoch_.load(std::memory_order_acquire); }

  // Calls `task` on the journal's thread, between batches, with the position of the next batch. The `done`s
  // of everything before that position have been called, and none after it.
  void AtBoundary(Boundary task);

  absl::Status Trim(uint64_t position);

  // Reads again what is durable now, from the batch at `from`, as Open does, while the journal goes on being
  // written. Skips what is trimmed meanwhile. Reports damage, and a torn end as damage, as an open journal
  // has no torn end. Of what was missing at Open at the beginning or the end it reports what no seal has passed since.
  absl::Status Check(uint64_t from, const ReplayRecord& replay, JournalReplay* report);

  uint64_t size_bytes() const { return log_->end() - log_->begin(); }
  uint64_t commits() const { return commits_.load(std::memory_order_relaxed); }
  // For how long the disk has been writing what it was given last; zero or less when it has written everything.
  absl::Duration CommittingFor() const ABSL_LOCKS_EXCLUDED(mu_) {
    absl::MutexLock lock(&mu_);
    return MonotonicTime::Now() - committing_since_;
  }

 private:
  struct Entry {
    std::string record;  // Empty: only `boundary` is to be called.
    uint64_t epoch = 0;
    Done done;
    Boundary boundary;  // Behind the record; may be null.
  };

  Journal(std::unique_ptr<kv::Log> log, std::function<void()> after_commit)
      : log_(std::move(log)), after_commit_(std::move(after_commit)) {}
  void Run();
  void NoteCommitting(MonotonicTime since) ABSL_LOCKS_EXCLUDED(mu_);
  absl::Status CommitBatch(const std::vector<Entry>& entries, size_t begin, size_t end);

  // Constant after construction; synchronises itself.
  const std::unique_ptr<kv::Log> log_;
  const std::function<void()> after_commit_;
  std::thread thread_;

  // As found at Open.
  std::vector<JournalReplay::Damage> missing_;
  std::optional<uint64_t>
      read_only_end_;  // Behind the last whole batch, where the torn end could not be cut off.

  // Used by the journal's thread only.
  std::string batch_;

  std::atomic<uint64_t> commits_{0};
  std::atomic<uint64_t> epoch_{1};  // Raised only by the journal's thread.

  mutable absl::Mutex mu_;
  MonotonicTime committing_since_ ABSL_GUARDED_BY(mu_) = MonotonicTime::InfiniteFuture();
  std::vector<Entry> queue_ ABSL_GUARDED_BY(mu_);
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_JOURNAL_JOURNAL_H_
