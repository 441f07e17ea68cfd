// File: storage/archive/archive.h
//
// The archive: everything stored, and the engine that stores it. One object, one store beneath.
//
//   Write -> validate -> journal (group commit, fdatasync) -> tail of the tag -> acknowledge
//                                                              |
//                                     seal: tails become blocks, ingested as sorted runs; the journal is
//                                     trimmed
//
// Readers merge blocks and tails; of several samples at one time the last written is the one they see.
//
//   auto archive = Archive::Open(std::move(store), ArchiveOptions(), Clock::System());
//   auto tags = (*archive)->tags().Create({tag});
//   auto producer = (*archive)->OpenProducer("gateway-7");
//   (*archive)->Write(*producer, frame, [](absl::StatusOr<WriteResult> result) { ... });
//   auto reader = (*archive)->ReadRaw({.tag = id, .start = a, .end = b});
//
// Threads: everything from any thread, but the calls on one producer from one at a time.
// Errors: see each call. NotFound: no such tag. DataLoss: stored bytes failed their checksum; names tag and
// time.
#ifndef HISTORIAN_STORAGE_ARCHIVE_ARCHIVE_H_
#define HISTORIAN_STORAGE_ARCHIVE_ARCHIVE_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/notification.h"
#include "absl/types/span.h"
#include "storage/archive/options.h"
#include "storage/archive/stats.h"
#include "storage/format/key.h"
#include "storage/kv/store.h"
#include "storage/model/clock.h"
#include "storage/model/frame.h"
#include "storage/model/keep_going.h"
#include "storage/model/latest_sample.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "storage/read/fold_reader.h"
#include "storage/read/joined_reader.h"
#include "storage/read/requests.h"
#include "storage/sealed/retention.h"
#include "storage/tags/tag_registry.h"
#include "storage/upkeep/upkeep.h"
#include "storage/versions/closed_version.h"
#include "storage/versions/version_table.h"
#include "storage/write/write_filter.h"
#include "storage/write/write_result.h"

namespace historian {

class Archive {
 public:
  // Opens what the store holds, replays its journal, and begins a new archive in an empty store. The clock
  // must outlive it. What is damaged is left out: Stats().damage says what, and reads that it concerns end with DataLoss. If
  // records are damaged beside samples, or the store takes no changes, the archive is open for reading only
  // (Stats().read_only). FailedPrecondition: written by a newer version. DataLoss: not even the journal can be read.
  static absl::StatusOr<std::unique_ptr<Archive>> Open(std::unique_ptr<kv::Store> store,
                                                       const ArchiveOptions& options, const Clock& clock);
  // Finishes queued writes, and closes without sealing (the journal keeps what is open).
  virtual ~Archive() = default;

  // ---- Rooms of their own

  virtual TagRegistry& tags() = 0;
  // Rules and legal holds. The archive applies them every ArchiveOptions::retention_period.
  virtual Retention& retention() = 0;
  virtual Upkeep& upkeep() = 0;

  // ---- Writing

  // Makes a handle for a producer (1 to 128 bytes of UTF-8). Earlier handles of the name are fenced off at
  // once: their writes give Aborted. `done` is given the handle when the frames that they have under way are
  // settled. Returns at once, and never calls `done` itself.
  // Errors: InvalidArgument, the name. Aborted, opened again meanwhile. Unavailable, closing. ResourceExhausted, the name is
  // new and there are ArchiveOptions::producers_max, or there is no memory for it.
  virtual void OpenProducer(absl::string_view name, OpenDone done) = 0;
  // The same, and waits for it. Not for a thread that calls back.
  absl::StatusOr<std::shared_ptr<Producer>> OpenProducer(absl::string_view name) {
    absl::StatusOr<std::shared_ptr<Producer>> producer;
    absl::Notification opened;
    OpenProducer(name, [&](absl::StatusOr<std::shared_ptr<Producer>> result) {
      producer = std::move(result);
      opened.Notify();
    });
    opened.WaitForNotification();
    return producer;
  }
  // The number of its last durable frame; 0 when it was never heard of.
  virtual uint64_t DurableSequence(absl::string_view producer) = 0;
  // Those that have written, with names behind `after`, in order, at most `limit`; and one of them.
  virtual std::vector<ProducerInfo> ListProducers(absl::string_view after, size_t limit) = 0;
  virtual std::optional<ProducerInfo> FindProducer(absl::string_view name) = 0;
  // The producer begins anew, as if its name had never been heard of: its handles are fenced off, and when what they have
  // under way is settled its numbers are forgotten, durably. What it stored stays; frames that it sends again are stored
  // again. Returns the number of its last frame until then. Waits for the disk; not for a thread that calls back.
  // Errors: as OpenProducer and Write; those of keep_going, which takes nothing back.
  virtual absl::StatusOr<uint64_t> ResetProducer(absl::string_view name,
                                                 const KeepGoing& keep_going = nullptr) = 0;

