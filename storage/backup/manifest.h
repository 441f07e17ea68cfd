// File: storage/backup/manifest.h
//
// What a backup says of itself: when and of what it was taken, and every file of it.
// Source: storage/backup/backup.md
#ifndef HISTORIAN_STORAGE_BACKUP_MANIFEST_H_
#define HISTORIAN_STORAGE_BACKUP_MANIFEST_H_

#include <cstdint>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/data_version.h"
#include "storage/model/timestamp.h"

namespace historian::backup {

struct BackedUpFile {
  std::string path;  // In the data directory.
  uint64_t size_bytes = 0;
  std::string digest;  // digest.h
  // When the file that was copied was written, in nanoseconds: of files that never change, by which the next backup knows
  // them again without reading them. 0: of others.
  int64_t written_ns = 0;

  friend bool operator==(const BackedUpFile&, const BackedUpFile&) = default;
};

// Where the bytes of the file are in a repository.
std::string ObjectOf(const BackedUpFile& file);

struct BackupInfo {
  std::string id;              // Also the order of backups: it begins with the time.
  std::string archive_id;      // Archive::Id
  std::string server_version;  // That took it.
  Timestamp begun = 0;
  Timestamp taken = 0;  // What was acknowledged by then is in it.
  Timestamp ended = 0;
  // The newest version that had closed when it was taken, and when: as of it the backup and the archive say the same.
  // 0: none had.
  Version version = 0;
  Timestamp version_time = 0;
  uint64_t damages =
      0;  // That the archive knew of (ArchiveStats::damage): it is as damaged as the archive was.
  uint64_t new_files = 0;  // That no backup before had.
  uint64_t new_bytes = 0;
  // Of all files.
  uint64_t files = 0;
  uint64_t bytes = 0;

  friend bool operator==(const BackupInfo&, const BackupInfo&) = default;
};

struct Manifest {
  BackupInfo info;
  std::vector<BackedUpFile> files;  // In order of paths. info.files and info.bytes are theirs.

  friend bool operator==(const Manifest&, const Manifest&) = default;
};

// What a manifest may have.
inline constexpr size_t kManifestBytesMax = size_t{256} << 20;

// "20261129T101500Z-7f3a": the second, and how far it has gone, in hexadecimal parts of 65,536. So ids are in order of time.
std::string NewBackupId(Timestamp now);
bool IsBackupId(absl::string_view text);

// Whether a file of this path may be written into a directory: it stays in it, and has no surprises.
bool IsSafePath(absl::string_view path);

std::string EncodeManifest(const Manifest& manifest);
// `what` names it in errors. Errors: DataLoss, it is damaged. FailedPrecondition, a newer program wrote it.
absl::StatusOr<Manifest> DecodeManifest(absl::string_view text, const std::string& what);

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_MANIFEST_H_
