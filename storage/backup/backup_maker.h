// File: storage/backup/backup_maker.h
//
// Takes a backup of an archive that is running:
//
//   1  a checkpoint of the archive is linked in work_dir: the state of one moment (Archive::WriteCheckpoint)
//   2  each of its files that the repository does not have is copied there, at a limited rate, and leaves the checkpoint
//   3  the manifest is written: from now on there is a backup
//
// Until 3 there is none, whatever happens, and older ones are as they were: what was copied is found by the next one, or
// removed by Prune. Only 1 takes anything of the archive (milliseconds, in which writes wait); 2 and 3 touch the
// checkpoint and the target, and nobody else waits for these.
//
// Sorted files never change, so those that the newest backup has under the same name, size and time of writing are not read
// again. For as long as the checkpoint lives, files that the archive has let go of stay on its disk.
#ifndef HISTORIAN_STORAGE_BACKUP_BACKUP_MAKER_H_
#define HISTORIAN_STORAGE_BACKUP_BACKUP_MAKER_H_

#include <cstdint>
#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/archive/archive.h"
#include "storage/backup/manifest.h"
#include "storage/backup/repository.h"
#include "storage/model/clock.h"
#include "storage/model/keep_going.h"

namespace historian::backup {

struct BackupOptions {
  std::string data_dir;
  // Where the checkpoint is made: a directory of the same file system, of which whatever is left is removed at start.
  std::string work_dir;
  // Files of data_dir that are not the store's, and belong to the backup if they are there. Of at most 64 MiB each.
  std::vector<std::string> more_files;
  uint64_t bytes_per_second = 0;  // That are read, and copied. 0: as fast as it goes.
  std::string server_version;
  std::string author;  // Of the version that is marked.
};

struct BackupProgress {
  uint64_t files = 0;  // Done, and in all.
  uint64_t files_total = 0;
  uint64_t bytes = 0;
  uint64_t bytes_total = 0;
  uint64_t new_files = 0;  // Of those done: that had to be copied.
  uint64_t new_bytes = 0;
};

struct BackupObserver {
  std::function<void(const BackupProgress&)> on_progress;  // After each MiB or file. May be null.
  KeepGoing keep_going;
};

// One that is being taken. Threads: one at a time.
class BackupMaker {
 public:
  // Step 1. The archive is not used after this returns.
  // Errors: FailedPrecondition, the repository is another archive's. Those of Archive::WriteCheckpoint.
  static absl::StatusOr<BackupMaker> Begin(Archive& archive, const std::string& repository_archive_id,
                                           BackupOptions options, const Clock& clock);
  BackupMaker(BackupMaker&&) noexcept;
  BackupMaker& operator=(BackupMaker&&) = delete;
  // Removes the checkpoint.
  ~BackupMaker();

  // Steps 2 and 3, once; with the target's lock. Errors: those of the target, of reading, and of keep_going.
  absl::StatusOr<BackupInfo> Copy(const Repository& repository, const BackupObserver& observer);

 private:
  struct Checkpoint;
  explicit BackupMaker(std::unique_ptr<Checkpoint> checkpoint);

  std::unique_ptr<Checkpoint> checkpoint_;
};

// All of it, with the lock.
absl::StatusOr<BackupInfo> MakeBackup(Archive& archive, const Repository& repository,
                                      const BackupOptions& options, const Clock& clock,
                                      const BackupObserver& observer);

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_BACKUP_MAKER_H_
