#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/retention.h"
#include "storage/model/clock.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/person.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

constexpr int64_t kDaySeconds = 86'400;
constexpr int64_t kYearSeconds = 365 * kDaySeconds;

struct RetentionOptions {
  std::string as_of;
  std::string name;
  std::string pattern;
  std::string raw;
  std::string rollups;
  std::string comment;
  std::string by = Person();
  uint32_t position = 0;
  bool dry_run = false;
  bool clock_is_right = false;
  bool allow_empty = false;
  std::vector<std::string> tags;
};

// Seconds; 0: for ever.
absl::StatusOr<uint64_t> ParseKeep(absl::string_view option, absl::string_view text) {
  if (text == "forever") return 0;
  if (const absl::StatusOr<int64_t> nanos = ParseDurationText(text);
      nanos.ok() && *nanos >= kNanosPerSecond) {
    return static_cast<uint64_t>(*nanos / kNanosPerSecond);
  }
  return UsageError(
      absl::StrCat(option, ": '", text, "' is not a time to keep; expected 90d, 5y, forever or the like"));
}

std::string KeepText(uint64_t seconds) {
  if (seconds == 0) return "forever";
  if (seconds % kYearSeconds == 0) return absl::StrCat(seconds / kYearSeconds, "y");
  if (seconds % kDaySeconds == 0) return absl::StrCat(seconds / kDaySeconds, "d");
  return absl::StrCat(seconds, "s");
}

absl::Status ListRules(const RetentionOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const AsOf as_of, ParseAsOf(connection, options.as_of, context));
  ASSIGN_OR_RETURN(const v1::ListRulesResponse rules, client::Retention(connection).Rules(as_of));
  RowWriter rows(context->format,
                 {{.name = "position", .right = true},
                  {.name = "rule", .cut = Cut::kName},
                  {.name = "pattern", .cut = Cut::kText},
                  {.name = "raw", .right = true},
                  {.name = "rollups", .right = true},
                  {.name = "changed"},
                  {.name = "by"},
                  {.name = "comment", .cut = Cut::kText}},
                 context->out);
  uint64_t position = 0;
  for (const v1::RetentionRule& rule : rules.rules()) {
    rows.AddRow({Cell::Unsigned(++position), Cell::Text(rule.name()), Cell::Text(rule.pattern()),
                 Cell::Text(KeepText(rule.keep_raw_s())), Cell::Text(KeepText(rule.keep_rollups_s())),
                 TimeCell(*context, rule.changed()), Cell::Text(rule.changed_by()),
                 Cell::Text(rule.comment())});
  }
  rows.Finish();
  return absl::OkStatus();
}

absl::Status SetRule(const RetentionOptions& options, Context* context) {
  v1::SetRuleRequest request;
  v1::RetentionRule& rule = *request.mutable_rule();
  rule.set_name(options.name);
  rule.set_pattern(options.pattern);
  ASSIGN_OR_RETURN(const uint64_t raw, ParseKeep("--raw", options.raw));
  uint64_t rollups = raw;
  if (!options.rollups.empty()) {
    ASSIGN_OR_RETURN(rollups, ParseKeep("--rollups", options.rollups));
  }
  rule.set_keep_raw_s(raw);
  rule.set_keep_rollups_s(rollups);
  rule.set_comment(options.comment);
  rule.set_changed_by(options.by);
  if (options.position > 0) request.set_position(options.position);
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  RETURN_IF_ERROR(RequireMatch(connection, options.pattern, options.allow_empty));
  return client::Retention(connection).SetRule(request).status();
}

absl::Status RemoveRule(const RetentionOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  return client::Retention(connection).RemoveRule(options.name);
}

absl::string_view ActionName(v1::ApplyRetentionResponse::Partition::Action action) {
  switch (action) {
    case v1::ApplyRetentionResponse::Partition::ACTION_DROP:
      return "drop";
    case v1::ApplyRetentionResponse::Partition::ACTION_REWRITE:
      return "rewrite";
    case v1::ApplyRetentionResponse::Partition::ACTION_WAIT:
      return "wait";
    default:
      return "";
  }
}

absl::Status Apply(const RetentionOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  v1::ApplyRetentionRequest request;
  request.set_dry_run(options.dry_run);
  if (options.clock_is_right) request.set_witness(Clock::System().Now());
  ASSIGN_OR_RETURN(const v1::ApplyRetentionResponse applied, client::Retention(connection).Apply(request));
  RowWriter rows(context->format,
                 {{.name = "from"},
                  {.name = "to"},
                  {.name = "action"},
                  {.name = "samples", .right = true},
                  {.name = "bytes", .right = true}},
                 context->out);
  for (const v1::ApplyRetentionResponse::Partition& partition : applied.partitions()) {
    rows.AddRow({TimeCell(*context, partition.start()), TimeCell(*context, partition.end()),
                 Cell::Text(ActionName(partition.action())), Cell::Unsigned(partition.samples()),
                 Cell::Bytes(partition.bytes())});
  }
  rows.Finish();
  context->Note(absl::StrCat(options.dry_run ? "dry run, nothing was done: " : "", applied.tags(),
                             " tags with something newly expired, ", applied.samples(), " samples and ",
                             applied.bytes(), " bytes ", options.dry_run ? "to drop" : "dropped", ", as of ",
                             TimeText(applied.as_of(), context->zone)));
  return absl::OkStatus();
}

std::string RangesText(const Context& context,
                       const google::protobuf::RepeatedPtrField<v1::KeptTag::Range>& ranges) {
  return absl::StrJoin(ranges, ", ", [&](std::string* out, const v1::KeptTag::Range& range) {
    if (range.start() == kTimestampMin) {
      absl::StrAppend(out, "before ", TimeText(range.end(), context.zone));
    } else {
      absl::StrAppend(out, TimeText(range.start(), context.zone), " to ",
                      TimeText(range.end(), context.zone));
    }
  });
}

