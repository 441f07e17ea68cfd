// File: storage/backup/drill.h
//
// A trial of restoring: a backup is restored into a scratch directory beside the running archive, all of it is verified, and
// what it says as of its version is compared with what the running archive says as of that, sample by sample. What has expired
// in the running archive since is told apart. The scratch directory is removed.
//
// Whoever never restored has no backup: this is how that is done every week without anybody.
#ifndef HISTORIAN_STORAGE_BACKUP_DRILL_H_
#define HISTORIAN_STORAGE_BACKUP_DRILL_H_

#include <cstdint>
#include <functional>
#include <string>
#include <vector>

#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "storage/archive/archive.h"
#include "storage/backup/manifest.h"
#include "storage/backup/repository.h"
#include "storage/model/clock.h"
#include "storage/model/keep_going.h"

namespace historian::backup {

struct DrillResult {
  std::string id;      // As of backups.
  std::string backup;  // Which was restored.
  Timestamp begun = 0;
  Timestamp ended = 0;
  Version version =
      0;  // As of which the two were compared; 0: the backup has none, and nothing was compared.
  // What was verified of the restored archive.
  uint64_t blocks = 0;
  uint64_t samples = 0;
  uint64_t damages = 0;
  // What was compared.
  uint64_t tags = 0;
  uint64_t compared = 0;  // Samples.
  uint64_t expired = 0;   // Samples of the backup that have expired in the running archive since.
  uint64_t differences = 0;
  std::string
      what;  // The first damage or difference, or why it could not be done; one line, empty if all is good.

  bool passed() const { return what.empty(); }
  friend bool operator==(const DrillResult&, const DrillResult&) = default;
};

std::string EncodeDrill(const DrillResult& result);
// Errors: as DecodeManifest.
absl::StatusOr<DrillResult> DecodeDrill(absl::string_view text, const std::string& what);
// The newest that the repository has; nothing if there is none, or it is damaged.
absl::StatusOr<std::vector<DrillResult>> ListDrills(const Repository& repository, size_t max);

struct DrillProgress {
  enum class Step { kRestoring, kVerifying, kComparing } step = Step::kRestoring;
  uint64_t done = 0;   // Bytes while it restores, samples while it verifies, tags while it compares.
  uint64_t total = 0;  // 0: not known.
};

struct DrillOptions {
  std::string scratch;            // Does not exist; its parent does.
  uint64_t bytes_per_second = 0;  // That are restored, and verified. 0: as fast as it goes.
  uint64_t room_left = 0;         // What must stay free of the scratch directory's disk.
  std::function<void(const DrillProgress&)> on_progress;  // May be null.
  // Called with a function that uses the running archive; returns what that says, or why it cannot be used any more.
  std::function<absl::Status(const std::function<absl::Status(Archive&)>&)> with_archive;
  KeepGoing keep_going;
};

// Never fails but for keep_going's errors: what goes wrong is the result. Does not write it down.
// Threads: the calling one, for as long as it takes. Memory: some 64 MiB, and the definitions of the archive once more.
absl::StatusOr<DrillResult> Drill(const Repository& repository, const Manifest& manifest, const Clock& clock,
                                  const DrillOptions& options);

// With the target's lock.
absl::Status RecordDrill(const Repository& repository, const DrillResult& result);

}  // namespace historian::backup

#endif  // HISTORIAN_STORAGE_BACKUP_DRILL_H_
