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

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/functional/any_invocable.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/time/time.h"
#include "absl/types/span.h"
#include "storage/aggregate/at_time.h"
#include "storage/aggregate/figures.h"
#include "storage/aggregate/interval_fold.h"
#include "storage/aggregate/summary.h"
#include "storage/archive/frame.h"
#include "storage/archive/retention.h"
#include "storage/archive/tag_registry.h"
#include "storage/archive/verify.h"
#include "storage/format/key.h"
#include "storage/kv/store.h"
#include "storage/model/clock.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"

namespace historian {

struct ArchiveOptions {
  // Shards of the tags, each with its own thread. 0: one per processor.
  int shards = 0;
  // For open tails, frames on their way, cached heads (an eighth), pages decoded (a
  // sixteenth) and folded (a quarter); the store's
  // own caches are its own. When tails take
  // more than half of it they are sealed early; when frames on their way take more than a quarter, writes
  // wait.
  uint64_t memory_budget_bytes = uint64_t{512} << 20;
  // A seal begins when the journal is longer. Decides how long a restart takes: some 40 ms per MiB (a MiB may
  // hold more than a million samples).
  uint64_t journal_bytes_max = uint64_t{16} << 20;
  // A seal begins when the oldest unsealed sample has waited so long.
  absl::Duration seal_interval = absl::Hours(6);
  // A partition into which nothing was sealed for so long is settled in the background when its time is over
  // or late samples are a quarter of it: late blocks are merged, rollups built, the densest encodings used.
  absl::Duration settle_delay = absl::Minutes(10);
  // How often retention rules are applied; and how long a changed rule is left alone, to be thought over.
  absl::Duration retention_period = absl::Minutes(10);
  // Samples farther ahead of the clock are rejected.
  absl::Duration future_limit = absl::Hours(1);
  // Writes are refused while the disk has less free space, or less than a twentieth of its capacity (16 MiB
  // at least) if that is smaller, so that sealing and reading go on.
  uint64_t disk_reserve_bytes = uint64_t{256} << 20;
};

// One writer. The newest handle of a name is the valid one.
class Producer;

struct WriteResult {
  uint64_t stored = 0;    // Samples.
  uint64_t rejected = 0;  // Samples, those beyond kRejectionsListedMax included.
  bool repeated = false;  // The frame was stored before; nothing was stored now.
  std::vector<Rejection> rejections;
  Frame spent;  // What was written, of use for its memory alone: the next frame can be read into it.
};

// Called between the steps of a long read; anything but OK ends it with that status. Null: never.
using KeepGoing = std::function<absl::Status()>;

struct RawRequest {
  TagId tag = 0;
  Timestamp start = 0;  // start <= time < end.
  Timestamp end = 0;
  bool bounds = false;  // Also the newest sample before start and the first at or after end.
  bool reverse = false;
  // Go on behind this time (before it, when reverse), which an earlier read of the same request ended with.
  std::optional<Timestamp> resume_after;
};

class RawReader {
 public:
  virtual ~RawReader() = default;
  // Replaces *batch by the next samples (at most kRawBatchMax), in the order asked for; false at the end. A
  // damaged page does not end the read: what can be read is delivered, and DataLoss comes in place of the
  // end.
  virtual absl::StatusOr<bool> Next(Samples* batch) = 0;
  // True when it is already known that Next() would only say that this was all.
  virtual bool AtEnd() const = 0;
};
inline constexpr size_t kRawBatchMax = 16384;

struct LatestSample {
  Sample sample;
  std::string text;  // Strings only.
};

struct ArchiveStats {
  uint64_t samples_stored = 0;  // Since Open, as all of the first group.
  uint64_t samples_rejected = 0;
  uint64_t samples_repeated = 0;  // Exact duplicates recognised on arrival.
  uint64_t frames_stored = 0;
  uint64_t frames_repeated = 0;
  uint64_t seals = 0;
  Timestamp last_seal = 0;
  uint64_t settles = 0;          // Partitions.
  uint64_t settled_bytes = 0;    // Written by settling.
  uint64_t journal_commits = 0;  // fdatasyncs.

