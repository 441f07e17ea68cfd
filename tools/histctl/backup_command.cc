#include <unistd.h>

#include <functional>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "absl/time/time.h"
#include "client/backups.h"
#include "storage/backup/open_target.h"
#include "storage/backup/repository.h"
#include "storage/backup/restore.h"
#include "storage/backup/verify_repository.h"
#include "storage/model/status_macros.h"
#include "storage/platform/monotonic.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/terminal.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

struct BackupCommand {
  std::string repository;  // Empty: the server's.
  std::string s3_endpoint;
  std::string s3_region = "us-east-1";
  std::string s3_credentials;
  std::vector<std::string> backups;
  std::string backup;
  std::string at;
  std::string to;
  double sample = 1;
  double mib_per_second = 0;
  bool dry_run = false;
  bool remove_damaged = false;
  bool keep_given = false;
  uint32_t last = 0, daily = 0, weekly = 0, monthly = 0, yearly = 0;
};

// Of a repository on this machine, or one that was asked for from here.
absl::Status LocalError(const absl::Status& status) {
  if (status.ok() || absl::IsCancelled(status) || absl::IsNotFound(status)) return status;
  if (absl::IsInvalidArgument(status)) return UsageError(status.message());
  if (absl::IsDataLoss(status)) return DamagedError(status.message());
  return LocalFileError(status.message());
}

// A repository that is read without a server.
struct Opened {
  std::unique_ptr<backup::Target> target;
  std::optional<backup::Repository> repository;
};
absl::StatusOr<Opened> OpenRepository(const BackupCommand& options) {
  Opened opened;
  absl::StatusOr<std::unique_ptr<backup::Target>> target =
      backup::OpenTarget({.target = options.repository,
                          .s3_endpoint = options.s3_endpoint,
                          .s3_region = options.s3_region,
                          .s3_credentials = options.s3_credentials});
  if (!target.ok()) return LocalError(target.status());
  opened.target = *std::move(target);
  absl::StatusOr<backup::Repository> repository = backup::Repository::Open(*opened.target);
  if (!repository.ok()) return LocalError(repository.status());
  opened.repository = *std::move(repository);
  return opened;
}

// Says once a second how far it is, to a person.
class ProgressLine {
 public:
  explicit ProgressLine(Context* context) : context_(*context) {}
  bool IsDue() {
    if (!watched_ || MonotonicTime::Now() < next_) return false;
    next_ = MonotonicTime::Now() + absl::Seconds(1);
    return true;
  }
  void Say(absl::string_view doing, uint64_t done, uint64_t total) {
    context_.Note(absl::StrFormat("%s: %.1f of %.1f MiB", doing, static_cast<double>(done) / (1 << 20),
                                  static_cast<double>(total) / (1 << 20)));
  }
  void Say(const v1::BackupProgress& progress) {
    switch (progress.step()) {
      case v1::BackupProgress::STEP_COPYING:
        return Say(absl::StrFormat("copying (%.1f MiB are new)",
                                   static_cast<double>(progress.new_bytes()) / (1 << 20)),
                   progress.done(), progress.total());
      case v1::BackupProgress::STEP_RESTORING:
        return Say("restoring", progress.done(), progress.total());
      case v1::BackupProgress::STEP_VERIFYING:
        return context_.Note(absl::StrCat("verifying: ", progress.done(), " samples"));
      case v1::BackupProgress::STEP_COMPARING:
        return context_.Note(absl::StrCat("comparing: ", progress.done(), " of ", progress.total(), " tags"));
      default:
        return;
    }
  }

 private:
  Context& context_;
  const bool watched_ = IsTerminal(STDERR_FILENO);
  MonotonicTime next_ = MonotonicTime::Now() + absl::Seconds(1);
};

absl::Status Init(Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const v1::InitBackupsResponse made, client::Backups(connection).Init());
  RecordWriter record(context->format, context->out);
  record.Add("repository", Cell::Text(made.target()));
  record.Add("archive", Cell::Text(made.archive_id()));
  record.Finish();
  return absl::OkStatus();
}

