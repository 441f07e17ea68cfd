// File: storage/versions/version_table.h
//
// The versions that have closed, in memory by number and time, and with all else in the store. One takes 16 bytes, and up to
// two more of what is kept free (measured: 1,000,000 take 17.2 MiB): one in ten minutes is 9 MB in ten years. Until a seal
// has written one down, its texts are in memory too. All of it is counted in DefinitionMemory.
//
// Nothing makes a version go. Marks are bounded in number; those that close by themselves come no more often than once a
// minute.
//
// A closing is durable with its mark in the journal. The next seal writes it to the store, and the journal lets go.
//
// A change of a definition is no record of the journal: it holds the open version open until it is durable (closing_mu).
//
// Threads: any number; closings come one at a time, in order.
#ifndef HISTORIAN_STORAGE_VERSIONS_VERSION_TABLE_H_
#define HISTORIAN_STORAGE_VERSIONS_VERSION_TABLE_H_

#include <cstddef>
#include <string>
#include <utility>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "storage/kv/store.h"
#include "storage/model/definition_memory.h"
#include "storage/model/timestamp.h"
#include "storage/versions/closed_version.h"

namespace historian {

class VersionTable {
 public:
  // The store and the memory must outlive it.
  explicit VersionTable(kv::Store& store, uint64_t marks_max = UINT64_MAX,
                        DefinitionMemory& memory = DefinitionMemory::Unbounded())
      : store_(store), marks_max_(marks_max), memory_(memory) {}

  // Before anything else: reads what seals wrote down. DataLoss: a record is damaged; the others are read.
  absl::Status Load() ABSL_LOCKS_EXCLUDED(mu_);

  // The version that what arrives now belongs to: it has the next number to close.
  Version open() const ABSL_LOCKS_EXCLUDED(mu_);

  // A change of a definition holds it shared, from open() until the change is durable and readers see it. The closing of
  // a version holds it exclusively, from Next() until Add(). Both wait for the disk meanwhile, but never for a
  // client. Closing waits for the journal's thread and the shards', so neither is done on those.
  absl::Mutex& closing_mu() const ABSL_LOCK_RETURNED(closing_mu_) { return closing_mu_; }

  // Fills in, for each of the times, which ascend, the version that was open then: the first that closed later.
  void OpenAt(const Timestamp* times, size_t size, uint32_t* versions) const ABSL_LOCKS_EXCLUDED(mu_);

  // The closing of the open version when the server's clock says `now`; nothing has closed yet. ResourceExhausted: the
  // numbers have come to an end; or it would be a mark, and there are as many as may be, or there is no memory for it.
  absl::StatusOr<ClosedVersion> Next(VersionCause cause, Timestamp now) const ABSL_LOCKS_EXCLUDED(mu_);
  // It has: its mark is durable. One that is known already, as a replayed journal may have them, changes nothing.
  void Add(const ClosedVersion& closed) ABSL_LOCKS_EXCLUDED(mu_);

  // Everything stated in the version is visible: it may be read as-of from now on. Closings below it are too.
  void NoteVisible(Version version) ABSL_LOCKS_EXCLUDED(mu_);

  // Statements have kept their versions from this one on: no earlier one can be read as-of. Set once, before reads.
  void SetKeptFrom(Version version) ABSL_LOCKS_EXCLUDED(mu_);
  Version kept_from() const ABSL_LOCKS_EXCLUDED(mu_);

  // The version that a read as-of this one reads, or as-of this moment: of the latter, the last that closed by then. With
  // kVersionNow, that. FailedPrecondition: it has not closed, nothing had closed by then, or it closed before statements
  // kept their versions; says from when on it can be answered.
  absl::StatusOr<Version> Resolve(const AsOf& as_of) const ABSL_LOCKS_EXCLUDED(mu_);

  // Those that closed in start <= time < end with numbers below `before`, the newest first, at most `max`. DataLoss:
  // a record is damaged.
  absl::StatusOr<std::vector<ClosedVersion>> List(Timestamp start, Timestamp end, Version before,
                                                  size_t max) const ABSL_LOCKS_EXCLUDED(mu_);

  // For a seal: keys and values for kCheckpoint of those that no seal has written yet, and their highest number, for
  // Written() when the seal has succeeded.
  std::vector<std::pair<std::string, std::string>> Unwritten(Version* last) const ABSL_LOCKS_EXCLUDED(mu_);
  void Written(Version last) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  struct Known {
    Version version = 0;
    Timestamp time = 0;
  };

  void AddKnown(const ClosedVersion& closed) ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  void NoteMemory() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // That version's, for messages.
  std::string DescribeLocked(Version version) const ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);

  kv::Store& store_;
  const uint64_t marks_max_;
  DefinitionMemory& memory_;
  mutable absl::Mutex closing_mu_;
  mutable absl::Mutex mu_ ABSL_ACQUIRED_AFTER(closing_mu_);
  Version visible_ ABSL_GUARDED_BY(mu_) = 0;
  Version kept_from_ ABSL_GUARDED_BY(mu_) = 1;
  std::vector<Known> known_ ABSL_GUARDED_BY(mu_);              // Numbers ascend, times do not fall.
  uint64_t marks_ ABSL_GUARDED_BY(mu_) = 0;                    // Of known_.
  std::vector<ClosedVersion> unwritten_ ABSL_GUARDED_BY(mu_);  // The newest of known_.
  size_t text_bytes_ ABSL_GUARDED_BY(mu_) = 0;                 // What the texts of those take.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_VERSIONS_VERSION_TABLE_H_
