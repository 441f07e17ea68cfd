#include <sys/stat.h>
#include <unistd.h>

#include <cerrno>
#include <cmath>
#include <cstdint>
#include <cstring>
#include <filesystem>
#include <memory>
#include <string>
#include <system_error>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/time/time.h"
#include "client/admin.h"
#include "client/wire.h"
#include "server/caller/access_list.h"
#include "storage/archive/offline.h"
#include "storage/model/status_macros.h"
#include "storage/model/units.h"
#include "storage/platform/monotonic.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/terminal.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

struct VerifyCommand {
  std::vector<std::string> tags;
  std::string from;
  std::string to;
  std::string rate_limit;
  bool offline = false;
  std::string data_dir;
};

const char* StoredPartText(StoredPart part) {
  switch (part) {
    case StoredPart::kBlock:
      return "block";
    case StoredPart::kPage:
      return "page";
    case StoredPart::kRollup:
      return "rollup";
    case StoredPart::kSuperseded:
      return "superseded";
    case StoredPart::kTail:
      return "open samples";
    case StoredPart::kRecord:
      return "record";
    case StoredPart::kJournal:
      return "journal";
  }
  return "unknown";
}

// Of a directory on this machine.
absl::Status LocalError(const absl::Status& status) {
  return absl::IsNotFound(status) || absl::IsFailedPrecondition(status) || absl::IsAlreadyExists(status) ||
                 absl::IsPermissionDenied(status) || absl::IsDataLoss(status) ||
                 absl::IsUnavailable(status) || absl::IsResourceExhausted(status)
             ? LocalFileError(status.message())
             : status;
}

const char* WhereText(v1::Damage::Where where) {
  switch (where) {
    case v1::Damage::WHERE_BLOCK:
      return "block";
    case v1::Damage::WHERE_PAGE:
      return "page";
    case v1::Damage::WHERE_ROLLUP:
      return "rollup";
    case v1::Damage::WHERE_SUPERSEDED:
      return "superseded";
    case v1::Damage::WHERE_OPEN_SAMPLES:
      return "open samples";
    case v1::Damage::WHERE_RECORD:
      return "record";
    case v1::Damage::WHERE_JOURNAL:
      return "journal";
    default:
      return "unknown";
  }
}

// Bytes a second; 0: no limit. A number alone is of MiB.
absl::StatusOr<uint64_t> RateLimitOf(const VerifyCommand& options) {
  if (options.rate_limit.empty()) return 0;
  if (double mib = 0; absl::SimpleAtod(options.rate_limit, &mib)) {
    if (mib >= 0 && mib < 1e9) return static_cast<uint64_t>(std::llround(mib * (1 << 20)));
    return UsageError(absl::StrCat("--rate-limit: ", options.rate_limit, " MiB a second is no rate"));
  }
  const absl::StatusOr<uint64_t> bytes = ParseSize(options.rate_limit);
  if (!bytes.ok()) return UsageError(absl::StrCat("--rate-limit: ", bytes.status().message()));
  return bytes;
}

absl::StatusOr<Range> RangeOf(const VerifyCommand& options, const Context& context) {
  Range range{kTimestampMin, kTimestampMax};
  if (!options.from.empty()) {
    ASSIGN_OR_RETURN(range.from, context.Time("--from", options.from));
  }
  if (!options.to.empty()) {
    ASSIGN_OR_RETURN(range.to, context.Time("--to", options.to));
  }
  if (range.to <= range.from) return UsageError("--to is not after --from");
  return range;
}

absl::StatusOr<v1::VerifyRequest> RequestOf(const VerifyCommand& options,
                                            const client::Connection& connection, const Context& context) {
  v1::VerifyRequest request;
  if (!options.tags.empty()) {
    ASSIGN_OR_RETURN(const std::vector<Tag> tags, FindTags(connection, options.tags));
    client::ToWire(SelectionOf(tags), request.mutable_tags());
  }
  ASSIGN_OR_RETURN(const Range range, RangeOf(options, context));
  if (!options.from.empty() || !options.to.empty()) {
    request.set_start(range.from);
    request.set_end(range.to);
  }
  ASSIGN_OR_RETURN(const uint64_t bytes_per_second, RateLimitOf(options));
  request.set_bytes_per_second(bytes_per_second);
  return request;
}