absl::Status Create(Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ProgressLine progress(context);
  const absl::StatusOr<v1::CreateBackupResponse> created =
      client::Backups(connection).Create([&](const v1::CreateBackupResponse& answer) {
        if (progress.IsDue()) progress.Say(answer.progress());
        return !context->Interrupted();
      });
  if (absl::IsCancelled(created.status()) && context->Interrupted()) {
    return InterruptedError("interrupted: there is no backup; what was copied stays for the next one");
  }
  RETURN_IF_ERROR(created.status());
  const v1::BackupInfo& info = created->backup();
  RecordWriter record(context->format, context->out);
  record.Add("backup", Cell::Text(info.id()));
  record.Add("taken", TimeCell(*context, info.taken()));
  record.Add("version", Cell::Unsigned(info.version()));
  record.Add("files", Cell::Unsigned(info.files()));
  record.Add("bytes", Cell::Bytes(info.bytes()));
  record.Add("new_files", Cell::Unsigned(info.new_files()));
  record.Add("new_bytes", Cell::Bytes(info.new_bytes()));
  record.Add("damages", Cell::Unsigned(info.damages()));
  record.Finish();
  if (info.damages() > 0) {
    context->Note(
        absl::StrCat("the archive has ", info.damages(), " damages, and so has this backup: histctl verify"));
  }
  return absl::OkStatus();
}

absl::StatusOr<std::vector<v1::ListedBackup>> ListLocally(const BackupCommand& options) {
  ASSIGN_OR_RETURN(const Opened opened, OpenRepository(options));
  const absl::StatusOr<std::vector<backup::Repository::Listed>> listed = opened.repository->List();
  if (!listed.ok()) return LocalError(listed.status());
  std::vector<v1::ListedBackup> all;
  for (const backup::Repository::Listed& one : *listed) {
    v1::ListedBackup& to = all.emplace_back();
    to.mutable_backup()->set_id(one.id);
    if (!one.info.ok()) {
      to.set_damage(std::string(one.info.status().message()));
      continue;
    }
    to.mutable_backup()->set_taken(one.info->taken);
    to.mutable_backup()->set_version(one.info->version);
    to.mutable_backup()->set_files(one.info->files);
    to.mutable_backup()->set_bytes(one.info->bytes);
    to.mutable_backup()->set_new_bytes(one.info->new_bytes);
    to.mutable_backup()->set_damages(one.info->damages);
    to.mutable_backup()->set_server_version(one.info->server_version);
  }
  return all;
}

absl::Status List(const BackupCommand& options, Context* context) {
  std::vector<v1::ListedBackup> listed;
  if (options.repository.empty()) {
    ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
    ASSIGN_OR_RETURN(listed, client::Backups(connection).List());
  } else {
    ASSIGN_OR_RETURN(listed, ListLocally(options));
  }
  RowWriter rows(context->format,
                 {{.name = "backup"},
                  {.name = "taken"},
                  {.name = "version", .right = true},
                  {.name = "files", .right = true},
                  {.name = "bytes", .right = true},
                  {.name = "new_bytes", .right = true},
                  {.name = "damages", .right = true},
                  {.name = "server", .machine_only = true},
                  {.name = "state"}},
                 context->out);
  uint64_t damaged = 0;
  for (const v1::ListedBackup& one : listed) {
    const v1::BackupInfo& info = one.backup();
    if (!one.damage().empty()) {
      ++damaged;
      std::vector<Cell> cells = {Cell::Text(info.id())};
      cells.insert(cells.end(), 7, Cell::Absent());
      cells.push_back(Cell::Text(one.damage()));
      rows.AddRow(std::move(cells));
      continue;
    }
    rows.AddRow({Cell::Text(info.id()), TimeCell(*context, info.taken()), Cell::Unsigned(info.version()),
                 Cell::Unsigned(info.files()), Cell::Bytes(info.bytes()), Cell::Bytes(info.new_bytes()),
                 Cell::Unsigned(info.damages()), Cell::Text(info.server_version()), Cell::Text("good")});
  }
  rows.Finish();
  if (damaged == 0) return absl::OkStatus();
  return DamagedError(absl::StrCat(damaged, damaged == 1 ? " backup is" : " backups are", " damaged"));
}

