#include "server/backups.h"

#include <unistd.h>

#include <algorithm>
#include <utility>

#include "absl/strings/str_cat.h"
#include "absl/time/clock.h"
#include "storage/backup/backup_maker.h"
#include "storage/backup/repository.h"
#include "storage/model/status_macros.h"
#include "storage/model/version.h"
#include "storage/platform/background.h"

namespace historian::server {
namespace {

// A look at the target, or a scheduled backup, that failed is tried again.
constexpr absl::Duration kLookAgain = absl::Minutes(1);
constexpr absl::Duration kTryAgain = absl::Minutes(10);
// Lists that wait for the target at once.
constexpr size_t kListsMax = 8;
// How long Stop waits for a target.
constexpr absl::Duration kPatience = absl::Seconds(5);

bool IsExclusive(BackupJob::Kind kind) {
  return kind != BackupJob::Kind::kList && kind != BackupJob::Kind::kInit;
}

BackupSchedule ScheduleOf(const BackupConfig& config) {
  BackupSchedule schedule{.every = config.every, .minute_of_day = MinuteOfDay(config.at)};
  absl::LoadTimeZone(config.zone, &schedule.zone);  // The configuration was checked.
  return schedule;
}

double Seconds(Timestamp from, Timestamp to) {
  return from < to ? static_cast<double>(Elapsed(from, to)) / kNanosPerSecond : 0;
}

}  // namespace

// Open until Stop: what uses the server goes through it.
struct Backups::Door {
  absl::Mutex mu;
  Backups* backups ABSL_GUARDED_BY(mu) = nullptr;
  Archive* archive ABSL_GUARDED_BY(mu) = nullptr;

  absl::Status WithArchive(const std::function<absl::Status(Archive&)>& use) ABSL_LOCKS_EXCLUDED(mu) {
    absl::ReaderMutexLock lock(&mu);
    return archive == nullptr ? absl::UnavailableError("the server is stopping") : use(*archive);
  }
};

struct Backups::Work {
  BackupConfig config;
  std::string data_dir;
  uint64_t disk_reserve;
  const Clock& clock;
  OpenTarget open_target;
  std::shared_ptr<Door> door;

  // The target, its lock if it is to be changed, and the repository in it.
  struct Opened {
    std::unique_ptr<backup::Target> target;
    std::unique_ptr<backup::TargetLock> lock;
    std::optional<backup::Repository> repository;
  };
  absl::StatusOr<Opened> Open(BackupJob::Kind kind, bool locked) const {
    Opened opened;
    ASSIGN_OR_RETURN(opened.target, open_target());
    ASSIGN_OR_RETURN(opened.repository, backup::Repository::Open(*opened.target));
    RETURN_IF_ERROR(door->WithArchive([&](Archive& archive) -> absl::Status {
      ASSIGN_OR_RETURN(const std::string id, archive.Id());
      return opened.repository->CheckIsOf(id);
    }));
    if (locked) {
      ASSIGN_OR_RETURN(opened.lock, opened.target->Lock(Who(kind)));
    }
    return opened;
  }
  std::string Who(BackupJob::Kind kind) const {
    char host[256] = "";
    ::gethostname(host, sizeof(host) - 1);
    return absl::StrCat("process ", ::getpid(), " on ", host, " (", BackupJob::KindText(kind), " since ",
                        FormatTimestamp(clock.Now()), ")");
  }

  absl::Status Init(BackupJob& job) const {
    ASSIGN_OR_RETURN(const std::unique_ptr<backup::Target> target, open_target());
    std::string& id = job.mutable_result().archive_id;
    RETURN_IF_ERROR(door->WithArchive([&](Archive& archive) -> absl::Status {
      ASSIGN_OR_RETURN(id, archive.Id());
      return absl::OkStatus();
    }));
    return backup::Repository::Create(*target, id, clock.Now()).status();
  }

  absl::Status List(BackupJob& job) const {
    YieldToAllOther();
    ASSIGN_OR_RETURN(const Opened opened, Open(job.kind, /*locked=*/false));
    ASSIGN_OR_RETURN(job.mutable_result().listed, opened.repository->List());
    ASSIGN_OR_RETURN(job.mutable_result().drills, backup::ListDrills(*opened.repository, 1));
    return absl::OkStatus();
  }

