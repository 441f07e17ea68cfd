#include <unistd.h>

#include <cmath>
#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "client/admin.h"
#include "client/wire.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/terminal.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

struct VerifyOptions {
  std::vector<std::string> tags;
  std::string from;
  std::string to;
  double mib_per_second = 0;
};

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

absl::StatusOr<v1::VerifyRequest> RequestOf(const VerifyOptions& options,
                                            const client::Connection& connection, const Context& context) {
  v1::VerifyRequest request;
  if (!options.tags.empty()) {
    ASSIGN_OR_RETURN(const std::vector<Tag> tags, FindTags(connection, options.tags));
    client::ToWire(SelectionOf(tags), request.mutable_tags());
  }
  if (!options.from.empty() || !options.to.empty()) {
    Range range{kTimestampMin, kTimestampMax};
    if (!options.from.empty()) {
      ASSIGN_OR_RETURN(range.from, context.Time("--from", options.from));
    }
    if (!options.to.empty()) {
      ASSIGN_OR_RETURN(range.to, context.Time("--to", options.to));
    }
    if (range.to <= range.from) return UsageError("--to is not after --from");
    request.set_start(range.from);
    request.set_end(range.to);
  }
  if (options.mib_per_second < 0) return UsageError("--rate-limit is negative");
  request.set_bytes_per_second(static_cast<uint64_t>(std::llround(options.mib_per_second * (1 << 20))));
  return request;
}

absl::Status Verify(const VerifyOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const v1::VerifyRequest request, RequestOf(options, connection, *context));
  RowWriter rows(context->format,
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
                 context->out);
  const std::vector<Cell> no_counts(9, Cell::Absent());
  const bool watched = IsTerminal(STDERR_FILENO);
  const auto on_answer = [&](const v1::VerifyResponse& answer) {
    for (const v1::Damage& damage : answer.damage()) {
      std::vector<Cell> cells = {
          Cell::Text(WhereText(damage.where())),
          damage.tag_id() == 0        ? Cell::Absent()
          : damage.tag_name().empty() ? Cell::Text(absl::StrCat("tag ", damage.tag_id()))
                                      : Cell::Text(damage.tag_name()),
          damage.first_time() == 0 ? Cell::Absent() : TimeCell(*context, damage.first_time()),
          damage.last_time() == 0 ? Cell::Absent() : TimeCell(*context, damage.last_time()),
          Cell::Text(damage.message())};
      cells.insert(cells.end(), no_counts.begin(), no_counts.end());
      rows.AddRow(std::move(cells));
    }
    if (watched && !answer.done()) {
      context->Note(absl::StrFormat("%.0f s: %d blocks, %.1f M samples, %.1f MiB, %d damages",
                                    answer.seconds(), answer.blocks(),
                                    static_cast<double>(answer.samples()) * 1e-6,
                                    static_cast<double>(answer.bytes()) / (1 << 20), answer.damages()));
    }
    return !context->Interrupted();
  };
  ASSIGN_OR_RETURN(const v1::VerifyResponse sum, client::Admin(connection).Verify(request, on_answer));
  const std::string said = absl::StrFormat(
      "%s: %d damages in %d blocks, %d pages, %d samples, %d rollups and %d records, %.1f MiB in %.1f s",
      sum.done() ? "all was read" : "interrupted", sum.damages(), sum.blocks(), sum.pages(), sum.samples(),
      sum.rollups(), sum.records(), static_cast<double>(sum.bytes()) / (1 << 20), sum.seconds());
  rows.AddRow({Cell::Text(sum.done() ? "summary" : "interrupted"), Cell::Absent(), Cell::Absent(),
               Cell::Absent(), Cell::Text(said), Cell::Unsigned(sum.damages()), Cell::Unsigned(sum.tags()),
               Cell::Unsigned(sum.blocks()), Cell::Unsigned(sum.pages()), Cell::Unsigned(sum.samples()),
               Cell::Unsigned(sum.rollups()), Cell::Unsigned(sum.records()), Cell::Unsigned(sum.bytes()),
               Cell::Float64(sum.seconds())});
  rows.Finish();
  if (!sum.done()) return InterruptedError("interrupted");
  if (sum.damages() == 0) return absl::OkStatus();
  return DamagedError(
      absl::StrCat(sum.damages(), sum.damages() == 1 ? " piece is" : " pieces are", " damaged"));
}

}  // namespace

void AddVerifyCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<VerifyOptions>();
  CLI::App* const verify = app->add_subcommand("verify", "read everything that is stored and check it");
  verify->add_option("--tags", options->tags,
                     "names or patterns (default: everything, with records and journal)");
  verify->add_option("--from", options->from, "only the weeks from this time on");
  verify->add_option("--to", options->to, "only the weeks until before this time");
  verify->add_option("--rate-limit", options->mib_per_second, "read at most this many MiB a second");
  verify->footer(
      "\nThe server goes on serving; this work yields to all other work. It checks checksums, pages against "
      "their\nheads (each statistic is computed anew from the samples) and rollups against pages. It prints "
      "a "
      "row for each\ndamage, then a summary; the exit code is 7 when there is damage. Damaged data can no "
      "longer be read: restore\nthem from a backup.\n"
      "\nExamples:\n  histctl verify\n  histctl verify --rate-limit 20 --format json\n"
      "  histctl verify --tags 'area-1/*' --from -4w\n");
  verify->callback([=] { context->run = [=] { return Verify(*options, context); }; });
}

}  // namespace historian::histctl