// Prints a row for each damage, then a summary.
class VerifyReport {
 public:
  explicit VerifyReport(Context* context)
      : context_(*context),
        rows_(context->format,
              {{.name = "object"},
               {.name = "path"},
               {.name = "backups"},
               {.name = "message"},
               {.name = "damages", .right = true, .machine_only = true},
               {.name = "files", .right = true, .machine_only = true},
               {.name = "bytes", .right = true, .machine_only = true}},
              context->out),
        progress_(context) {}

  void Add(const std::string& object, const std::string& path, const std::string& backups,
           const std::string& what) {
    rows_.AddRow({Cell::Text(object), path.empty() ? Cell::Absent() : Cell::Text(path), Cell::Text(backups),
                  Cell::Text(what), Cell::Absent(), Cell::Absent(), Cell::Absent()});
  }
  void Progress(uint64_t bytes, uint64_t bytes_total) {
    if (progress_.IsDue()) progress_.Say("reading", bytes, bytes_total);
  }
  absl::Status Finish(uint64_t backups, uint64_t files, uint64_t bytes, uint64_t damages) {
    rows_.AddRow({Cell::Text("summary"), Cell::Absent(), Cell::Absent(),
                  Cell::Text(absl::StrFormat("%d backups, %d files, %.1f MiB read: %d damages", backups,
                                             files, static_cast<double>(bytes) / (1 << 20), damages)),
                  Cell::Unsigned(damages), Cell::Unsigned(files), Cell::Unsigned(bytes)});
    rows_.Finish();
    if (damages == 0) return absl::OkStatus();
    return DamagedError(
        absl::StrCat(damages, damages == 1 ? " file" : " files",
                     " of the repository cannot be restored; of what is removed there, the next backup "
                     "copies again what the archive still has"));
  }

 private:
  Context& context_;
  RowWriter rows_;
  ProgressLine progress_;
};

absl::Status Verify(const BackupCommand& options, Context* context) {
  if (!(options.sample >= 0 && options.sample <= 1))
    return UsageError("--sample: expected a part, from 0 to 1");
  if (options.mib_per_second < 0) return UsageError("--rate-limit is negative");
  VerifyReport report(context);
  if (!options.repository.empty()) {
    ASSIGN_OR_RETURN(const Opened opened, OpenRepository(options));
    const absl::StatusOr<backup::RepositoryCounts> counts = backup::VerifyRepository(
        *opened.repository,
        {.backups = options.backups,
         .sample = options.sample,
         .bytes_per_second = static_cast<uint64_t>(options.mib_per_second * (1 << 20))},
        {.on_damage =
             [&](const backup::RepositoryDamage& damage) {
               report.Add(damage.object, damage.path, absl::StrJoin(damage.backups, " "), damage.what);
             },
         .on_progress =
             [&](const backup::RepositoryCounts& so_far) {
               report.Progress(so_far.bytes, so_far.bytes_total);
             },
         .keep_going =
             [context] {
               return context->Interrupted() ? absl::CancelledError("interrupted") : absl::OkStatus();
             }});
    if (absl::IsCancelled(counts.status())) return InterruptedError("interrupted");
    if (!counts.ok()) return LocalError(counts.status());
    return report.Finish(counts->backups, counts->files, counts->bytes, counts->damages);
  }
  if (options.mib_per_second > 0)
    return UsageError("--rate-limit is for --repository; a server has backup.rate_limit");
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  v1::VerifyBackupsRequest request;
  for (const std::string& id : options.backups) request.add_backups(id);
  request.set_sample(options.sample);
  const absl::StatusOr<v1::VerifyBackupsResponse> sum =
      client::Backups(connection).Verify(request, [&](const v1::VerifyBackupsResponse& answer) {
        for (const v1::BackupDamage& damage : answer.damage())
          report.Add(damage.object(), damage.path(), absl::StrJoin(damage.backups(), " "), damage.what());
        report.Progress(answer.bytes(), answer.bytes_total());
        return !context->Interrupted();
      });
  if (absl::IsCancelled(sum.status()) && context->Interrupted()) return InterruptedError("interrupted");
  RETURN_IF_ERROR(sum.status());
  return report.Finish(sum->backups(), sum->files(), sum->bytes(), sum->damages());
}

