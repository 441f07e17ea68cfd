// File: storage/write/write_path.h
//
// The way of a frame from its producer to its tails:
//
//   Write      on the producer's thread: checked, encoded
//   gate       at once, or when there is memory: given to the journal
//   journal    on its thread: several frames are written and synced together
//   shards     each on its thread: samples are added to their tails
//   done       in order of the journal, on the thread of the shard that was last
//
// and the way back from the journal after a restart.
//
// Threads: any number. Nothing waits in a call. What has to wait (a frame for memory, an opening for the frames
// of an earlier handle) goes on on the write path's own thread.
#ifndef HISTORIAN_STORAGE_WRITE_WRITE_PATH_H_
#define HISTORIAN_STORAGE_WRITE_WRITE_PATH_H_

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
#include "absl/time/time.h"
#include "boost/asio/executor_work_guard.hpp"
#include "boost/asio/io_context.hpp"
#include "storage/journal/journal.h"
#include "storage/kv/store.h"
#include "storage/model/clock.h"
#include "storage/model/definition_memory.h"
#include "storage/model/frame.h"
#include "storage/platform/monotonic.h"
#include "storage/sealed/retention.h"
#include "storage/tags/tag_registry.h"
#include "storage/tail/shard.h"
#include "storage/versions/closed_version.h"
#include "storage/versions/version_table.h"
#include "storage/write/completions.h"
#include "storage/write/encode_hints.h"
#include "storage/write/memory_gate.h"
#include "storage/write/producers.h"
#include "storage/write/time_limits.h"
#include "storage/write/write_filter.h"
#include "storage/write/write_result.h"

namespace historian {

struct WriteOptions {
  MemoryGate::Limits memory;
  ProducerLimits producers;
};

class WritePath {
 public:
  // What it works with. All of it must outlive the write path.
  struct Parts {
    kv::Store& store;
    const WriteOptions options;
    const MemoryGate::LookAtTails look_at_tails;
    const Clock& clock;
    const TagRegistry& tags;
    const Retention& retention;
    const TimeLimits& time_limits;
    std::function<Timestamp()> retention_now;  // What retention takes for now.
    VersionTable& versions;
    DefinitionMemory& definitions;
    const std::vector<std::unique_ptr<Shard>>& shards;
  };
  struct Stats {
    uint64_t samples_stored = 0;
    uint64_t samples_rejected = 0;
    uint64_t frames_stored = 0;
    uint64_t frames_repeated = 0;     // Those of the next two are in it.
    uint64_t frames_conflicting = 0;  // That said something else than the stored frame of their number.
    uint64_t frames_unchecked =
        0;  // Of which it is not known: they are older than the checksums that are kept.
    uint64_t producers = 0;
    uint64_t in_flight_bytes = 0;
    absl::Status ingest;        // Not OK: why writes are refused, or wait for a disk that hangs.
    uint64_t failures = 0;      // How often the journal became one that cannot be written,
    absl::Status last_failure;  // and why the last time.
  };

  explicit WritePath(const Parts& parts);
  ~WritePath() { Close(); }

  // Frames that were journaled, and are not in the journal.
  struct MissingFrames {
    std::string producer;
    uint64_t first = 0;
    uint64_t last = 0;
  };
  struct Recovered {
    absl::Status producers;  // DataLoss: the records of some are damaged, which are not known therefore.
    JournalReplay journal;
    // As far as it is known, where the journal is damaged: the first kMissingListedMax.
    std::vector<MissingFrames> missing;
  };
  static constexpr size_t kMissingListedMax = 20;

  // Before anything else: reads the producers of the last checkpoint and adds to the tails what the journal
  // has from `position` on (Journal::Open).
  absl::Status Open(std::optional<uint64_t> position, Recovered* recovered);
  // What comes now is refused, and so is what waits.
  void Refuse() ABSL_LOCKS_EXCLUDED(mu_);
  // Refuses, writes what is queued and hands it to the shards, which finish it when they stop.
  void Close() ABSL_LOCKS_EXCLUDED(mu_);

  // See Archive.
  void OpenProducer(absl::string_view name, OpenDone done) { producers_.Open(name, std::move(done)); }
  uint64_t DurableSequence(absl::string_view producer) { return producers_.Durable(producer); }
  void ResetProducer(absl::string_view name, ResetDone done);
  void Write(const std::shared_ptr<Producer>& producer, Frame frame, WriteDone done,
             WriteTaken taken = nullptr, const WriteFilter* filter = nullptr) ABSL_LOCKS_EXCLUDED(mu_);

