// File: storage/kv/store.h
//
// The only door to persistence. Everything Historian keeps goes through a Store: ordered keys in a few
// spaces, atomic batches of small writes, atomic ingestion of sorted runs, range deletion, checkpoints, and
// append-only logs for the journal. Nothing above this door knows RocksDB, a file or a disk.
//
// Implementations, one conformance suite (store_conformance.h):
//   rocksdb_store.h   embedded, the product's
//   memory_store.h    for tests, and the lesson on how to write one
//   faulty_store.h    wraps another and fails, fills up or loses what was not synced, on command
//
// Keys are ordered as unsigned bytes. Keys are at most kKeyBytesMax, values at most kValueBytesMax.
//
// Errors, everywhere: ResourceExhausted, no room left (nothing of the call was kept; it may be repeated when
// there is room); DataLoss, stored bytes failed their checksum, or are missing; Unavailable, the store was closed or
// failed for good, or takes no changes (the message says why).
//
// Damage: a store whose files are damaged opens with the rest. Damages() says what is missing of it; what lies there is
// DataLoss. If a change could hide what is missing, the store takes none: refusal() says why. The values of kPages are
// given as they were found: who writes there gives each value checksums of its own, so that a flipped bit costs no
// more than what one of these covers.
//
// Threads: everything may be called from any thread; a Cursor or RunBuilder from one at a time.
//
// Lifetime: cursors, run builders and logs go before their Store.
#ifndef HISTORIAN_STORAGE_KV_STORE_H_
#define HISTORIAN_STORAGE_KV_STORE_H_

#include <cstdint>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "absl/synchronization/mutex.h"
#include "absl/types/span.h"

namespace historian::kv {

inline constexpr size_t kKeyBytesMax = 4096;
inline constexpr size_t kValueBytesMax = size_t{64} << 20;

// A space is an ordered map of its own. How it is written is part of what it is.
enum class Space : uint8_t {
  kMeta = 0,        // Small records: tags, format versions. Batches only.
  kHeads = 1,       // Block heads, by partition, tag and time. Runs only; compacted in the background.
  kPages = 2,       // Block payloads, by partition and seal. Runs only, never overlapping, never compacted.
  kCheckpoint = 3,  // Open tails and producers as of the last seal. Runs only, overwritten by every seal.
  kRollups = 4,     // Rollups, by partition and tag. Runs only; compacted in the background.
  kSuperseded = 5,  // Statements that later ones replaced, as blocks. Runs only; compacted in the background.
};
inline constexpr int kSpaces = 6;

// Walks a space in key order, over the state at the cursor's creation. Begins unpositioned.
class Cursor {
 public:
  virtual ~Cursor() = default;
  virtual void SeekToFirst() = 0;
  virtual void Seek(absl::string_view key) = 0;         // First key >= key.
  virtual void SeekForPrev(absl::string_view key) = 0;  // Last key <= key.
  virtual void Next() = 0;                              // Requires Valid().
  virtual void Prev() = 0;                              // Requires Valid().
  virtual bool Valid() const = 0;
  // Until the next move. Requires Valid().
  virtual absl::string_view key() const = 0;
  virtual absl::string_view value() const = 0;
  // Not OK when the cursor became invalid because of an error rather than the end. DataLoss also while it is valid: a
  // move that meets damage goes on behind it, where there are keys, and from then on the status says what was passed
  // over. (Prev and SeekForPrev end at damage.)
  virtual absl::Status status() const = 0;
};

// Puts and deletes of kMeta that happen all or not at all, in this order.
class Batch {
 public:
  void Put(absl::string_view key, absl::string_view value) {
    ops_.push_back({std::string(key), std::string(value)});
  }
  void Delete(absl::string_view key) { ops_.push_back({std::string(key), std::nullopt}); }

  struct Op {
    std::string key;
    std::optional<std::string> value;  // Unset: the key is deleted.
  };
  const std::vector<Op>& ops() const { return ops_; }