absl::Status Prune(const BackupCommand& options, Context* context) {
  v1::PruneBackupsRequest request;
  request.set_dry_run(options.dry_run);
  request.set_remove_damaged(options.remove_damaged);
  if (options.keep_given) {
    request.mutable_keep()->set_last(options.last);
    request.mutable_keep()->set_daily(options.daily);
    request.mutable_keep()->set_weekly(options.weekly);
    request.mutable_keep()->set_monthly(options.monthly);
    request.mutable_keep()->set_yearly(options.yearly);
  }
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const v1::PruneBackupsResponse pruned, client::Backups(connection).Prune(request));
  RowWriter rows(context->format, {{.name = "backup"}, {.name = "action"}}, context->out);
  for (const std::string& id : pruned.removed())
    rows.AddRow({Cell::Text(id), Cell::Text(options.dry_run ? "would be removed" : "removed")});
  for (const std::string& id : pruned.damaged()) rows.AddRow({Cell::Text(id), Cell::Text("damaged")});
  for (const std::string& id : pruned.kept()) rows.AddRow({Cell::Text(id), Cell::Text("kept")});
  rows.Finish();
  context->Note(absl::StrFormat("%d files, %.1f MiB, %s", pruned.files(),
                                static_cast<double>(pruned.bytes()) / (1 << 20),
                                options.dry_run ? "would be removed" : "were removed"));
  if (pruned.damaged_size() > 0) {
    context->Note(
        "no file was removed, as nobody knows which the damaged backups have: --remove-damaged removes "
        "these");
  }
  return absl::OkStatus();
}

absl::Status Drill(const BackupCommand& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ProgressLine progress(context);
  v1::DrillBackupRequest request;
  request.set_backup(options.backup);
  const absl::StatusOr<v1::DrillBackupResponse> drilled =
      client::Backups(connection).Drill(request, [&](const v1::DrillBackupResponse& answer) {
        if (progress.IsDue()) progress.Say(answer.progress());
        return !context->Interrupted();
      });
  if (absl::IsCancelled(drilled.status()) && context->Interrupted()) return InterruptedError("interrupted");
  RETURN_IF_ERROR(drilled.status());
  const v1::DrillInfo& drill = drilled->drill();
  RecordWriter record(context->format, context->out);
  record.Add("backup", Cell::Text(drill.backup()));
  record.Add("result", Cell::Text(drill.what().empty() ? "passed" : "FAILED"));
  if (!drill.what().empty() || context->format != Format::kTable)
    record.Add("message", Cell::Text(drill.what()));
  record.Add("as_of_version", Cell::Unsigned(drill.version()));
  record.Add("blocks_verified", Cell::Unsigned(drill.blocks()));
  record.Add("samples_verified", Cell::Unsigned(drill.samples()));
  record.Add("damages", Cell::Unsigned(drill.damages()));
  record.Add("tags_compared", Cell::Unsigned(drill.tags()));
  record.Add("samples_the_same", Cell::Unsigned(drill.compared()));
  record.Add("samples_expired_since", Cell::Unsigned(drill.expired()));
  record.Add("differences", Cell::Unsigned(drill.differences()));
  record.Finish();
  if (drill.what().empty()) return absl::OkStatus();
  return DamagedError(absl::StrCat("the drill failed: ", drill.what()));
}

