#include "server/backup_service.h"

#include <algorithm>
#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "server/call.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

// A verification of more backups than there may be is a mistake.
constexpr int kBackupsNamedMax = 100'000;
constexpr absl::Duration kNewsPeriod = absl::Seconds(1);
constexpr absl::Duration kLookPeriod = absl::Milliseconds(100);

template <class Request>
Run OnPool(const Request&) {
  return Run::kOnPool;
}

// Whom the log names.
std::string NameOf(const CallRecord& record) {
  return record.caller().is_everyone() ? "somebody" : record.caller().name();
}

void InfoToWire(const backup::BackupInfo& info, v1::BackupInfo* to) {
  to->set_id(info.id);
  to->set_taken(info.taken);
  to->set_ended(info.ended);
  to->set_server_version(info.server_version);
  to->set_version(info.version);
  to->set_files(info.files);
  to->set_bytes(info.bytes);
  to->set_new_files(info.new_files);
  to->set_new_bytes(info.new_bytes);
  to->set_damages(info.damages);
}

void DrillToWire(const backup::DrillResult& drill, v1::DrillInfo* to) {
  to->set_id(drill.id);
  to->set_backup(drill.backup);
  to->set_begun(drill.begun);
  to->set_ended(drill.ended);
  to->set_version(drill.version);
  to->set_blocks(drill.blocks);
  to->set_samples(drill.samples);
  to->set_damages(drill.damages);
  to->set_tags(drill.tags);
  to->set_compared(drill.compared);
  to->set_expired(drill.expired);
  to->set_differences(drill.differences);
  to->set_what(drill.what);
}

void ProgressToWire(const BackupJob::Progress& progress, v1::BackupProgress* to) {
  using Step = BackupJob::Progress::Step;
  switch (progress.step) {
    case Step::kNone:
      to->set_step(v1::BackupProgress::STEP_UNSPECIFIED);
      break;
    case Step::kCopying:
      to->set_step(v1::BackupProgress::STEP_COPYING);
      break;
    case Step::kReading:
      to->set_step(v1::BackupProgress::STEP_READING);
      break;
    case Step::kRestoring:
      to->set_step(v1::BackupProgress::STEP_RESTORING);
      break;
    case Step::kVerifying:
      to->set_step(v1::BackupProgress::STEP_VERIFYING);
      break;
    case Step::kComparing:
      to->set_step(v1::BackupProgress::STEP_COMPARING);
      break;
  }
  to->set_done(progress.done);
  to->set_total(progress.total);
  to->set_new_bytes(progress.new_bytes);
}

// The news of a job as a stream of answers. Whoever goes away ends it.
template <class Answer>
class JobSource final : public FrameSource {
 public:
  // say(news, result, answer): `result` is null until the end.
  using Say = std::function<void(const BackupJob::News&, const BackupJob::Result*, Answer*)>;

  JobSource(Backups::Job job, Say say) : job_(std::move(job)), say_(std::move(say)) {}
  ~JobSource() override { job_->Cancel(absl::CancelledError("whoever asked for it is gone")); }

  absl::StatusOr<Step> Next(grpc::ByteBuffer* frame) override {
    const BackupJob::News news = job_->Await(kNewsPeriod);
    if (news.ended.has_value()) RETURN_IF_ERROR(*news.ended);
    Answer answer;
    say_(news, news.ended.has_value() ? &job_->result() : nullptr, &answer);
    *frame = SerializeMessage(answer);
    return news.ended.has_value() ? Step::kLastFrame : Step::kFrame;
  }
  bool IsQuick() const override { return false; }

 private:
  const Backups::Job job_;
  const Say say_;
};

// Each backup of a list as an answer.
class ListSource final : public FrameSource {
 public:
  ListSource(Backups::Job job, KeepGoing keep_going)
      : job_(std::move(job)), keep_going_(std::move(keep_going)) {}
  ~ListSource() override { job_->Cancel(absl::CancelledError("whoever asked for it is gone")); }