absl::Status Show(const RetentionOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const std::vector<Tag> tags, FindTags(connection, options.tags));
  ASSIGN_OR_RETURN(const v1::WhatIsKeptResponse kept,
                   client::Retention(connection).WhatIsKept(SelectionOf(tags)));
  RowWriter rows(context->format,
                 {{.name = "tag", .cut = Cut::kName},
                  {.name = "rule", .cut = Cut::kName},
                  {.name = "raw", .right = true},
                  {.name = "rollups", .right = true},
                  {.name = "holds", .cut = Cut::kText},
                  {.name = "expired", .cut = Cut::kText},
                  {.name = "rollups_only", .cut = Cut::kText}},
                 context->out);
  for (int i = 0; i < kept.tags_size() && i < static_cast<int>(tags.size()); ++i) {
    const v1::KeptTag& tag = kept.tags(i);
    rows.AddRow({Cell::Text(tags[static_cast<size_t>(i)].name),
                 tag.has_rule() ? Cell::Text(tag.rule().name()) : Cell::Absent(),
                 Cell::Text(KeepText(tag.rule().keep_raw_s())),
                 Cell::Text(KeepText(tag.rule().keep_rollups_s())),
                 Cell::Text(absl::StrJoin(tag.holds(), ", ",
                                          [](std::string* out, const v1::LegalHold& hold) {
                                            absl::StrAppend(out, hold.id(), " ", hold.name());
                                          })),
                 Cell::Text(RangesText(*context, tag.expired())),
                 Cell::Text(RangesText(*context, tag.rollups_only()))});
  }
  rows.Finish();
  return absl::OkStatus();
}

}  // namespace

void AddRetentionCommand(CLI::App* app, Context* context) {
  CLI::App* const retention =
      app->add_subcommand("retention", "how long data are kept: rules for patterns of tags");
  retention->require_subcommand(1);
  retention->footer(
      "\nRules are in order; the first whose pattern matches a tag decides for it. A tag that none matches "
      "is "
      "kept\nfor ever. A legal hold (histctl hold) wins over every rule. Whole weeks expire (Thursday to "
      "Thursday, UTC), when\ntheir end is older than the rule keeps; what has expired never comes back.\n"
      "\nTimes to keep:  90d, 26w, 5y (a year is 365 days), forever; a day at least\n");
  const auto options = std::make_shared<RetentionOptions>();
  const auto add = [=](const char* name, const char* about, auto run) {
    CLI::App* const command = retention->add_subcommand(name, about);
    command->callback([=] { context->run = [=] { return run(*options, context); }; });
    return command;
  };

  CLI::App* const list = add("list", "the rules, in order", ListRules);
  AddAsOfOption(list, &options->as_of);
  list->footer("\nExamples:\n  histctl retention list\n  histctl retention list --as-of 2026-11-01\n");

  CLI::App* const set = add("set", "add a rule, or change the one of this name", SetRule);
  set->add_option("RULE", options->name, "its name")->required();
  set->add_option("PATTERN", options->pattern, "pattern of the tags it applies to")->required();
  set->add_option("--raw", options->raw, "how long raw samples are kept")->required();
  set->add_option(
      "--rollups", options->rollups,
      "how long rollups are kept, which remain when raw samples have expired (default: as --raw)");
  set->add_option("--position", options->position,
                  "place in the order, from 1 (default: a new rule goes last, a changed one stays)");
  set->add_option("--comment", options->comment, "why");
  AddAllowEmptyOption(set, &options->allow_empty);
  set->add_option("--by", options->by, "who changes it")->capture_default_str();
  set->footer(
      "\nA pattern that matches no tag is refused; tags that are created later and match follow the rule, "
      "too.\n"
      "It is applied ten minutes later, or by `histctl retention apply`; see first with --dry-run what "
      "that "
      "drops.\n"
      "\nExamples:\n"
      "  histctl retention set fast 'plant/area-1/*/flow' --raw 90d --rollups 10y\n"
      "  histctl retention set rest '*' --raw 5y --comment 'as agreed with quality, 2026-11'\n"
      "  histctl retention set meters 'plant/*/hours' --raw forever --position 1\n");

  CLI::App* const remove = add("remove", "remove a rule", RemoveRule);
  remove->add_option("RULE", options->name, "its name")->required();
  remove->footer("\nExamples:\n  histctl retention remove fast\n");

  CLI::App* const apply = add("apply", "apply the rules now and drop what has expired", Apply);
  apply->add_flag("--dry-run", options->dry_run, "say what would be dropped, and do nothing");
  apply->add_flag(
      "--clock-is-right", options->clock_is_right,
      "you have looked at the server's clock (histctl status) and it is right; refused if it differs from "
      "this machine's by more than an hour");
  apply->footer(
      "\nThe server does so by itself every ten minutes.\n"
      "What has expired does not come back. So nothing expires by what the server's clock says alone: the "
      "rules are\n"
      "applied as of a time that its running time or the samples it received support (`retention_time` in\n"
      "histctl status). After a long stop that may be too early until samples come; --clock-is-right helps.\n"
      "Actions: drop, all of the week has expired; rewrite, a good part has; wait, a small part has, and its "
      "space\nreturns when there is more.\n"
      "\nExamples:\n  histctl retention apply --dry-run\n  histctl retention apply\n");

  CLI::App* const show = add("show", "which rule and holds decide for tags, and what has expired", Show);
  show->add_option("TAG", options->tags, "names or patterns")->required();
  show->footer("\nExamples:\n  histctl retention show plant/area-1/pump-101/flow\n");
}

}  // namespace historian::histctl