// What a verification counts, wherever it runs.
struct Counts {
  uint64_t damages = 0, tags = 0, blocks = 0, pages = 0, samples = 0, rollups = 0, records = 0, bytes = 0;
  double seconds = 0;
};

// Prints a row for each damage, then a summary.
class Report {
 public:
  explicit Report(Context* context)
      : context_(*context),
        rows_(context->format,
              {{.name = "where"},
               {.name = "tag"},
               {.name = "first"},
               {.name = "last"},
               {.name = "message"},
               {.name = "damages", .right = true, .machine_only = true},
               {.name = "tags", .right = true, .machine_only = true},
               {.name = "blocks", .right = true, .machine_only = true},
               {.name = "pages", .right = true, .machine_only = true},
               {.name = "samples", .right = true, .machine_only = true},
               {.name = "rollups", .right = true, .machine_only = true},
               {.name = "records", .right = true, .machine_only = true},
               {.name = "bytes", .right = true, .machine_only = true},
               {.name = "seconds", .right = true, .machine_only = true}},
              context->out) {}

  void Add(absl::string_view where, TagId tag, absl::string_view tag_name, Timestamp first, Timestamp last,
           absl::string_view message) {
    std::vector<Cell> cells = {Cell::Text(std::string(where)),
                               tag == 0           ? Cell::Absent()
                               : tag_name.empty() ? Cell::Text(absl::StrCat("tag ", tag))
                                                  : Cell::Text(std::string(tag_name)),
                               first == 0 ? Cell::Absent() : TimeCell(context_, first),
                               last == 0 ? Cell::Absent() : TimeCell(context_, last),
                               Cell::Text(std::string(message))};
    cells.insert(cells.end(), 9, Cell::Absent());
    rows_.AddRow(std::move(cells));
  }
  void NoteProgress(const Counts& counts) {
    if (!watched_) return;
    context_.Note(absl::StrFormat("%.0f s: %d blocks, %.1f M samples, %.1f MiB, %d damages", counts.seconds,
                                  counts.blocks, static_cast<double>(counts.samples) * 1e-6,
                                  static_cast<double>(counts.bytes) / (1 << 20), counts.damages));
  }
  absl::Status Finish(bool done, const Counts& sum) {
    const std::string said = absl::StrFormat(
        "%s: %d damages in %d blocks, %d pages, %d samples, %d rollups and %d records, %.1f MiB in %.1f s",
        done ? "all was read" : "interrupted", sum.damages, sum.blocks, sum.pages, sum.samples, sum.rollups,
        sum.records, static_cast<double>(sum.bytes) / (1 << 20), sum.seconds);
    rows_.AddRow({Cell::Text(done ? "summary" : "interrupted"), Cell::Absent(), Cell::Absent(),
                  Cell::Absent(), Cell::Text(said), Cell::Unsigned(sum.damages), Cell::Unsigned(sum.tags),
                  Cell::Unsigned(sum.blocks), Cell::Unsigned(sum.pages), Cell::Unsigned(sum.samples),
                  Cell::Unsigned(sum.rollups), Cell::Unsigned(sum.records), Cell::Unsigned(sum.bytes),
                  Cell::Float64(sum.seconds)});
    rows_.Finish();
    if (!done) return InterruptedError("interrupted");
    if (sum.damages == 0) return absl::OkStatus();
    return DamagedError(
        absl::StrCat(sum.damages, sum.damages == 1 ? " piece is" : " pieces are", " damaged"));
  }

 private:
  Context& context_;
  RowWriter rows_;
  const bool watched_ = IsTerminal(STDERR_FILENO);
};