 private:
  std::vector<Op> ops_;
};

// A sorted run under construction. It is handed to Store::Ingest, or destroyed without leaving a trace.
class RunBuilder {
 public:
  virtual ~RunBuilder() = default;
  virtual Space space() const = 0;
  // Makes ingestion delete what the space holds from `begin` to before `end` in the same atomic step in
  // which it adds the run. May be called once, before the first Add, with begin < end. From then on keys
  // outside the range are InvalidArgument.
  virtual absl::Status Replace(absl::string_view begin, absl::string_view end) = 0;
  // Errors: InvalidArgument, the key is not above the one before.
  virtual absl::Status Add(absl::string_view key, absl::string_view value) = 0;
  // Bytes of keys and values added.
  virtual uint64_t size_bytes() const = 0;
};

// An append-only log of bytes. Positions count from 0 and never repeat, also across Trim and reopening.
// Appends come from one thread at a time; everything else from any.
class Log {
 public:
  virtual ~Log() = default;
  // Adds bytes at end(). They may be lost by a crash until the next Sync() has returned OK; a crash may also
  // leave a torn part of them, which the reader must recognise. After an error end() is unchanged.
  virtual absl::Status Append(absl::string_view bytes) = 0;
  // Everything appended before is durable when this returns OK. After an error nothing is known of what was
  // appended since the last good Sync: Truncate() to there before the next Append, which is refused with
  // FailedPrecondition until then.
  virtual absl::Status Sync() = 0;
  virtual uint64_t begin() const = 0;  // First position kept.
  // One past the last byte. After reopening it may lie further on, to the end of a segment: what was never
  // written then reads as zeros, because segments are allocated before they are filled. So a reader
  // recognises its last good record by the record's own checksum (zeros must not be one) and calls Truncate()
  // behind it before the first Append.
  virtual uint64_t end() const = 0;
  // At most size bytes from position; fewer only at end(). OutOfRange below begin().
  virtual absl::StatusOr<std::string> Read(uint64_t position, size_t size) const = 0;
  // Up to where the log was synced by whoever wrote it last, as far as that is known; else 0. What lies below and does
  // not read back was durable once, and is lost.
  virtual uint64_t synced_end() const { return 0; }
  // Drops bytes below position. May keep some of them (whole segments go), never more than one segment.
  virtual absl::Status Trim(uint64_t position) = 0;
  // Drops everything at and after position, durably, and takes appends again: what a reader does with a torn
  // tail after a crash, and a writer after a failed Append or Sync. OutOfRange unless
  // begin() <= position <= end().
  virtual absl::Status Truncate(uint64_t position) = 0;
};

struct SpaceStats {
  uint64_t keys_estimate = 0;
  uint64_t bytes_on_disk = 0;
  uint64_t files = 0;
};

struct StoreStats {
  SpaceStats spaces[kSpaces];
  uint64_t log_bytes = 0;
  uint64_t memory_bytes = 0;  // Caches, tables and indexes held in memory.
  // Room on the disk that holds the store; the largest uint64 if there is no limit.
  uint64_t free_bytes = UINT64_MAX;
  uint64_t capacity_bytes = UINT64_MAX;
};

// What cannot be read of a space: keys from `first` to `last`, both included. Others of these may be readable.
struct StoreDamage {
  Space space = Space::kMeta;
  std::string first;
  std::string last;
  std::string what;  // Which file, and what is wrong with it.
};

class Store {
 public:
  virtual ~Store() = default;

  // What was found damaged so far: when the store was opened, and by its work in the background. An entry without keys
  // (first and last are empty) tells of damage that has cost nothing.
  virtual std::vector<StoreDamage> Damages() { return {}; }

  // OK, or why every change of the spaces is refused from now on, and what to do.
  absl::Status refusal() const {
    absl::MutexLock lock(&refusal_mutex_);
    return refusal_;
  }
  // Refuses every change from now on, with this error. The first one stays.
  void Refuse(absl::Status why) {
    absl::MutexLock lock(&refusal_mutex_);
    refusal_.Update(std::move(why));
  }

  // Returns nothing if the key is absent: that is an answer, not an error.
  virtual absl::StatusOr<std::optional<std::string>> Get(Space space, absl::string_view key) = 0;
  // Over the keys before `end`; empty: over all. With an end its status tells of no damage behind it.
  virtual std::unique_ptr<Cursor> NewCursor(Space space, absl::string_view end) = 0;
  std::unique_ptr<Cursor> NewCursor(Space space) { return NewCursor(space, absl::string_view()); }

  // Applies the batch to kMeta, atomically and durably: once it returns OK a crash keeps all of it.
  virtual absl::Status Write(const Batch& batch) = 0;

  // Begins a run for any space but kMeta.
  virtual absl::StatusOr<std::unique_ptr<RunBuilder>> NewRun(Space space) = 0;
  // Takes in all runs and applies the batch to kMeta, all or nothing, durably: after a crash either every key of
  // every run and every change of the batch is there, or none is. A key that exists is replaced. Runs of one
  // space may overlap: the result is that of taking them in one after another, and no reader sees a part of it.
  // Empty runs are ignored, unless they replace something. The builders are used up even if the call fails: to
  // repeat it, build them again.
  virtual absl::Status Ingest(std::vector<std::unique_ptr<RunBuilder>> runs,
                              const Batch& batch = Batch()) = 0;

  // Deletes [begin, end) of any space, all or nothing, durably. Cheap when whole runs fall inside. Works on a
  // full disk in that case.
  virtual absl::Status DeleteRange(Space space, absl::string_view begin, absl::string_view end) = 0;

  // Opens the log of this name, which is 1 to 32 of [a-z0-9_], and creates it if absent.
  // Errors: FailedPrecondition, another Log object of this name exists.
  virtual absl::StatusOr<std::unique_ptr<Log>> OpenLog(absl::string_view name) = 0;

  // Writes a consistent copy of everything, logs included, that Open can read. The implementation says what a
  // path is. Errors: AlreadyExists, the path exists. Aborted, a log was truncated meanwhile: repeat the call.
  // Writes and ingestion wait while the spaces are captured (milliseconds); logs are copied behind them, so
  // they hold at least all that the spaces refer to.
  virtual absl::Status Checkpoint(const std::string& path) = 0;

  virtual StoreStats Stats() = 0;

 private:
  mutable absl::Mutex refusal_mutex_;
  absl::Status refusal_ ABSL_GUARDED_BY(refusal_mutex_);
};

}  // namespace historian::kv

#endif  // HISTORIAN_STORAGE_KV_STORE_H_