absl::Status Restore(const BackupCommand& options, Context* context) {
  if (options.mib_per_second < 0) return UsageError("--rate-limit is negative");
  if (!options.backup.empty() && !options.at.empty())
    return UsageError("--backup and --at: expected one of them");
  Timestamp at = kTimestampMax;
  if (!options.at.empty()) {
    ASSIGN_OR_RETURN(at, context->Time("--at", options.at));
  }
  ASSIGN_OR_RETURN(const Opened opened, OpenRepository(options));
  const absl::StatusOr<backup::Manifest> manifest = options.backup.empty()
                                                        ? opened.repository->FindNewest(at)
                                                        : opened.repository->ReadManifest(options.backup);
  if (absl::IsDataLoss(manifest.status()) && options.backup.empty()) {
    return DamagedError(
        absl::StrCat(manifest.status().message(), "; say with --backup which one to restore"));
  }
  if (!manifest.ok()) return LocalError(manifest.status());
  ProgressLine progress(context);
  const absl::Status restored = backup::Restore(
      *opened.repository, *manifest,
      {.to = options.to,
       .bytes_per_second = static_cast<uint64_t>(options.mib_per_second * (1 << 20)),
       .on_progress =
           [&](const backup::RestoreProgress& so_far) {
             if (progress.IsDue()) progress.Say("restoring", so_far.bytes, so_far.bytes_total);
           },
       .keep_going =
           [context] {
             return context->Interrupted() ? absl::CancelledError("interrupted") : absl::OkStatus();
           }});
  if (absl::IsCancelled(restored)) {
    return InterruptedError(
        absl::StrCat("interrupted; the same command goes on, and until then no server takes ", options.to));
  }
  if (!restored.ok()) return LocalError(restored);
  const backup::BackupInfo& info = manifest->info;
  RecordWriter record(context->format, context->out);
  record.Add("directory", Cell::Text(options.to));
  record.Add("backup", Cell::Text(info.id));
  record.Add("taken", TimeCell(*context, info.taken));
  record.Add("version", Cell::Unsigned(info.version));
  record.Add("files", Cell::Unsigned(info.files));
  record.Add("bytes", Cell::Bytes(info.bytes));
  record.Add("damages", Cell::Unsigned(info.damages));
  record.Finish();
  return absl::OkStatus();
}

void AddRepositoryOptions(CLI::App* command, const std::shared_ptr<BackupCommand>& options) {
  command->add_option("--s3-endpoint", options->s3_endpoint,
                      "of an S3-compatible store: https://HOST[:PORT]");
  command->add_option("--s3-region", options->s3_region, "its region")->capture_default_str();
  command->add_option("--s3-credentials", options->s3_credentials,
                      "file with the access key and the secret key, a line each; else AWS_ACCESS_KEY_ID and "
                      "AWS_SECRET_ACCESS_KEY");
}

}  // namespace

