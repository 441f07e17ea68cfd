// File: server/backups.h
//
// The backups of a running server: takes them when they are due, and when somebody asks; prunes, verifies, drills; and knows how
// things stand.
//
// Each piece of work has a thread of its own (backup_job.h), as a target may hang. What changes the repository runs alone. What
// uses the archive (milliseconds of a backup, the comparing of a drill) goes through a door that Stop closes; all else touches
// only the target. So a target that hangs holds up neither reads nor writes, nor the end of the server.
#ifndef HISTORIAN_SERVER_BACKUPS_H_
#define HISTORIAN_SERVER_BACKUPS_H_

#include <functional>
#include <memory>
#include <optional>
#include <string>
#include <thread>
#include <vector>

#include "absl/base/thread_annotations.h"
#include "absl/status/status.h"
#include "absl/status/statusor.h"
#include "absl/synchronization/mutex.h"
#include "server/backup_job.h"
#include "server/backup_schedule.h"
#include "server/backup_state.h"
#include "server/config.h"
#include "server/log.h"
#include "storage/archive/archive.h"
#include "storage/backup/drill.h"
#include "storage/backup/manifest.h"
#include "storage/backup/prune.h"
#include "storage/backup/target.h"
#include "storage/backup/verify_repository.h"
#include "storage/model/clock.h"

namespace historian::server {

class Backups {
 public:
  using Job = std::shared_ptr<BackupJob>;
  using OpenTarget = std::function<absl::StatusOr<std::unique_ptr<backup::Target>>()>;

  // The archive, clock and log must outlive Stop(). The clock must outlive work that Stop() had to leave behind, too.
  Backups(const Config& config, Archive& archive, const Clock& clock, Log& log, OpenTarget open_target);
  ~Backups() { Stop(); }

  // Begins what is due, and says what has changed. Waits for nothing. To be called every few seconds, by one thread.
  void Look() ABSL_LOCKS_EXCLUDED(mu_);

  // What is under way ends with UNAVAILABLE, and nothing begins any more.
  void Cancel() ABSL_LOCKS_EXCLUDED(mu_);
  // Also waits for it, for some seconds at most: what a target holds for longer is left behind, and touches nothing of the
  // server any more.
  void Stop() ABSL_LOCKS_EXCLUDED(mu_);

  BackupState State() const ABSL_LOCKS_EXCLUDED(mu_);

  // Each begins the work and returns at once. `by` is told in the log.
  // Errors: FailedPrecondition, there is no target, or something else runs. Unavailable, the server is stopping.
  // ResourceExhausted, of lists: as many are waiting for the target as may.
  absl::StatusOr<Job> BeginInit(const std::string& by);
  absl::StatusOr<Job> BeginList();
  absl::StatusOr<Job> BeginBackup(const std::string& by);
  absl::StatusOr<Job> BeginVerify(backup::VerifyRepositoryOptions options, const std::string& by);
  absl::StatusOr<Job> BeginPrune(backup::PruneOptions options, const std::string& by);
  absl::StatusOr<Job> BeginDrill(const std::string& backup, const std::string& by);  // Empty: the newest.

  backup::KeepRules keep_rules() const;

 private:
  struct Door;
  struct Work;  // What jobs need, which may outlive this object.
  struct Running {
    Job job;
    std::thread thread;
  };

  absl::StatusOr<Job> Begin(BackupJob::Kind kind, bool scheduled, const std::string& by,
                            std::function<absl::Status(const Work&, BackupJob&)> run)
      ABSL_LOCKS_EXCLUDED(mu_);
  // Of a job's thread, through the door.
  void Ended(const BackupJob& job, const absl::Status& status) ABSL_LOCKS_EXCLUDED(mu_);
  void Reap() ABSL_EXCLUSIVE_LOCKS_REQUIRED(mu_);
  // The newest that is known; null without one. One that lies ahead of the clock was taken while a clock was wrong: it says
  // nothing of when the next one is due.
  const backup::BackupInfo* Believed() const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool IsOverdue() const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  Timestamp NextDue() const ABSL_SHARED_LOCKS_REQUIRED(mu_);
  bool DrillIsDue() const ABSL_SHARED_LOCKS_REQUIRED(mu_);

  const BackupConfig config_;
  const Clock& clock_;
  Log& log_;
  const BackupSchedule schedule_;
  const Timestamp started_;
  const std::shared_ptr<const Work> work_;

  // Of Look.
  bool said_overdue_ = false;

  mutable absl::Mutex mu_;
  bool stopping_ ABSL_GUARDED_BY(mu_) = false;
  std::vector<Running> running_ ABSL_GUARDED_BY(mu_);
  Job exclusive_ ABSL_GUARDED_BY(mu_);  // What changes the repository; null: nothing does.
  Timestamp exclusive_since_ ABSL_GUARDED_BY(mu_) = 0;
  bool known_ ABSL_GUARDED_BY(mu_) = false;  // What the target has was looked at.
  // When that, or a scheduled piece of work, was tried last and failed.
  MonotonicTime tried_ ABSL_GUARDED_BY(mu_) = MonotonicTime::InfinitePast();
  bool prune_due_ ABSL_GUARDED_BY(mu_) = false;  // After a scheduled backup.
  BackupState state_ ABSL_GUARDED_BY(mu_);
  MonotonicTime drilled_ ABSL_GUARDED_BY(mu_) = MonotonicTime::InfinitePast();
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_BACKUPS_H_
