#include "server/backup_job.h"

#include <utility>

namespace historian::server {
namespace {

// Damages that are held for a client that is slow.
constexpr size_t kDamagesHeldMax = 500;
constexpr absl::Duration kLookPeriod = absl::Milliseconds(50);

}  // namespace

const char* BackupJob::KindText(Kind kind) {
  switch (kind) {
    case Kind::kInit:
      return "the making of a repository";
    case Kind::kList:
      return "a list";
    case Kind::kBackup:
      return "a backup";
    case Kind::kVerify:
      return "a verification";
    case Kind::kPrune:
      return "a pruning";
    case Kind::kDrill:
      return "a drill";
  }
  return "";
}

void BackupJob::Cancel(absl::Status why) {
  absl::MutexLock lock(&mu_);
  cancelled_.Update(std::move(why));
  changed_.SignalAll();
}

BackupJob::News BackupJob::Await(absl::Duration timeout) {
  absl::MutexLock lock(&mu_);
  changed_.AwaitFor(&mu_, timeout, [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS {
    return news_ || ended_.has_value() || !cancelled_.ok();
  });
  news_ = false;
  News news{
      .progress = progress_, .counts = counts_, .damages = std::exchange(damages_, {}), .ended = ended_};
  if (!news.ended.has_value() && !cancelled_.ok()) news.ended = cancelled_;
  changed_.SignalAll();
  return news;
}

bool BackupJob::has_ended() const {
  absl::MutexLock lock(&mu_);
  return ended_.has_value();
}

absl::Status BackupJob::KeepGoing() const {
  absl::MutexLock lock(&mu_);
  return cancelled_;
}

void BackupJob::Tell(const Progress& progress) {
  absl::MutexLock lock(&mu_);
  progress_ = progress;
}

void BackupJob::TellCounts(const backup::RepositoryCounts& counts) {
  absl::MutexLock lock(&mu_);
  counts_ = counts;
}

void BackupJob::TellDamage(const backup::RepositoryDamage& damage) {
  absl::MutexLock lock(&mu_);
  if (scheduled) return;
  const auto has_room = [this]() ABSL_NO_THREAD_SAFETY_ANALYSIS { return damages_.size() < kDamagesHeldMax; };
  while (cancelled_.ok() && !changed_.AwaitFor(&mu_, kLookPeriod, has_room)) {
  }
  damages_.push_back(damage);
  news_ = true;
  changed_.SignalAll();
}

void BackupJob::End(absl::Status status) {
  absl::MutexLock lock(&mu_);
  ended_ = std::move(status);
  changed_.SignalAll();
}

}  // namespace historian::server
