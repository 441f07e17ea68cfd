// File: server/backup_job.h
//
// One piece of work on a repository, such as a backup, on a thread of its own: the target may be slow, or hang, and nobody else
// is to wait for it. Whoever asked for it waits here for news, and may go away.
//
// Threads: any number.
#ifndef HISTORIAN_SERVER_BACKUP_JOB_H_
#define HISTORIAN_SERVER_BACKUP_JOB_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/synchronization/mutex.h"
#include "absl/time/time.h"
#include "storage/backup/drill.h"
#include "storage/backup/manifest.h"
#include "storage/backup/prune.h"
#include "storage/backup/repository.h"
#include "storage/backup/verify_repository.h"
#include "storage/platform/monotonic.h"

namespace historian::server {

class BackupJob {
 public:
  enum class Kind { kInit, kList, kBackup, kVerify, kPrune, kDrill };
  // "a backup", for messages.
  static const char* KindText(Kind kind);

  struct Progress {
    enum class Step { kNone, kCopying, kReading, kRestoring, kVerifying, kComparing } step = Step::kNone;
    uint64_t done = 0;
    uint64_t total = 0;
    uint64_t new_bytes = 0;
  };
  // Each job fills in what it is about.
  struct Result {
    std::string archive_id;
    std::vector<backup::Repository::Listed> listed;
    std::vector<backup::DrillResult> drills;
    std::optional<backup::BackupInfo> backup;
    std::optional<backup::RepositoryCounts> counts;
    std::optional<backup::PruneResult> prune;
    std::optional<backup::DrillResult> drill;
  };
  struct News {
    Progress progress;
    backup::RepositoryCounts counts;                // Of a verification, so far.
    std::vector<backup::RepositoryDamage> damages;  // Since the news before.
    std::optional<absl::Status> ended;
  };

  BackupJob(Kind kind, bool scheduled) : kind(kind), scheduled(scheduled), begun(MonotonicTime::Now()) {}

  const Kind kind;
  const bool scheduled;  // Nobody waits for it.
  const MonotonicTime begun;

  // Ends it soon, with this status; but a call to a target that hangs is not ended by that. The first one stays.
  void Cancel(absl::Status why) ABSL_LOCKS_EXCLUDED(mu_);

  // ---- For whoever waits. One at a time.

  // Waits for news for so long at most. A job that was cancelled has ended for whoever waits, whatever it still does.
  News Await(absl::Duration timeout) ABSL_LOCKS_EXCLUDED(mu_);
  bool has_ended() const ABSL_LOCKS_EXCLUDED(mu_);
  // Once it has ended by itself.
  const Result& result() const { return result_; }

  // ---- For the work itself.

  // OK until it is cancelled.
  absl::Status KeepGoing() const ABSL_LOCKS_EXCLUDED(mu_);
  void Tell(const Progress& progress) ABSL_LOCKS_EXCLUDED(mu_);
  void TellCounts(const backup::RepositoryCounts& counts) ABSL_LOCKS_EXCLUDED(mu_);
  // Waits while so many were told that nobody has taken.
  void TellDamage(const backup::RepositoryDamage& damage) ABSL_LOCKS_EXCLUDED(mu_);
  Result& mutable_result() { return result_; }
  void End(absl::Status status) ABSL_LOCKS_EXCLUDED(mu_);

 private:
  mutable absl::Mutex mu_;
  CondVar changed_;
  bool news_ ABSL_GUARDED_BY(mu_) = false;
  Progress progress_ ABSL_GUARDED_BY(mu_);
  backup::RepositoryCounts counts_ ABSL_GUARDED_BY(mu_);
  std::vector<backup::RepositoryDamage> damages_ ABSL_GUARDED_BY(mu_);
  absl::Status cancelled_ ABSL_GUARDED_BY(mu_);
  std::optional<absl::Status> ended_ ABSL_GUARDED_BY(mu_);
  Result result_;  // Of the work until End, of all others then.
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_BACKUP_JOB_H_
