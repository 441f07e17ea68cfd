// File: storage/versions/version_table.h
//
// The versions that have closed, in memory by number and time (16 bytes each; one in ten minutes is 8 MB in ten
// years), and with all else in the store.
//
// A closing is durable with its mark in the journal. The next seal writes it to the store, and the journal lets go.
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
#include "storage/model/timestamp.h"
#include "storage/versions/closed_version.h"

namespace historian {

class VersionTable {
 public:
  // The store must outlive it.
  explicit VersionTable(kv::Store& store) : store_(store) {}

  // Before anything else: reads what seals wrote down. DataLoss: a record is damaged.
  absl::Status Load() ABSL_LOCKS_EXCLUDED(mu_);

  // The version that what arrives now belongs to: it has the next number to close.
  Version open() const ABSL_LOCKS_EXCLUDED(mu_);

  // The closing of the open version when the server's clock says `now`; nothing has closed yet.
  ClosedVersion Next(VersionCause cause, Timestamp now) const ABSL_LOCKS_EXCLUDED(mu_);
  // It has: its mark is durable. One that is known already, as a replayed journal may have them, changes nothing.
  void Add(const ClosedVersion& closed) ABSL_LOCKS_EXCLUDED(mu_);

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

  kv::Store& store_;
  mutable absl::Mutex mu_;
  std::vector<Known> known_ ABSL_GUARDED_BY(mu_);              // Numbers ascend, times do not fall.
  std::vector<ClosedVersion> unwritten_ ABSL_GUARDED_BY(mu_);  // The newest of known_.
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_VERSIONS_VERSION_TABLE_H_