  absl::Status Backup(BackupJob& job, const std::string& by) const {
    ASSIGN_OR_RETURN(const Opened opened, Open(job.kind, /*locked=*/true));
    std::optional<backup::BackupMaker> maker;
    RETURN_IF_ERROR(door->WithArchive([&](Archive& archive) -> absl::Status {
      absl::StatusOr<backup::BackupMaker> begun =
          backup::BackupMaker::Begin(archive, opened.repository->archive_id(),
                                     {.data_dir = data_dir,
                                      .work_dir = absl::StrCat(data_dir, "/runs"),
                                      .more_files = {"tokens.toml"},
                                      .bytes_per_second = config.rate_limit,
                                      .server_version = kVersion,
                                      .author = by},
                                     clock);
      RETURN_IF_ERROR(begun.status());
      maker.emplace(*std::move(begun));
      return absl::OkStatus();
    }));
    // Not before: writes waited for that.
    YieldToAllOther();
    ASSIGN_OR_RETURN(
        job.mutable_result().backup,
        maker->Copy(*opened.repository, {.on_progress =
                                             [&](const backup::BackupProgress& progress) {
                                               job.Tell({BackupJob::Progress::Step::kCopying, progress.bytes,
                                                         progress.bytes_total, progress.new_bytes});
                                             },
                                         .keep_going = [&] { return job.KeepGoing(); }}));
    return absl::OkStatus();
  }

  absl::Status Verify(BackupJob& job, const backup::VerifyRepositoryOptions& options) const {
    YieldToAllOther();
    // With the lock, so that nothing is removed meanwhile.
    ASSIGN_OR_RETURN(const Opened opened, Open(job.kind, /*locked=*/true));
    ASSIGN_OR_RETURN(
        job.mutable_result().counts,
        backup::VerifyRepository(
            *opened.repository, options,
            {.on_damage = [&](const backup::RepositoryDamage& damage) { job.TellDamage(damage); },
             .on_progress = [&](const backup::RepositoryCounts& counts) { job.TellCounts(counts); },
             .keep_going = [&] { return job.KeepGoing(); }}));
    return absl::OkStatus();
  }

  absl::Status Prune(BackupJob& job, const backup::PruneOptions& options) const {
    YieldToAllOther();
    ASSIGN_OR_RETURN(const Opened opened, Open(job.kind, /*locked=*/!options.dry_run));
    ASSIGN_OR_RETURN(job.mutable_result().prune,
                     backup::Prune(*opened.repository, options, [&] { return job.KeepGoing(); }));
    return absl::OkStatus();
  }