  uint64_t samples_open = 0;     // In tails.
  uint64_t tail_bytes = 0;       // Memory.
  uint64_t in_flight_bytes = 0;  // Frames being written.
  uint64_t cache_bytes = 0;
  uint64_t journal_bytes = 0;
  uint64_t samples_sealed = 0;  // In all blocks.
  uint64_t blocks = 0;
  uint64_t block_bytes = 0;         // Heads, payloads and rollups.
  uint64_t samples_unsettled = 0;   // Of the sealed ones.
  uint64_t disk_reserve_bytes = 0;  // In force.
  absl::Status ingest;              // OK, or why writes are refused.
  absl::Status retention;           // OK, or why retention rules are not applied.
  std::vector<std::string> damage;  // Found since Open: what, which tag, which time. The newest 100.
  kv::StoreStats store;
};

struct TagStorage {
  uint64_t samples = 0;
  uint64_t samples_open = 0;
  uint64_t blocks = 0;
  uint64_t head_bytes = 0;
  uint64_t payload_bytes = 0;
  uint64_t rollup_bytes = 0;
  Timestamp first_time = 0;  // Both 0 without samples.
  Timestamp last_time = 0;
};

struct BlockInfo {
  format::BlockId id;
  Timestamp first_time = 0;
  Timestamp last_time = 0;
  uint64_t samples = 0;
  uint32_t pages = 0;
  uint64_t head_bytes = 0;
  uint64_t payload_bytes = 0;
};

struct BlockBytes {
  std::string head;
  std::string payload;
  ValueType type = ValueType::kFloat64;
};

// What applying the retention rules did, or would do.
struct RetentionResult {
  enum class Action {
    kDrop = 1,     // All of the partition has expired.
    kRewrite = 2,  // A part has, and is large enough to rewrite the rest.
    kWait = 3,     // A small part has; its space returns with more.
  };
  struct Partition {
    int32_t partition = 0;
    Action action = Action::kWait;
    uint64_t samples = 0;  // That have expired in it, and their bytes: of blocks and rollups.
    uint64_t bytes = 0;
  };
  uint64_t tags = 0;                  // Of which something expires that had not before.
  uint64_t samples = 0;               // Dropped.
  uint64_t bytes = 0;                 // Returned.
  std::vector<Partition> partitions;  // Those with something expired in them, in order of time.
};

struct SealResult {
  uint64_t samples = 0;
  uint64_t blocks = 0;
  uint64_t bytes = 0;
  uint64_t partitions_settled = 0;
};

class Archive {
 public:
  // Opens what the store holds, replays its journal, and begins a new archive in an empty store. The clock
  // must outlive it. FailedPrecondition: written by a newer version. DataLoss: records that everything
  // depends on are damaged.
  static absl::StatusOr<std::unique_ptr<Archive>> Open(std::unique_ptr<kv::Store> store,
                                                       const ArchiveOptions& options, const Clock& clock);
  // Finishes queued writes, and closes without sealing (the journal keeps what is open).
  virtual ~Archive() = default;

  virtual TagRegistry& tags() = 0;
  // Rules and legal holds. The archive applies them every ArchiveOptions::retention_period.
  virtual Retention& retention() = 0;

  // ---- Writing

  // A handle for a producer (1 to 128 bytes of UTF-8); earlier handles of the name are fenced off: their
  // writes give Aborted.
  virtual absl::StatusOr<std::shared_ptr<Producer>> OpenProducer(absl::string_view name) = 0;
  // The number of its last durable frame; 0 when it was never heard of.
  virtual uint64_t DurableSequence(absl::string_view producer) = 0;

  // Stores a frame. `done` is called once, from a thread of the archive's or the caller's own, in the order
  // of a producer's calls, when the frame is durable and visible (or refused). It must be quick. Does not
  // block, but for a moment when memory for frames is short.
  //   InvalidArgument     a sequence not above the producer's last (a repeated one is no error:
  //   result.repeated) Aborted             a newer handle of the producer exists ResourceExhausted   the disk
  //   is full, or too much is on its way: nothing was stored, repeat later Unavailable         closing
  using WriteDone = absl::AnyInvocable<void(absl::StatusOr<WriteResult>)>;
  virtual void Write(const std::shared_ptr<Producer>& producer, Frame frame, WriteDone done) = 0;

