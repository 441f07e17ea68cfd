#include <algorithm>
#include <cstdint>
#include <memory>
#include <string>

#include "absl/strings/ascii.h"
#include "absl/strings/str_cat.h"
#include "client/admin.h"
#include "storage/model/status_macros.h"
#include "storage/model/version.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/person.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

// What one call lists at most.
constexpr uint32_t kVersionsACall = 10'000;

struct VersionOptions {
  std::string from;
  std::string to;
  uint64_t limit = 50;
  bool all = false;
  std::string comment;
  std::string by = Person();
};

// "seal", "mark", "period".
std::string CauseText(v1::Version::Cause cause) {
  const std::string name = v1::Version::Cause_Name(cause);
  constexpr absl::string_view kPrefix = "CAUSE_";
  return absl::AsciiStrToLower(name.size() > kPrefix.size() ? name.substr(kPrefix.size()) : name);
}

absl::Status ListVersions(const VersionOptions& options, Context* context) {
  v1::ListVersionsRequest request;
  if (!options.from.empty() || !options.to.empty()) {
    request.set_start(kTimestampMin);
    request.set_end(kTimestampMax);
    if (!options.from.empty()) {
      ASSIGN_OR_RETURN(const Timestamp from, context->Time("--from", options.from));
      request.set_start(from);
    }
    if (!options.to.empty()) {
      ASSIGN_OR_RETURN(const Timestamp to, context->Time("--to", options.to));
      request.set_end(to);
    }
    if (request.start() > request.end()) return UsageError("--to is before --from");
  }
  if (options.limit == 0) return UsageError("--limit: expected at least 1");
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  const client::Admin admin(connection);
  RowWriter rows(context->format,
                 {{.name = "version", .right = true},
                  {.name = "closed"},
                  {.name = "cause"},
                  {.name = "by", .cut = Cut::kText},
                  {.name = "comment", .cut = Cut::kText},
                  {.name = "clock", .machine_only = true},
                  {.name = "tz_version", .machine_only = true}},
                 context->out);
  uint64_t left = options.all ? UINT64_MAX : options.limit;
  bool more = true;
  while (more && left > 0) {
    request.set_limit(static_cast<uint32_t>(std::min<uint64_t>(left, kVersionsACall)));
    ASSIGN_OR_RETURN(const v1::ListVersionsResponse listed, admin.ListVersions(request));
    for (const v1::Version& version : listed.versions()) {
      const bool is_mark = version.cause() == v1::Version::CAUSE_MARK;
      rows.AddRow(
          {Cell::Unsigned(version.version()), TimeCell(*context, version.time()),
           Cell::Text(CauseText(version.cause())), is_mark ? Cell::Text(version.author()) : Cell::Absent(),
           is_mark ? Cell::Text(version.comment()) : Cell::Absent(), TimeCell(*context, version.clock()),
           version.tz_version().empty() ? Cell::Absent() : Cell::Text(version.tz_version())});
      request.set_before(version.version());
    }
    left -= std::min<uint64_t>(left, listed.versions_size());
    more = listed.more();
  }
  rows.Finish();
  if (more) context->Note("there are older versions: --limit, or --all");
  return absl::OkStatus();
}

absl::Status MarkVersion(const VersionOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const v1::Version version,
                   client::Admin(connection).MarkVersion(options.comment, options.by));
  RecordWriter record(context->format, context->out);
  record.Add("version", Cell::Unsigned(version.version()));
  record.Add("closed", TimeCell(*context, version.time()));
  record.Finish();
  return absl::OkStatus();
}

}  // namespace

void AddVersionCommand(CLI::App* app, Context* context) {
  CLI::App* const version =
      app->add_subcommand("version", "the version of histctl; and versions of what is stored");
  version->require_subcommand(0, 1);
  version->footer(
      "\nAlone it prints the version of histctl. The server's is in `histctl status`.\n"
      "\nVersions of what is stored: everything that was stated belongs to the first version that closes "
      "after it\n"
      "became durable. A version closes with a seal, with a mark, and some minutes after something arrived\n"
      "(archive.version_period). Its number and time say later what was known at that moment.\n"
      "\nExamples:\n  histctl version\n  histctl version list --from -1d\n"
      "  histctl version mark --comment 'batch 12 released'\n");
  const auto options = std::make_shared<VersionOptions>();
  version->callback([=] {
    if (!version->get_subcommands().empty()) return;
    context->run = [=] {
      context->out->Append(absl::StrCat("histctl ", kVersion, "\n"));
      return absl::OkStatus();
    };
  });

  CLI::App* const list = version->add_subcommand("list", "the versions that have closed, the newest first");
  list->add_option("--from", options->from, "closed at this time or later");
  list->add_option("--to", options->to, "closed before this time");
  list->add_option("--limit", options->limit, "how many at most")->capture_default_str();
  list->add_flag("--all", options->all, "all of them");
  list->footer(
      "\nExamples:\n  histctl version list\n  histctl version list --from 2026-11-01 --all --format csv\n");
  list->callback([=] { context->run = [=] { return ListVersions(*options, context); }; });

  CLI::App* const mark = version->add_subcommand("mark", "close the open version now, and give it a comment");
  mark->add_option("--comment", options->comment, "why")->required();
  mark->add_option("--by", options->by, "who marks it")->capture_default_str();
  mark->footer(
      "\nEverything that was acknowledged before is in this version or in an earlier one.\n"
      "\nExamples:\n  histctl version mark --comment 'month closed, report 2026-11'\n");
  mark->callback([=] { context->run = [=] { return MarkVersion(*options, context); }; });
}

}  // namespace historian::histctl