  absl::StatusOr<Step> Next(grpc::ByteBuffer* frame) override {
    while (!is_there_) {
      RETURN_IF_ERROR(keep_going_());
      const BackupJob::News news = job_->Await(kLookPeriod);
      if (!news.ended.has_value()) continue;
      RETURN_IF_ERROR(*news.ended);
      is_there_ = true;
    }
    const std::vector<backup::Repository::Listed>& listed = job_->result().listed;
    if (next_ == listed.size()) return Step::kEnd;
    v1::ListedBackup answer;
    const backup::Repository::Listed& one = listed[next_++];
    if (one.info.ok()) {
      InfoToWire(*one.info, answer.mutable_backup());
    } else {
      answer.mutable_backup()->set_id(one.id);
      answer.set_damage(std::string(one.info.status().message()));
    }
    *frame = SerializeMessage(answer);
    return next_ == listed.size() ? Step::kLastFrame : Step::kFrame;
  }
  bool IsQuick() const override { return false; }

 private:
  const Backups::Job job_;
  const KeepGoing keep_going_;
  bool is_there_ = false;
  size_t next_ = 0;
};

// Waits until the job has ended; whoever goes away ends it.
absl::Status Finish(const Backups::Job& job, const KeepGoing& keep_going) {
  while (true) {
    const BackupJob::News news = job->Await(kLookPeriod);
    if (news.ended.has_value()) return *news.ended;
    if (absl::Status status = keep_going(); !status.ok()) {
      job->Cancel(status);
      return status;
    }
  }
}

}  // namespace

void BackupStateToWire(const BackupState& state, v1::BackupStatus* to) {
  to->set_target(state.target);
  to->set_running(state.running);
  to->set_running_since(state.running_since);
  if (state.newest.has_value()) {
    InfoToWire(*state.newest, to->mutable_newest());
    if (state.newest->begun <= state.newest->ended)
      to->set_newest_seconds(static_cast<double>(Elapsed(state.newest->begun, state.newest->ended)) /
                             kNanosPerSecond);
  }
  to->set_next(state.next);
  to->set_overdue(state.overdue);
  to->set_backups(state.taken);
  to->set_failures(state.failures);
  to->set_last_failure(state.last_failure);
  to->set_last_error(state.last_error);
  if (state.drill.has_value()) DrillToWire(*state.drill, to->mutable_drill());
}