  absl::Status Drill(BackupJob& job, const std::string& id) const {
    YieldToAllOther();
    ASSIGN_OR_RETURN(const Opened opened, Open(job.kind, /*locked=*/true));
    ASSIGN_OR_RETURN(const backup::Manifest manifest,
                     id.empty() ? opened.repository->FindNewest() : opened.repository->ReadManifest(id));
    using Step = BackupJob::Progress::Step;
    const std::string in = config.scratch.empty() ? absl::StrCat(data_dir, "/runs") : config.scratch;
    ASSIGN_OR_RETURN(const backup::DrillResult result,
                     backup::Drill(*opened.repository, manifest, clock,
                                   {.scratch = absl::StrCat(in, "/drill-", ::getpid()),
                                    .bytes_per_second = config.rate_limit,
                                    .room_left = disk_reserve,
                                    .on_progress =
                                        [&](const backup::DrillProgress& progress) {
                                          const Step step =
                                              progress.step == backup::DrillProgress::Step::kRestoring
                                                  ? Step::kRestoring
                                              : progress.step == backup::DrillProgress::Step::kVerifying
                                                  ? Step::kVerifying
                                                  : Step::kComparing;
                                          job.Tell({step, progress.done, progress.total});
                                        },
                                    .with_archive = [&](const auto& use) { return door->WithArchive(use); },
                                    .keep_going = [&] { return job.KeepGoing(); }}));
    job.mutable_result().drill = result;
    return backup::RecordDrill(*opened.repository, result);
  }
};

Backups::Backups(const Config& config, Archive& archive, const Clock& clock, Log& log, OpenTarget open_target)
    : config_(config.backup),
      clock_(clock),
      log_(log),
      schedule_(ScheduleOf(config.backup)),
      started_(clock.Now()),
      work_(std::make_shared<const Work>(Work{.config = config.backup,
                                              .data_dir = config.data_dir,
                                              .disk_reserve = config.archive.disk_reserve,
                                              .clock = clock,
                                              .open_target = std::move(open_target),
                                              .door = std::make_shared<Door>()})) {
  absl::MutexLock lock(&work_->door->mu);
  work_->door->backups = this;
  work_->door->archive = &archive;
  absl::MutexLock state_lock(&mu_);
  state_.target = config_.target;
}

backup::KeepRules Backups::keep_rules() const {
  return {.last = static_cast<uint32_t>(config_.keep_last),
          .daily = static_cast<uint32_t>(config_.keep_daily),
          .weekly = static_cast<uint32_t>(config_.keep_weekly),
          .monthly = static_cast<uint32_t>(config_.keep_monthly),
          .yearly = static_cast<uint32_t>(config_.keep_yearly),
          .zone = schedule_.zone};
}

// ---- Beginning and ending

void Backups::Reap() {
  for (Running& running : running_) {
    if (running.job->has_ended()) running.thread.join();
  }
  std::erase_if(running_, [](const Running& running) { return !running.thread.joinable(); });
}

absl::StatusOr<Backups::Job> Backups::Begin(BackupJob::Kind kind, bool scheduled, const std::string& by,
                                            std::function<absl::Status(const Work&, BackupJob&)> run) {
  absl::MutexLock lock(&mu_);
  if (stopping_) return absl::UnavailableError("the server is stopping");
  if (config_.target.empty()) {
    return absl::FailedPreconditionError(
        "no backup.target is configured: set it to a directory or s3://BUCKET/PREFIX, and start the server "
        "anew");
  }
  Reap();
  if (IsExclusive(kind) && exclusive_ != nullptr) {
    return absl::FailedPreconditionError(absl::StrCat(BackupJob::KindText(exclusive_->kind),
                                                      " is running since ", FormatTimestamp(exclusive_since_),
                                                      "; wait until it is done"));
  }
  if (!IsExclusive(kind) && running_.size() >= kListsMax) {
    return absl::ResourceExhaustedError(absl::StrCat(running_.size(), " calls are waiting for ",
                                                     config_.target, " already: it does not answer"));
  }
  auto job = std::make_shared<BackupJob>(kind, scheduled);
  if (IsExclusive(kind)) {
    exclusive_ = job;
    exclusive_since_ = clock_.Now();
    state_.running = BackupJob::KindText(kind);
    state_.running_since = exclusive_since_;
    log_.Info("backup_work_begun",
              {{"what", BackupJob::KindText(kind)}, {"target", config_.target}, {"by", by}});
  }
  running_.push_back({job, std::thread([job, run = std::move(run), work = work_] {
                        const absl::Status status = run(*work, *job);
                        {
                          absl::ReaderMutexLock lock(&work->door->mu);
                          if (work->door->backups != nullptr) work->door->backups->Ended(*job, status);
                        }
                        job->End(status);
                      })});
  return job;
}

void Backups::Ended(const BackupJob& job, const absl::Status& status) {
  const Timestamp now = clock_.Now();
  const BackupJob::Result& result = job.result();
  absl::MutexLock lock(&mu_);
  if (exclusive_.get() == &job) {
    exclusive_ = nullptr;
    state_.running.clear();
    state_.running_since = 0;
  }
  switch (job.kind) {
    case BackupJob::Kind::kInit:
      if (!status.ok()) return;
      known_ = true;
      state_.last_error.clear();
      log_.Info("backup_repository_made", {{"target", config_.target}, {"archive", result.archive_id}});
      return;
    case BackupJob::Kind::kList: {
      tried_ = MonotonicTime::Now();
      const std::string before = state_.last_error;
      if (!status.ok()) {
        if (!job.scheduled) return;
        state_.last_error = std::string(status.message());
        if (before != state_.last_error)
          log_.Warning("backup_target_unreadable",
                       {{"target", config_.target}, {"message", status.message()}});
        return;
      }
      if (!known_) state_.last_error.clear();
      known_ = true;
      tried_ = MonotonicTime::InfinitePast();
      state_.newest = std::nullopt;
      for (const backup::Repository::Listed& one : result.listed) {
        if (one.info.ok()) state_.newest = *one.info;
      }
      if (!result.drills.empty()) state_.drill = result.drills.front();
      return;
    }
    case BackupJob::Kind::kBackup:
      if (!status.ok()) {
        ++state_.failures;
        state_.last_failure = now;
        state_.last_error = std::string(status.message());
        tried_ = MonotonicTime::Now();
        // On a full target that may make room.
        prune_due_ = job.scheduled && absl::IsResourceExhausted(status);
        log_.Error("backup_failed", {{"target", config_.target}, {"message", status.message()}});
        return;
      }
      ++state_.taken;
      state_.last_error.clear();
      tried_ = MonotonicTime::InfinitePast();
      known_ = true;
      prune_due_ = job.scheduled;
      state_.newest = *result.backup;
      log_.Info("backup_taken", {{"backup", result.backup->id},
                                 {"target", config_.target},
                                 {"version", uint64_t{result.backup->version}},
                                 {"files", result.backup->files},
                                 {"bytes", result.backup->bytes},
                                 {"new_files", result.backup->new_files},
                                 {"new_bytes", result.backup->new_bytes},
                                 {"took_seconds", Seconds(result.backup->begun, result.backup->ended)}});
      return;
    case BackupJob::Kind::kVerify:
      if (!status.ok()) {
        log_.Warning("backup_verification_ended", {{"message", status.message()}});
      } else if (result.counts->damages > 0) {
        log_.Error("backup_damaged", {{"target", config_.target}, {"damages", result.counts->damages}});
      } else {
        log_.Info("backup_verified", {{"backups", result.counts->backups},
                                      {"files", result.counts->files},
                                      {"bytes_read", result.counts->bytes}});
      }
      return;
    case BackupJob::Kind::kPrune:
      if (!status.ok()) {
        log_.Error("backup_prune_failed", {{"target", config_.target}, {"message", status.message()}});
        return;
      }
      log_.Info("backup_pruned", {{"kept", uint64_t{result.prune->kept.size()}},
                                  {"removed", uint64_t{result.prune->removed.size()}},
                                  {"damaged", uint64_t{result.prune->damaged.size()}},
                                  {"files", result.prune->files},
                                  {"bytes", result.prune->bytes}});
      return;
    case BackupJob::Kind::kDrill:
      drilled_ = MonotonicTime::Now();
      if (result.drill.has_value()) state_.drill = *result.drill;
      if (!status.ok()) {
        log_.Error("backup_drill_ended", {{"message", status.message()}});
      } else if (!result.drill->passed()) {
        log_.Error("backup_drill_failed", {{"backup", result.drill->backup}, {"what", result.drill->what}});
      } else {
        log_.Info("backup_drill_passed",
                  {{"backup", result.drill->backup},
                   {"samples", result.drill->compared},
                   {"expired", result.drill->expired},
                   {"took_seconds", Seconds(result.drill->begun, result.drill->ended)}});
      }
      return;
  }
}

void Backups::Cancel() {
  absl::MutexLock lock(&mu_);
  stopping_ = true;
  for (const Running& running : running_)
    running.job->Cancel(absl::UnavailableError("the server is stopping"));
}

void Backups::Stop() {
  Cancel();
  {
    absl::MutexLock lock(&work_->door->mu);
    work_->door->backups = nullptr;
    work_->door->archive = nullptr;
  }
  const MonotonicTime deadline = MonotonicTime::Now() + kPatience;
  absl::MutexLock lock(&mu_);
  for (Running& running : running_) {
    while (!running.job->has_ended() && MonotonicTime::Now() < deadline)
      absl::SleepFor(absl::Milliseconds(5));
    if (running.job->has_ended()) {
      running.thread.join();
    } else {
      log_.Warning("backup_left_behind", {{"what", BackupJob::KindText(running.job->kind)},
                                          {"target", config_.target},
                                          {"reason", "the target does not answer"}});
      running.thread.detach();
    }
  }
  running_.clear();
}

// ---- What is asked for

absl::StatusOr<Backups::Job> Backups::BeginInit(const std::string& by) {
  return Begin(BackupJob::Kind::kInit, false, by,
               [](const Work& work, BackupJob& job) { return work.Init(job); });
}
absl::StatusOr<Backups::Job> Backups::BeginList() {
  return Begin(BackupJob::Kind::kList, false, "",
               [](const Work& work, BackupJob& job) { return work.List(job); });
}
absl::StatusOr<Backups::Job> Backups::BeginBackup(const std::string& by) {
  return Begin(BackupJob::Kind::kBackup, false, by,
               [by](const Work& work, BackupJob& job) { return work.Backup(job, by); });
}
absl::StatusOr<Backups::Job> Backups::BeginVerify(backup::VerifyRepositoryOptions options,
                                                  const std::string& by) {
  options.bytes_per_second = config_.rate_limit;
  return Begin(BackupJob::Kind::kVerify, false, by,
               [options](const Work& work, BackupJob& job) { return work.Verify(job, options); });
}
absl::StatusOr<Backups::Job> Backups::BeginPrune(backup::PruneOptions options, const std::string& by) {
  return Begin(BackupJob::Kind::kPrune, false, by,
               [options](const Work& work, BackupJob& job) { return work.Prune(job, options); });
}
absl::StatusOr<Backups::Job> Backups::BeginDrill(const std::string& backup, const std::string& by) {
  return Begin(BackupJob::Kind::kDrill, false, by,
               [backup](const Work& work, BackupJob& job) { return work.Drill(job, backup); });
}

// ---- What it does by itself

const backup::BackupInfo* Backups::Believed() const {
  return state_.newest.has_value() && state_.newest->begun <= clock_.Now() ? &*state_.newest : nullptr;
}

bool Backups::IsOverdue() const {
  const backup::BackupInfo* const newest = Believed();
  return clock_.Now() >
         (newest != nullptr ? newest->taken : started_) + absl::ToInt64Nanoseconds(config_.alert_after);
}

Timestamp Backups::NextDue() const {
  if (config_.target.empty()) return 0;
  const backup::BackupInfo* const newest = Believed();
  const absl::Time due =
      schedule_.NextAfter(newest != nullptr ? std::optional(TimeFromTimestamp(newest->begun)) : std::nullopt,
                          TimeFromTimestamp(started_));
  return due == absl::InfiniteFuture() ? 0 : TimestampFromTime(due).value_or(0);
}

bool Backups::DrillIsDue() const {
  if (config_.drill_every <= absl::ZeroDuration() || !state_.newest.has_value()) return false;
  if (MonotonicTime::Now() - drilled_ < std::min(config_.drill_every, kTryAgain)) return false;
  return !state_.drill.has_value() || state_.drill->begun > clock_.Now() ||
         clock_.Now() >= state_.drill->begun + absl::ToInt64Nanoseconds(config_.drill_every);
}

void Backups::Look() {
  if (config_.target.empty()) return;
  bool look = false, prune = false, backup = false, drill = false, overdue = false;
  {
    absl::MutexLock lock(&mu_);
    if (stopping_) return;
    Reap();
    overdue = IsOverdue();
    const bool is_free = exclusive_ == nullptr && running_.empty();
    const absl::Duration since_tried = MonotonicTime::Now() - tried_;
    look = !known_ && is_free && since_tried >= kLookAgain;
    const Timestamp due = NextDue();
    prune = is_free && std::exchange(prune_due_, prune_due_ && !is_free);
    backup = known_ && is_free && due != 0 && due <= clock_.Now() && since_tried >= kTryAgain;
    drill = known_ && is_free && DrillIsDue();
  }
  if (overdue != said_overdue_) {
    said_overdue_ = overdue;
    const BackupState state = State();
    if (overdue) {
      log_.Error("backup_overdue", {{"target", config_.target},
                                    {"newest", state.newest.has_value() ? FormatTimestamp(state.newest->taken)
                                                                        : "none is known"},
                                    {"last_error", state.last_error}});
    } else {
      log_.Info("backup_in_time", {{"newest", FormatTimestamp(state.newest->taken)}});
    }
  }
  // What somebody else has begun meanwhile goes first: it is due the next time still.
  absl::Status status;
  if (look) {
    status = Begin(BackupJob::Kind::kList, true, "schedule", [](const Work& work, BackupJob& job) {
               return work.List(job);
             }).status();
  } else if (prune) {
    status = Begin(BackupJob::Kind::kPrune, true, "schedule",
                   [options = backup::PruneOptions{.keep = keep_rules()}](const Work& work, BackupJob& job) {
                     return work.Prune(job, options);
                   })
                 .status();
  } else if (backup) {
    status = Begin(BackupJob::Kind::kBackup, true, "schedule", [](const Work& work, BackupJob& job) {
               return work.Backup(job, "schedule");
             }).status();
  } else if (drill) {
    status = Begin(BackupJob::Kind::kDrill, true, "schedule", [](const Work& work, BackupJob& job) {
               return work.Drill(job, "");
             }).status();
  }
  status.IgnoreError();
}

BackupState Backups::State() const {
  absl::MutexLock lock(&mu_);
  BackupState state = state_;
  state.next = NextDue();
  state.overdue = !config_.target.empty() && IsOverdue();
  return state;
}

}  // namespace historian::server
