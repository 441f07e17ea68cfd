// File: storage/backup/repository.h
//
// A place that keeps the backups of one archive:
//
//   REPOSITORY             of which archive
//   files/ab/DIGEST-SIZE   the files of all backups, each once, however many have it
//   backups/ID             the manifests, written last: what has one is whole
//   drills/ID              what trials of restoring said (drill.h)
//
// Source: storage/backup/backup.md
//
// Threads: any number; but changes are made by whoever has the target's lock.
#ifndef HISTORIAN_STORAGE_BACKUP_REPOSITORY_H_
#define HISTORIAN_STORAGE_BACKUP_REPOSITORY_H_

#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/backup/manifest.h"
#include "storage/backup/target.h"
#include "storage/model/timestamp.h"

namespace historian::backup {

inline constexpr char kFilesPrefix[] = "files/";
inline constexpr char kBackupsPrefix[] = "backups/";
inline constexpr char kDrillsPrefix[] = "drills/";

class Repository {
 public:
  // Makes a new one, in a place that is empty or is to be made. The target must outlive it.
  // Errors: AlreadyExists, it is a repository, or has something else in it.
  static absl::StatusOr<Repository> Create(Target& target, const std::string& archive_id, Timestamp now);
  // Errors: NotFound, there is none: perhaps the disk is not mounted. DataLoss, FailedPrecondition: as DecodeManifest.
  static absl::StatusOr<Repository> Open(Target& target);

  Target& target() const { return *target_; }
  const std::string& archive_id() const { return archive_id_; }
  // FailedPrecondition: it is another archive's.
  absl::Status CheckIsOf(const std::string& archive_id) const;
  // Errors: as Open, if it is not there any more.
  absl::Status CheckIsThere() const { return Open(*target_).status(); }

  // Of all backups, the oldest first.
  absl::StatusOr<std::vector<std::string>> BackupIds() const;
  // Errors: NotFound, no such backup. DataLoss, its manifest is damaged, or another archive's.
  absl::StatusOr<Manifest> ReadManifest(const std::string& id) const;

  struct Listed {
    std::string id;
    absl::StatusOr<BackupInfo> info;  // DataLoss: the manifest is damaged.
  };
  // The oldest first. Errors: those of the target.
  absl::StatusOr<std::vector<Listed>> List() const;
  // The newest of those taken at `at` or before. NotFound: there is none. DataLoss: one is damaged that may be it, so that
  // somebody must say which to take.
  absl::StatusOr<Manifest> FindNewest(Timestamp at = kTimestampMax) const;

 private:
  Repository(Target& target, std::string archive_id) : target_(&target), archive_id_(std::move(archive_id)) {}

  Target* target_;
  std::string archive_id_;
};

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_REPOSITORY_H_