grpc::ServerUnaryReactor* BackupService::Init(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::InitBackupsRequest, v1::InitBackupsResponse>(
      env_, context, Method::kInitBackups, /*is_query=*/false, in, out, OnPool<v1::InitBackupsRequest>,
      [this](const v1::InitBackupsRequest&, const KeepGoing& keep_going, CallRecord& record,
             v1::InitBackupsResponse* to) -> absl::Status {
        ASSIGN_OR_RETURN(const Backups::Job job, backups_.BeginInit(NameOf(record)));
        RETURN_IF_ERROR(Finish(job, keep_going));
        to->set_target(env_.config.backup.target);
        to->set_archive_id(job->result().archive_id);
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* BackupService::Create(Context* context, const Bytes* in) {
  return ServeStream<v1::CreateBackupRequest>(
      env_, context, Method::kCreateBackup, /*is_query=*/false, in, OnPool<v1::CreateBackupRequest>,
      [this](const v1::CreateBackupRequest&, const KeepGoing&,
             CallRecord& record) -> absl::StatusOr<std::unique_ptr<FrameSource>> {
        ASSIGN_OR_RETURN(Backups::Job job, backups_.BeginBackup(NameOf(record)));
        return std::make_unique<JobSource<v1::CreateBackupResponse>>(
            std::move(job),
            [](const BackupJob::News& news, const BackupJob::Result* result, v1::CreateBackupResponse* to) {
              ProgressToWire(news.progress, to->mutable_progress());
              if (result != nullptr) InfoToWire(*result->backup, to->mutable_backup());
            });
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* BackupService::List(Context* context, const Bytes* in) {
  return ServeStream<v1::ListBackupsRequest>(
      env_, context, Method::kListBackups, /*is_query=*/false, in, OnPool<v1::ListBackupsRequest>,
      [this](const v1::ListBackupsRequest&, KeepGoing keep_going,
             CallRecord&) -> absl::StatusOr<std::unique_ptr<FrameSource>> {
        ASSIGN_OR_RETURN(Backups::Job job, backups_.BeginList());
        return std::make_unique<ListSource>(std::move(job), std::move(keep_going));
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* BackupService::Verify(Context* context, const Bytes* in) {
  return ServeStream<v1::VerifyBackupsRequest>(
      env_, context, Method::kVerifyBackups, /*is_query=*/false, in, OnPool<v1::VerifyBackupsRequest>,
      [this](const v1::VerifyBackupsRequest& request, const KeepGoing&,
             CallRecord& record) -> absl::StatusOr<std::unique_ptr<FrameSource>> {
        RETURN_IF_ERROR(CheckLimit(request.backups_size(), kBackupsNamedMax, "backups", "fixed"));
        backup::VerifyRepositoryOptions options{
            .backups = {request.backups().begin(), request.backups().end()}};
        if (request.has_sample()) {
          if (!(request.sample() >= 0 && request.sample() <= 1)) {
            return absl::InvalidArgumentError(
                absl::StrCat("the sample is ", request.sample(), "; it is a part, from 0 to 1"));
          }
          options.sample = request.sample();
        }
        ASSIGN_OR_RETURN(Backups::Job job, backups_.BeginVerify(std::move(options), NameOf(record)));
        return std::make_unique<JobSource<v1::VerifyBackupsResponse>>(
            std::move(job),
            [](const BackupJob::News& news, const BackupJob::Result* result, v1::VerifyBackupsResponse* to) {
              for (const backup::RepositoryDamage& damage : news.damages) {
                v1::BackupDamage* const found = to->add_damage();
                found->set_object(damage.object);
                found->set_what(damage.what);
                found->set_path(damage.path);
                for (const std::string& id : damage.backups) found->add_backups(id);
              }
              const backup::RepositoryCounts& counts = result == nullptr ? news.counts : *result->counts;
              to->set_backups(counts.backups);
              to->set_files(counts.files);
              to->set_files_total(counts.files_total);
              to->set_bytes(counts.bytes);
              to->set_bytes_total(counts.bytes_total);
              to->set_damages(counts.damages);
              to->set_done(result != nullptr);
            });
      });
}

grpc::ServerUnaryReactor* BackupService::Prune(Context* context, const Bytes* in, Bytes* out) {
  return ServeUnary<v1::PruneBackupsRequest, v1::PruneBackupsResponse>(
      env_, context, Method::kPruneBackups, /*is_query=*/false, in, out, OnPool<v1::PruneBackupsRequest>,
      [this](const v1::PruneBackupsRequest& request, const KeepGoing& keep_going, CallRecord& record,
             v1::PruneBackupsResponse* to) -> absl::Status {
        backup::PruneOptions options{.keep = backups_.keep_rules(),
                                     .dry_run = request.dry_run(),
                                     .remove_damaged = request.remove_damaged()};
        if (request.has_keep()) {
          options.keep.last = request.keep().last();
          options.keep.daily = request.keep().daily();
          options.keep.weekly = request.keep().weekly();
          options.keep.monthly = request.keep().monthly();
          options.keep.yearly = request.keep().yearly();
        }
        ASSIGN_OR_RETURN(const Backups::Job job, backups_.BeginPrune(options, NameOf(record)));
        RETURN_IF_ERROR(Finish(job, keep_going));
        const backup::PruneResult& result = *job->result().prune;
        for (const std::string& id : result.kept) to->add_kept(id);
        for (const std::string& id : result.removed) to->add_removed(id);
        for (const std::string& id : result.damaged) to->add_damaged(id);
        to->set_files(result.files);
        to->set_bytes(result.bytes);
        return absl::OkStatus();
      });
}

grpc::ServerWriteReactor<grpc::ByteBuffer>* BackupService::Drill(Context* context, const Bytes* in) {
  return ServeStream<v1::DrillBackupRequest>(
      env_, context, Method::kDrillBackup, /*is_query=*/false, in, OnPool<v1::DrillBackupRequest>,
      [this](const v1::DrillBackupRequest& request, const KeepGoing&,
             CallRecord& record) -> absl::StatusOr<std::unique_ptr<FrameSource>> {
        ASSIGN_OR_RETURN(Backups::Job job, backups_.BeginDrill(request.backup(), NameOf(record)));
        return std::make_unique<JobSource<v1::DrillBackupResponse>>(
            std::move(job),
            [](const BackupJob::News& news, const BackupJob::Result* result, v1::DrillBackupResponse* to) {
              ProgressToWire(news.progress, to->mutable_progress());
              if (result != nullptr) DrillToWire(*result->drill, to->mutable_drill());
            });
      });
}

}  // namespace historian::server
