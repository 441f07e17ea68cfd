// File: storage/backup/prune.h
//
// Which backups are kept, and the removal of all others with the files that none needs any more.
//
// Manifests go first, then files that no manifest names: what ends half way leaves whole backups, and litter for the next
// time. Of drills the newest 100 are kept. While a manifest is damaged nobody knows which files it names: manifests go all the same, but no file does.
#ifndef HISTORIAN_STORAGE_BACKUP_PRUNE_H_
#define HISTORIAN_STORAGE_BACKUP_PRUNE_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "absl/time/time.h"
#include "storage/backup/repository.h"
#include "storage/model/keep_going.h"

namespace historian::backup {

// A backup is kept if any of these says so. Of a day, week, month or year the newest backup is kept, for so many of those that
// have one. The newest of all is always kept.
struct KeepRules {
  uint32_t last = 7;
  uint32_t daily = 7;
  uint32_t weekly = 4;  // From Monday.
  uint32_t monthly = 12;
  uint32_t yearly = 0;
  absl::TimeZone zone = absl::UTCTimeZone();  // Where a day begins.
};

// Which of backups taken at these times, in any order, are kept.
std::vector<bool> KeptBy(const KeepRules& rules, const std::vector<Timestamp>& taken);

struct PruneOptions {
  KeepRules keep;
  bool dry_run = false;
  // Removes damaged manifests too, whatever their age: those backups cannot be restored.
  bool remove_damaged = false;
};

struct PruneResult {
  std::vector<std::string> kept;  // Ids, the oldest first.
  std::vector<std::string> removed;
  std::vector<std::string>
      damaged;         // Backups whose manifests are, and stay: no file was removed because of them.
  uint64_t files = 0;  // Removed, or to be.
  uint64_t bytes = 0;
};

// With the target's lock, unless it is a dry run. Errors: those of the target and of keep_going.
absl::StatusOr<PruneResult> Prune(const Repository& repository, const PruneOptions& options,
                                  const KeepGoing& keep_going);

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_PRUNE_H_