absl::Status Verify(const VerifyCommand& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const v1::VerifyRequest request, RequestOf(options, connection, *context));
  Report report(context);
  const auto counts_of = [](const v1::VerifyResponse& answer) {
    return Counts{answer.damages(), answer.tags(),    answer.blocks(), answer.pages(),  answer.samples(),
                  answer.rollups(), answer.records(), answer.bytes(),  answer.seconds()};
  };
  const auto on_answer = [&](const v1::VerifyResponse& answer) {
    for (const v1::Damage& damage : answer.damage()) {
      report.Add(WhereText(damage.where()), damage.tag_id(), damage.tag_name(), damage.first_time(),
                 damage.last_time(), damage.message());
    }
    if (!answer.done()) report.NoteProgress(counts_of(answer));
    return !context->Interrupted();
  };
  ASSIGN_OR_RETURN(const v1::VerifyResponse sum, client::Admin(connection).Verify(request, on_answer));
  return report.Finish(sum.done(), counts_of(sum));
}

// ---- Without a server

absl::Status VerifyOffline(const VerifyCommand& options, Context* context) {
  if (options.data_dir.empty()) return UsageError("--offline needs --data-dir");
  ASSIGN_OR_RETURN(const Range range, RangeOf(options, *context));
  ASSIGN_OR_RETURN(const uint64_t bytes_per_second, RateLimitOf(options));
  VerifyOptions verify{.start = range.from, .end = range.to, .bytes_per_second = bytes_per_second};
  const absl::StatusOr<std::unique_ptr<Archive>> opened = OpenOffline(options.data_dir);
  if (!opened.ok()) return LocalError(opened.status());
  Archive& archive = **opened;
  for (const std::string& pattern : options.tags) {
    const absl::StatusOr<std::vector<TagId>> listed =
        archive.tags().ListIds({.pattern = pattern, .include_retired = true});
    if (!listed.ok()) return UsageError(listed.status().message());
    const std::vector<TagId>& tags = *listed;
    if (tags.empty()) return absl::NotFoundError(absl::StrCat("no tag matches '", pattern, "'"));
    verify.tags.insert(verify.tags.end(), tags.begin(), tags.end());
  }
  const MonotonicTime begin = MonotonicTime::Now();
  const auto counts_of = [&begin](const VerifyCounts& counts) {
    return Counts{counts.damages, counts.tags,    counts.blocks,
                  counts.pages,   counts.samples, counts.rollups,
                  counts.records, counts.bytes,   absl::ToDoubleSeconds(MonotonicTime::Now() - begin)};
  };
  Report report(context);
  uint64_t found_at_start = 0;
  for (const std::string& damage : archive.Stats().damage) {
    report.Add("start", 0, "", 0, 0, damage);
    ++found_at_start;
  }
  const absl::StatusOr<VerifyCounts> sum = archive.upkeep().Verify(
      verify, {.on_damage =
                   [&](const Damage& damage) {
                     const std::shared_ptr<const Tag> tag = archive.tags().Find(damage.tag);
                     report.Add(StoredPartText(damage.part), damage.tag, tag == nullptr ? "" : tag->name,
                                damage.first_time, damage.last_time, damage.what);
                   },
               .on_progress = [&](const VerifyCounts& counts) { report.NoteProgress(counts_of(counts)); },
               .keep_going =
                   [context] {
                     return context->Interrupted() ? absl::CancelledError("interrupted") : absl::OkStatus();
                   }});
  if (!sum.ok() && !absl::IsCancelled(sum.status())) return LocalError(sum.status());
  Counts counts = counts_of(sum.ok() ? *sum : VerifyCounts());
  counts.damages += found_at_start;
  return report.Finish(sum.ok(), counts);
}

struct SalvageCommand {
  std::string data_dir;
  std::string to;
};