void AddBackupCommand(CLI::App* app, Context* context) {
  CLI::App* const backup =
      app->add_subcommand("backup", "backups: take, list, verify, prune, try and restore them");
  backup->require_subcommand(1);
  backup->footer(
      "\nThe server takes backups by itself at backup.at, into the repository backup.target. With "
      "--repository, list\n"
      "and verify read a repository without a server, as restore always does.\n"
      "\nExamples:\n  histctl backup init\n  histctl backup create\n  histctl backup list\n"
      "  histctl backup restore /mnt/backup/historian --to /var/lib/historian-new\n");
  const auto options = std::make_shared<BackupCommand>();
  const auto run = [=](CLI::App* command, std::function<absl::Status()> work) {
    command->callback([context, work] { context->run = work; });
  };

  CLI::App* const init = backup->add_subcommand("init", "make the repository that backup.target names");
  init->footer(
      "\nIt must not exist yet, or be empty. No backup makes one by itself: a disk that is not mounted is "
      "told.\n");
  run(init, [=] { return Init(context); });

  CLI::App* const create = backup->add_subcommand("create", "take a backup now");
  create->footer(
      "\nEverything that was acknowledged before is in it. Ctrl-C ends it: then there is no backup, and the "
      "next one\n"
      "goes on with what was copied.\n\nExamples:\n  histctl backup create --format json\n");
  run(create, [=] { return Create(context); });

  CLI::App* const list = backup->add_subcommand("list", "the backups there are, the oldest first");
  list->add_option("--repository", options->repository,
                   "a directory or s3://BUCKET/PREFIX, without a server");
  AddRepositoryOptions(list, options);
  list->footer("\n`new_bytes` is what a backup had to copy. The exit code is 7 when one is damaged.\n");
  run(list, [=] { return List(*options, context); });

  CLI::App* const verify =
      backup->add_subcommand("verify", "read backups and compare them with their checksums");
  verify->add_option("backups", options->backups, "only these (default: all)");
  verify->add_option("--sample", options->sample, "read only this part of the files, from 0 to 1")
      ->capture_default_str();
  verify->add_option("--repository", options->repository,
                     "a directory or s3://BUCKET/PREFIX, without a server");
  verify->add_option("--rate-limit", options->mib_per_second,
                     "with --repository: read at most this many MiB a second");
  AddRepositoryOptions(verify, options);
  verify->footer(
      "\nIt prints a row for each damage, with the backups that it hurts, then a summary; the exit code is 7 "
      "when there is "
      "damage.\n\nExamples:\n  histctl backup verify --sample 0.1\n  histctl backup verify --repository "
      "/mnt/backup/historian\n");
  run(verify, [=] { return Verify(*options, context); });

  CLI::App* const prune = backup->add_subcommand("prune", "remove the backups that no rule keeps");
  std::vector<CLI::Option*> keeps = {
      prune->add_option("--keep-last", options->last, "keep so many of the newest"),
      prune->add_option("--keep-daily", options->daily, "keep the newest of each day, for so many days"),
      prune->add_option("--keep-weekly", options->weekly, "likewise of weeks"),
      prune->add_option("--keep-monthly", options->monthly, "likewise of months"),
      prune->add_option("--keep-yearly", options->yearly, "likewise of years")};
  prune->add_flag("--dry-run", options->dry_run, "only say what would be removed");
  prune->add_flag("--remove-damaged", options->remove_damaged,
                  "also remove backups whose manifests are damaged");
  prune->footer(
      "\nWithout --keep it goes by the configuration (backup.keep_last and so on), as the server does by "
      "itself after\n"
      "each backup. With one of them the others keep none. The newest backup always stays.\n"
      "\nExamples:\n  histctl backup prune --dry-run\n  histctl backup prune --keep-last 7 --keep-monthly "
      "12\n");
  run(prune, [=] {
    for (const CLI::Option* keep : keeps) options->keep_given |= keep->count() > 0;
    return Prune(*options, context);
  });

  CLI::App* const drill =
      backup->add_subcommand("drill", "restore a backup beside the server, and compare the two");
  drill->add_option("--backup", options->backup, "which (default: the newest)");
  drill->footer(
      "\nIt is restored into backup.scratch, all of it is verified, and every sample of it is compared with "
      "what the\n"
      "running archive says as of the same version. The result is written into the repository. The exit code "
      "is 7 when\n"
      "it failed.\n\nExamples:\n  histctl backup drill\n");
  run(drill, [=] { return Drill(*options, context); });

  CLI::App* const restore = backup->add_subcommand("restore", "write a backup into a new data directory");
  restore->add_option("repository", options->repository, "a directory or s3://BUCKET/PREFIX")->required();
  restore->add_option("--to", options->to, "the new directory: it does not exist, or is empty")->required();
  restore->add_option("--backup", options->backup, "which (default: the newest)");
  restore->add_option("--at", options->at, "the newest that was taken by this time");
  restore->add_option("--rate-limit", options->mib_per_second, "at most this many MiB a second");
  AddRepositoryOptions(restore, options);
  restore->footer(
      "\nIt needs no server. Every file is checked. If it is interrupted the same command goes on; no server "
      "takes the\n"
      "directory before it is complete. Run it as the user of the server.\n"
      "\nExamples:\n  histctl backup restore /mnt/backup/historian --to /var/lib/historian-new\n"
      "  histctl backup restore s3://plant/historian --to /srv/new --at 2026-11-28\n");
  run(restore, [=] { return Restore(*options, context); });
}

}  // namespace historian::histctl