  // ---- Reading. Strings only through ReadRaw, ReadLatest and ReadAtTimes.

  virtual absl::StatusOr<std::unique_ptr<RawReader>> ReadRaw(const RawRequest& request,
                                                             KeepGoing keep_going = nullptr) = 0;

  // Newest visible sample of each tag; nothing where there is none (or no such tag).
  virtual std::vector<std::optional<LatestSample>> ReadLatest(absl::Span<const TagId> tags) = 0;

  // The values at `times` (any order), in the order of `times`. Where there is none the value is 0 or "", the
  // quality BadNoData.
  virtual absl::StatusOr<Samples> ReadAtTimes(TagId tag, absl::Span<const Timestamp> times,
                                              Interpolation interpolation, bool uncertain_as_bad,
                                              KeepGoing keep_going = nullptr) = 0;

  // Folds the tag's samples into the intervals between consecutive edges (ascending, two at least), which the
  // sink is given; after an error it may have had some.
  virtual absl::Status Fold(TagId tag, absl::Span<const Timestamp> edges, Interpolation interpolation,
                            uint32_t parts, IntervalSink sink, KeepGoing keep_going = nullptr) = 0;
  // Folds likewise, and fills the table with the figures of the intervals: those of what is stored are kept,
  // so that asking again costs little more than copying them.
  virtual absl::Status Figures(TagId tag, absl::Span<const Timestamp> edges, Interpolation interpolation,
                               const FigureMaker& maker, FigureTable to, KeepGoing keep_going = nullptr) = 0;
  // Whether Figures would answer from memory, as far as is known at once.
  virtual bool HasFigures(TagId tag, absl::Span<const Timestamp> edges, Interpolation interpolation,
                          const FigureMaker& maker) = 0;
  // Fold, gathered.
  absl::StatusOr<std::vector<Interval>> Fold(TagId tag, absl::Span<const Timestamp> edges,
                                             Interpolation interpolation, uint32_t parts) {
    std::vector<Interval> intervals;
    absl::Status status = Fold(tag, edges, interpolation, parts, AppendTo(&intervals));
    if (!status.ok()) return status;
    return intervals;
  }

  // The newest visible sample before t, and the first at or after it.
  virtual absl::StatusOr<std::optional<Sample>> SampleBefore(TagId tag, Timestamp t) = 0;
  virtual absl::StatusOr<std::optional<Sample>> SampleAtOrAfter(TagId tag, Timestamp t) = 0;

  // ---- Administration

  // Seals everything that is open, also what is too little for a good block, and trims the journal. With
  // `settle` it then settles every partition that has something to gain, which may take minutes.
  virtual absl::StatusOr<SealResult> Seal(bool settle = false) = 0;
  // Applies the retention rules as of the clock's now, just changed ones too, and drops what has expired from
  // the disk. `dry_run`: says what that would do, and does nothing.
  virtual absl::StatusOr<RetentionResult> ApplyRetention(bool dry_run) = 0;
  virtual ArchiveStats Stats() = 0;
  virtual absl::StatusOr<TagStorage> StorageOf(TagId tag) = 0;
  virtual absl::StatusOr<std::vector<BlockInfo>> ListBlocks(TagId tag, Timestamp start, Timestamp end) = 0;
  // Reads all that is stored and checks it (verify.h); what is damaged is in Stats too from then on. Runs on
  // the calling thread, which should be one that waits for nobody.
  virtual absl::StatusOr<VerifyCounts> Verify(const VerifyOptions& options,
                                              const VerifyObserver& observer) = 0;
  // NotFound: no such block.
  virtual absl::StatusOr<BlockBytes> ReadBlock(const format::BlockId& id) = 0;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_ARCHIVE_ARCHIVE_H_