  // Stores a frame. `done` is called once, from a thread of the archive's or the caller's own, in the order
  // of a producer's calls, when the frame is durable and visible (or refused). It must be quick.
  //
  // Returns at once. When memory for frames is short a frame without `taken` is refused at once, and one with
  // `taken` waits its turn, for at most 10 s. `taken` is called once, from a thread as above, when the frame
  // waits no longer, after `done` if it was refused. The producer's next call must not come before that.
  //
  // Tags that `filter` does not let pass are rejected (kNotPermitted, kUnknownTag). It is asked before this returns, and
  // takes no part in whether a frame is a repetition.
  //
  //   InvalidArgument    the sequence is not above the last of this handle (a frame that was stored before the
  //                      handle was opened is no error: WriteResult::repeated), or too far above it
  //   AlreadyExists      the sequence was stored before, with another frame: nothing was stored
  //   Aborted            a newer handle of the producer exists
  //   ResourceExhausted  the disk is full, or too much is on its way: nothing was stored, repeat later
  //   Unavailable        the archive is closing
  virtual void Write(const std::shared_ptr<Producer>& producer, Frame frame, WriteDone done,
                     WriteTaken taken = nullptr, const WriteFilter* filter = nullptr) = 0;

  // ---- Reading. Each sees the tag as it is when the call is made, or as of a version that versions().Resolve() gave.
  // FailedPrecondition: as of that one nothing can be said any more. Folds do not tell the texts of strings.

  // The samples of a range. InvalidArgument: it ends before it starts.
  virtual absl::StatusOr<std::unique_ptr<RawReader>> ReadRaw(const RawRequest& request,
                                                             KeepGoing keep_going = nullptr) = 0;
  // Newest visible sample of each tag, of those that do not lie ahead of the clock; nothing where there is none (or no
  // such tag). As of a version: of all that were visible then.
  virtual absl::StatusOr<std::vector<std::optional<LatestSample>>> ReadLatest(
      absl::Span<const TagId> tags, Version as_of = kVersionNow, const KeepGoing& keep_going = nullptr) = 0;
  // The values at `times` (any order), in the order of `times`. Where there is none the value is 0 or "", the
  // quality BadNoData. InvalidArgument: not a time that a sample may have.
  virtual absl::StatusOr<Samples> ReadAtTimes(TagId tag, absl::Span<const Timestamp> times,
                                              Interpolation interpolation, bool uncertain_as_bad,
                                              KeepGoing keep_going = nullptr,
                                              Version as_of = kVersionNow) = 0;
  // The same for times that rise, as they come: for many of them, of which the sum is not held.
  virtual absl::StatusOr<std::unique_ptr<JoinedReader>> ReadJoined(TagId tag, Interpolation interpolation,
                                                                   bool uncertain_as_bad,
                                                                   KeepGoing keep_going = nullptr,
                                                                   Version as_of = kVersionNow) = 0;
  // What folds a tag's samples into intervals, and knows their neighbours.
  virtual absl::StatusOr<std::unique_ptr<FoldReader>> ReadFolded(TagId tag, KeepGoing keep_going = nullptr,
                                                                 Version as_of = kVersionNow) = 0;

  // ---- What there is

  // The versions that have closed, and the open one (storage/versions/closed_version.h).
  virtual const VersionTable& versions() const = 0;
  // Closes the open version under a name, such as a report's: everything stated before is in it or in an earlier one.
  // InvalidArgument: author or comment is above its limit, or not UTF-8. ResourceExhausted: as many are marked as may be
  // (ArchiveOptions::version_marks_max), or there is no memory for it.
  virtual absl::StatusOr<ClosedVersion> MarkVersion(absl::string_view author, absl::string_view comment) = 0;

  // What tells this archive from all others, also from later ones in the same directory: 32 hexadecimal digits.
  // Errors: those of the store, if it has none yet and none can be written.
  virtual absl::StatusOr<std::string> Id() = 0;
  // Closes the open version as MarkVersion does, and writes a copy of everything into the directory `path`: a store with all
  // that was acknowledged before the call, and perhaps more. On the file system of the store what is sealed is linked, which
  // takes milliseconds and no room; but what is linked there stays on the disk when the archive lets go of it.
  // If the version cannot be closed (there are as many marks as may be), the newest that has is returned, and what is
  // acknowledged is in the copy all the same. Version 0: none has closed.
  // Errors: those of kv::Store::Checkpoint. Unavailable: the archive is damaged, and open for reading only.
  virtual absl::StatusOr<ClosedVersion> WriteCheckpoint(const std::string& path, absl::string_view author,
                                                        absl::string_view comment) = 0;

  virtual ArchiveStats Stats() = 0;
  // Tags whose newest sample lies ahead of the clock. Cost: nothing when there are none, else a look at each tag's tail.
  virtual AheadOfClock FindAheadOfClock() = 0;
  virtual absl::StatusOr<TagStorage> StorageOf(TagId tag, KeepGoing keep_going = nullptr) = 0;
  // Those with samples in start <= time < end, in order of time.
  virtual absl::StatusOr<std::vector<BlockInfo>> ListBlocks(TagId tag, Timestamp start, Timestamp end,
                                                            KeepGoing keep_going = nullptr) = 0;
  // NotFound: no such block.
  virtual absl::StatusOr<BlockBytes> ReadBlock(const format::BlockId& id) = 0;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_ARCHIVE_H_
