// File: storage/backup/restore.h
//
// Writes a backup into a new data directory.
//
// The file RESTORING is there from the first step to the last: a server refuses a directory with it
// (storage/kv/store_directory.h), and a restore that was ended half way goes on there. Every file is checked against its
// digest while it is copied; it has its name once it is whole.
#ifndef HISTORIAN_STORAGE_BACKUP_RESTORE_H_
#define HISTORIAN_STORAGE_BACKUP_RESTORE_H_

#include <cstdint>
#include <functional>
#include <string>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/backup/manifest.h"
#include "storage/backup/repository.h"
#include "storage/model/keep_going.h"

namespace historian::backup {

struct RestoreProgress {
  uint64_t files = 0;  // Done, and in all.
  uint64_t files_total = 0;
  uint64_t bytes = 0;
  uint64_t bytes_total = 0;
};

struct RestoreOptions {
  std::string to;
  uint64_t bytes_per_second = 0;                            // 0: as fast as it goes.
  uint64_t room_left = 0;                                   // What must stay free of the disk.
  std::function<void(const RestoreProgress&)> on_progress;  // After each MiB or file. May be null.
  KeepGoing keep_going;
};

// Into `to`, which does not exist, is empty, or has a restore of this backup that was ended.
// Errors: AlreadyExists, `to` has something else in it, which stays as it is. FailedPrecondition, another process restores
// there. ResourceExhausted, there is no room for it; nothing was written. DataLoss, a file of the backup is damaged or
// missing; says which.
absl::Status Restore(const Repository& repository, const Manifest& manifest, const RestoreOptions& options);

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_RESTORE_H_