  // Closes the open version, and waits until that is durable and everything stated in it is visible. Changes of definitions
  // that have begun become durable first, others wait for the mark. Errors: those of the journal; the version stays open
  // then. Threads: any but those of the journal and the shards.
  // at_boundary: called on the journal's thread when the version has closed there, between it and the next one, with the
  // position of the next batch; may be null. What it posts to the shards comes behind all of the version and before all else.
  absl::StatusOr<ClosedVersion> CloseVersion(VersionCause cause, absl::string_view author,
                                             absl::string_view comment,
                                             Journal::Boundary at_boundary = nullptr)
      ABSL_LOCKS_EXCLUDED(mu_);
  // When a version last closed; the infinite past when that was before the start.
  MonotonicTime last_closed() const ABSL_LOCKS_EXCLUDED(mu_);
  // Whether anything has become durable since the last version closed.
  bool has_arrived() const { return has_arrived_.load(std::memory_order_acquire); }

  // Not OK: the disk's reserve is reached, and writes are refused with this until it is OK again.
  void SetRoom(absl::Status room) ABSL_LOCKS_EXCLUDED(mu_);
  // Since when there are samples that no seal has seen; the infinite future when there are no such samples.
  MonotonicTime dirty_since() const ABSL_LOCKS_EXCLUDED(mu_);
  // A seal has written down everything from before `cut`.
  void NoteSealed(MonotonicTime cut) ABSL_LOCKS_EXCLUDED(mu_);

  // The newest time of the samples received since the start; the lowest Timestamp when there are none.
  Timestamp newest_received() const { return newest_received_.load(std::memory_order_relaxed); }

  Journal& journal() { return *journal_; }
  Producers& producers() { return producers_; }
  Stats GetStats() const ABSL_LOCKS_EXCLUDED(mu_);

 private:
  // A frame on its way through the journal and the shards.
  struct Applying {
    Frame frame;
    WriteResult result;
    std::shared_ptr<const Producer> producer;
    uint32_t checksum = 0;
    size_t bytes = 0;
    WriteDone done;
  };
  // Frames that go through the shards as one: large ones alone, small ones of one commit together.
  struct Together {
    std::vector<std::unique_ptr<Applying>> frames;
    uint64_t samples = 0;
    uint64_t ticket = 0;
    Version closes = 0;                // The version that closes with these; 0: no version does.
    absl::AnyInvocable<void()> after;  // Called at the end; may be null.
    std::atomic<int> shards_left{0};
  };

  void NoteReceived(const Frame& frame);
  // The answer to a frame whose number is stored already.
  absl::StatusOr<WriteResult> Repeat(const Producer& producer, Frame frame);
  // OK unless nothing is taken at present.
  absl::Status CheckOpen() const ABSL_LOCKS_EXCLUDED(mu_);
  // It has its memory: gives it to the journal.
  void SendOff(std::unique_ptr<Applying> applying, std::string record) ABSL_LOCKS_EXCLUDED(mu_);
  // On the journal's thread, in its order.
  void OnJournaled(std::unique_ptr<Applying> applying, const absl::Status& journaled);
  // Refuses writes for a while if the journal could not be written.
  void NoteFailure(const absl::Status& journaled) ABSL_LOCKS_EXCLUDED(mu_);
  void OnVersionJournaled(const ClosedVersion& closed, absl::AnyInvocable<void()> done);
  void AfterCommit();
  void ApplyJournaled();
  void Apply(std::shared_ptr<Together> together);
  void Finish(const std::shared_ptr<Together>& together, const absl::Status& status);

  const Parts parts_;
  // The write path's own thread, until Close.
  boost::asio::io_context io_{1};
  boost::asio::executor_work_guard<boost::asio::io_context::executor_type> work_;
  std::thread thread_;

  std::unique_ptr<Journal> journal_;     // Constant from Open to Close.
  std::shared_ptr<Together> journaled_;  // Of the journal's thread: not given to the shards yet; may be null.

  // Synchronise themselves.
  MemoryGate gate_;
  Producers producers_;
  Completions completions_;
  EncodeHints hints_;
  std::atomic<uint64_t> samples_stored_{0}, samples_rejected_{0}, frames_stored_{0}, frames_repeated_{0};
  std::atomic<uint64_t> frames_conflicting_{0}, frames_unchecked_{0};

  std::atomic<Timestamp> newest_received_{INT64_MIN};
  std::atomic<bool> has_arrived_{false};  // Set and cleared in the journal's order.

  mutable absl::Mutex mu_;
  bool refusing_ ABSL_GUARDED_BY(mu_) = false;
  absl::Status no_room_ ABSL_GUARDED_BY(mu_);
  // Not OK: the journal could not be written. Tried again after retry_at_, and forgotten when a write
  // succeeds.
  absl::Status failure_ ABSL_GUARDED_BY(mu_);
  uint64_t failures_ ABSL_GUARDED_BY(mu_) = 0;  // How often it became so, and why the last time.
  absl::Status last_failure_ ABSL_GUARDED_BY(mu_);
  MonotonicTime retry_at_ ABSL_GUARDED_BY(mu_) = MonotonicTime::InfinitePast();
  MonotonicTime dirty_since_ ABSL_GUARDED_BY(mu_) = MonotonicTime::InfiniteFuture();
  MonotonicTime last_closed_ ABSL_GUARDED_BY(mu_) = MonotonicTime::InfinitePast();
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_WRITE_WRITE_PATH_H_
