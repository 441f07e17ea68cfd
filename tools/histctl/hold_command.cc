#include <memory>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/retention.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/person.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

struct HoldOptions {
  std::string as_of;
  std::string name;
  std::string pattern;
  std::string from;
  std::string to;
  std::string reason;
  std::string by = Person();
  uint64_t id = 0;
  bool released = false;
  bool allow_empty = false;
};

void PrintHolds(const google::protobuf::RepeatedPtrField<v1::LegalHold>& holds, bool released,
                Context* context) {
  std::vector<Heading> headings = {{.name = "id", .right = true},
                                   {.name = "hold", .cut = Cut::kName},
                                   {.name = "pattern", .cut = Cut::kText},
                                   {.name = "from"},
                                   {.name = "to"},
                                   {.name = "reason", .cut = Cut::kText},
                                   {.name = "placed"},
                                   {.name = "by", .cut = Cut::kText}};
  if (released) {
    for (const char* name : {"released", "released_by", "release_reason"}) headings.push_back({.name = name});
  }
  RowWriter rows(context->format, headings, context->out);
  for (const v1::LegalHold& hold : holds) {
    std::vector<Cell> cells = {Cell::Unsigned(hold.id()),         Cell::Text(hold.name()),
                               Cell::Text(hold.pattern()),        TimeCell(*context, hold.start()),
                               TimeCell(*context, hold.end()),    Cell::Text(hold.reason()),
                               TimeCell(*context, hold.placed()), Cell::Text(hold.placed_by())};
    if (released) {
      const bool is = hold.has_release();
      cells.push_back(is ? TimeCell(*context, hold.release().at()) : Cell::Absent());
      cells.push_back(is ? Cell::Text(hold.release().by()) : Cell::Absent());
      cells.push_back(is ? Cell::Text(hold.release().reason()) : Cell::Absent());
    }
    rows.AddRow(std::move(cells));
  }
  rows.Finish();
}

absl::Status ListHolds(const HoldOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(const AsOf as_of, ParseAsOf(connection, options.as_of, context));
  ASSIGN_OR_RETURN(const v1::ListHoldsResponse holds,
                   client::Retention(connection).Holds(options.released, as_of));
  PrintHolds(holds.holds(), options.released, context);
  return absl::OkStatus();
}

absl::Status PlaceHold(const HoldOptions& options, Context* context) {
  v1::LegalHold hold;
  hold.set_name(options.name);
  hold.set_pattern(options.pattern);
  hold.set_reason(options.reason);
  hold.set_placed_by(options.by);
  ASSIGN_OR_RETURN(const Timestamp from, context->Time("--from", options.from));
  ASSIGN_OR_RETURN(const Timestamp to, context->Time("--to", options.to));
  hold.set_start(from);
  hold.set_end(to);
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  RETURN_IF_ERROR(RequireMatch(connection, options.pattern, options.allow_empty));
  ASSIGN_OR_RETURN(const v1::PlaceHoldResponse placed, client::Retention(connection).PlaceHold(hold));
  RecordWriter record(context->format, context->out);
  record.Add("id", Cell::Unsigned(placed.hold().id()));
  record.Add("tags", Cell::Unsigned(placed.tags()));
  record.Add("tags_expired", Cell::Unsigned(placed.tags_expired()));
  record.Finish();
  if (placed.tags_expired() > 0) {
    context->Note(
        absl::StrCat(placed.tags_expired(),
                     " of these tags have samples in the range that had expired before; they are not kept"));
  }
  return absl::OkStatus();
}

absl::Status ReleaseHold(const HoldOptions& options, Context* context) {
  v1::ReleaseHoldRequest request;
  request.set_id(options.id);
  request.set_reason(options.reason);
  request.set_by(options.by);
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  return client::Retention(connection).ReleaseHold(request).status();
}

}  // namespace

void AddHoldCommand(CLI::App* app, Context* context) {
  CLI::App* const hold =
      app->add_subcommand("hold", "legal holds: keep data whatever the retention rules say");
  hold->require_subcommand(1);
  const auto options = std::make_shared<HoldOptions>();
  const auto add = [=](const char* name, const char* about, auto run) {
    CLI::App* const command = hold->add_subcommand(name, about);
    command->callback([=] { context->run = [=] { return run(*options, context); }; });
    return command;
  };

  CLI::App* const place = add("place", "keep tags in a range of time until the hold is released", PlaceHold);
  place->add_option("NAME", options->name, "what people call it")->required();
  place->add_option("PATTERN", options->pattern, "pattern of the tags it applies to")->required();
  place->add_option("--from", options->from, "from this time on")->required();
  place->add_option("--to", options->to, "until before this time")->required();
  place->add_option("--reason", options->reason, "why")->required();
  place->add_option("--by", options->by, "who places it")->capture_default_str();
  AddAllowEmptyOption(place, &options->allow_empty);
  place->footer(
      "\nIn force when the command returns. Whole weeks are kept: each that the range touches. A pattern "
      "that\n"
      "matches no tag is refused, for it holds nothing; tags that are created later and match are held, "
      "too.\n"
      "\nExamples:\n"
      "  histctl hold place 'incident 2026-17' 'plant/area-1/*' --from 2026-10-01 --to 2026-11-01 --reason "
      "'inspection, letter of 2 November'\n");

  CLI::App* const release = add("release", "end a hold: the retention rules decide again", ReleaseHold);
  release->add_option("ID", options->id, "its number, as listed")->required();
  release->add_option("--reason", options->reason, "why")->required();
  release->add_option("--by", options->by, "who releases it")->capture_default_str();
  release->footer(
      "\nIt stays listed with --released.\n\nExamples:\n  histctl hold release 3 --reason 'case closed'\n");

  CLI::App* const list = add("list", "the holds in force", ListHolds);
  list->add_flag("--released", options->released, "released ones too, and by whom and why");
  AddAsOfOption(list, &options->as_of);
  list->footer("\nExamples:\n  histctl hold list\n  histctl hold list --released --format csv\n");
}

}  // namespace historian::histctl
