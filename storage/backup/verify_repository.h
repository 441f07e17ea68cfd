// File: storage/backup/verify_repository.h
//
// Reads what a repository has and compares it with what its manifests say: manifests, that every file is there with its size,
// and the bytes of all files or of some. Each file is read once, however many backups have it.
//
// Threads: the calling one. Memory: some 150 bytes for each file.
#ifndef HISTORIAN_STORAGE_BACKUP_VERIFY_REPOSITORY_H_
#define HISTORIAN_STORAGE_BACKUP_VERIFY_REPOSITORY_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/statusor.h"
#include "storage/backup/repository.h"
#include "storage/model/keep_going.h"

namespace historian::backup {

struct VerifyRepositoryOptions {
  std::vector<std::string> backups;  // Ids; empty: all.
  // Of the files, the part whose bytes are read, from 0 to 1, chosen at random. All are looked for.
  double sample = 1;
  uint64_t bytes_per_second = 0;  // Reads no faster. 0: as fast as it goes.
};

struct RepositoryDamage {
  std::string object;  // In the repository.
  std::string what;
  std::string path;  // In the data directory, of the oldest backup that has it. Empty: a manifest.
  std::vector<std::string> backups;  // That cannot be restored without it.
};

struct RepositoryCounts {
  uint64_t backups = 0;  // Whose manifests are whole.
  uint64_t files = 0;
  uint64_t files_total = 0;
  uint64_t bytes = 0;  // Read.
  uint64_t bytes_total = 0;
  uint64_t damages = 0;
};

struct VerifyRepositoryObserver {
  std::function<void(const RepositoryDamage&)> on_damage;    // May be null.
  std::function<void(const RepositoryCounts&)> on_progress;  // After each file. May be null.
  KeepGoing keep_going;
};

// Errors: NotFound, one of the backups named. Those of the target but NotFound and DataLoss, which are damage; of keep_going.
absl::StatusOr<RepositoryCounts> VerifyRepository(const Repository& repository,
                                                  const VerifyRepositoryOptions& options,
                                                  const VerifyRepositoryObserver& observer);

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_VERIFY_REPOSITORY_H_