// Who may do what goes along: a directory without tokens would be open to everybody.
absl::Status CopyTokens(const SalvageCommand& options) {
  const absl::StatusOr<std::vector<server::AccessEntry>> tokens =
      server::ReadAccessList(server::TokensFileOf(options.data_dir));
  if (absl::IsNotFound(tokens.status())) return absl::OkStatus();
  const absl::Status written =
      tokens.ok() ? server::WriteTokens(server::TokensFileOf(options.to), *tokens) : tokens.status();
  if (written.ok()) return absl::OkStatus();
  return LocalFileError(
      absl::StrCat("everything else was salvaged, but not the tokens: ", written.message()));
}

// What root salvages belongs to whom the damaged directory does, whose server is to be started with it.
absl::Status GiveToTheSameOwner(const SalvageCommand& options) {
  struct stat owner;
  if (geteuid() != 0 || stat(options.data_dir.c_str(), &owner) != 0) return absl::OkStatus();
  const auto give = [&owner](const std::string& path) {
    if (lchown(path.c_str(), owner.st_uid, owner.st_gid) == 0) return absl::OkStatus();
    return LocalFileError(absl::StrCat("everything was salvaged, but ", path,
                                       " cannot be given to the owner of the old "
                                       "directory: ",
                                       std::strerror(errno)));
  };
  RETURN_IF_ERROR(give(options.to));
  std::error_code error;
  for (std::filesystem::recursive_directory_iterator it(options.to, error), end; !error && it != end;
       it.increment(error)) {
    RETURN_IF_ERROR(give(it->path()));
  }
  return absl::OkStatus();
}

absl::Status SalvageOffline(const SalvageCommand& options, Context* context) {
  RowWriter rows(context->format,
                 {{.name = "where"},
                  {.name = "tag"},
                  {.name = "first"},
                  {.name = "last"},
                  {.name = "samples", .right = true},
                  {.name = "message"},
                  {.name = "losses", .right = true, .machine_only = true},
                  {.name = "tags", .right = true, .machine_only = true},
                  {.name = "blocks", .right = true, .machine_only = true},
                  {.name = "samples_kept", .right = true, .machine_only = true},
                  {.name = "records", .right = true, .machine_only = true},
                  {.name = "bytes", .right = true, .machine_only = true}},
                 context->out);
  MonotonicTime next_note = MonotonicTime::Now();
  // For its owner and group, as that of a server.
  umask(027);
  const absl::StatusOr<SalvageCounts> sum = SalvageDirectory(
      options.data_dir, options.to,
      {.on_loss =
           [&](const Loss& loss) {
             const Damage& damage = loss.damage;
             std::vector<Cell> cells = {
                 Cell::Text(StoredPartText(damage.part)),
                 damage.tag == 0         ? Cell::Absent()
                 : loss.tag_name.empty() ? Cell::Text(absl::StrCat("tag ", damage.tag))
                                         : Cell::Text(loss.tag_name),
                 damage.first_time == 0 ? Cell::Absent() : TimeCell(*context, damage.first_time),
                 damage.last_time == 0 ? Cell::Absent() : TimeCell(*context, damage.last_time),
                 loss.samples == 0 ? Cell::Absent() : Cell::Unsigned(loss.samples),
                 Cell::Text(damage.what)};
             cells.insert(cells.end(), 6, Cell::Absent());
             rows.AddRow(std::move(cells));
           },
       .on_progress =
           [&](const SalvageCounts& counts) {
             if (MonotonicTime::Now() < next_note) return;
             next_note = MonotonicTime::Now() + absl::Seconds(1);
             context->Note(absl::StrFormat("%d blocks, %.1f M samples, %.1f MiB read; %d losses",
                                           counts.blocks, static_cast<double>(counts.samples) * 1e-6,
                                           static_cast<double>(counts.bytes) / (1 << 20), counts.losses));
           },
       .keep_going =
           [context] {
             return context->Interrupted() ? absl::CancelledError("interrupted") : absl::OkStatus();
           }});
  if (absl::IsCancelled(sum.status())) {
    rows.Finish();
    return InterruptedError(absl::StrCat("interrupted; ", options.to, " is of no use"));
  }
  if (!sum.ok()) return LocalError(sum.status());
  RETURN_IF_ERROR(CopyTokens(options));
  RETURN_IF_ERROR(GiveToTheSameOwner(options));
  const std::string said = absl::StrFormat(
      "%s has %d samples in %d blocks of %d tags and %d records; %d losses, %d samples known to be lost",
      options.to, sum->samples, sum->blocks, sum->tags, sum->records, sum->losses, sum->samples_lost);
  rows.AddRow({Cell::Text("summary"), Cell::Absent(), Cell::Absent(), Cell::Absent(),
               Cell::Unsigned(sum->samples_lost), Cell::Text(said), Cell::Unsigned(sum->losses),
               Cell::Unsigned(sum->tags), Cell::Unsigned(sum->blocks), Cell::Unsigned(sum->samples),
               Cell::Unsigned(sum->records), Cell::Unsigned(sum->bytes)});
  rows.Finish();
  if (sum->losses == 0) return absl::OkStatus();
  return DamagedError(absl::StrCat(sum->losses, sum->losses == 1 ? " piece is" : " pieces are", " lost"));
}

}  // namespace

void AddVerifyCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<VerifyCommand>();
  CLI::App* const verify = app->add_subcommand("verify", "read everything that is stored and check it");
  verify->add_option("--tags", options->tags,
                     "names or patterns (default: everything, with records and journal)");
  verify->add_option("--from", options->from, "only the weeks from this time on");
  verify->add_option("--to", options->to, "only the weeks until before this time");
  verify->add_option("--rate-limit", options->rate_limit,
                     "read at most this much a second, such as 20MiB; a number alone is of MiB");
  verify->add_flag("--offline", options->offline, "without a server: it is stopped, and stays so meanwhile");
  verify->add_option("--data-dir", options->data_dir, "with --offline: the directory");
  verify->footer(
      "\nThe server goes on serving; this work yields to all other work. It checks checksums, pages against "
      "their\nheads (each statistic is computed anew from the samples) and rollups against pages. It prints "
      "a "
      "row for each\ndamage, then a summary; the exit code is 7 when there is damage. Damaged data can no "
      "longer be read: restore\nthem from a backup, or see 'histctl salvage --help'.\n"
      "\nWith --offline it reads the directory itself, and changes nothing in it.\n"
      "\nExamples:\n  histctl verify\n  histctl verify --rate-limit 20 --format json\n"
      "  histctl verify --tags 'plant/area-1/*' --from -4w\n"
      "  histctl verify --offline --data-dir /var/lib/historian\n");
  verify->callback([=] {
    context->run = [=] {
      return options->offline ? VerifyOffline(*options, context) : Verify(*options, context);
    };
  });
}

void AddSalvageCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<SalvageCommand>();
  CLI::App* const salvage =
      app->add_subcommand("salvage", "write what can be read of a damaged data directory into a new one");
  salvage->add_option("--data-dir", options->data_dir, "the damaged directory")->required();
  salvage->add_option("--to", options->to, "the new directory")->required();
  salvage->footer(
      "\nNo server may run on the directory; nothing in it is changed. Samples, their versions, tags, rules, "
      "holds,\n"
      "producers and the journal are copied as far as their checksums are right: a server can be started "
      "with the new\n"
      "directory. It prints a row for each loss (tag, times, samples, as far as they are known), then a "
      "summary;\n"
      "progress is on stderr. The exit code is 7 when something is lost.\n"
      "\nExamples:\n  histctl salvage --data-dir /var/lib/historian --to /var/lib/historian-new\n"
      "  histctl salvage --data-dir /mnt/old --to /srv/new --format json > lost.json\n");
  salvage->callback([=] { context->run = [=] { return SalvageOffline(*options, context); }; });
}

}  // namespace historian::histctl
