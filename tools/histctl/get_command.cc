#include <memory>
#include <string>

#include "absl/strings/str_cat.h"
#include "client/reader.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

struct GetOptions {
  std::string tag;
  std::string from = "-1h";
  std::string to = "now";
  uint64_t limit = 0;
  bool reverse = false;
  bool bounds = false;
  AsOfOptions as_of;
};

absl::Status Get(const GetOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const Range range, ParseRange(*context, options.from, options.to));
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(Tag found, FindTag(connection, options.tag));
  std::vector<Tag> tags = {std::move(found)};
  ASSIGN_OR_RETURN(const client::Reader reader, ReaderAsOf(connection, options.as_of, context, &tags));
  const Tag& tag = tags[0];
  const bool digital = tag.type == ValueType::kDigital;
  std::vector<Heading> headings = {
      TimeHeading(*context),
      {.name = "value", .unit = tag.unit, .right = IsFloat(tag.type) || tag.type == ValueType::kInt64}};
  if (digital) headings.push_back({.name = "state", .machine_only = true});
  headings.push_back({.name = "quality", .cut = Cut::kText});
  RowWriter rows(context->format, headings, context->out);
  client::RawSamples raw =
      reader.Raw(tag.id, range.from, range.to,
                 {.bounds = options.bounds, .reverse = options.reverse, .limit = options.limit});
  bool any = false;
  for (const client::SampleBatch& batch : raw) {
    any = true;
    if (context->Interrupted()) return InterruptedError("interrupted");
    const SamplesView samples = batch.samples.View();
    for (size_t i = 0; i < samples.size; ++i) {
      std::vector<Cell> cells = {TimeCell(*context, samples.times[i]), SampleCell(tag, samples, i)};
      if (digital) cells.push_back(StateCell(tag, samples.values[i]));
      cells.push_back(QualityCell(samples.QualityAt(i)));
      rows.AddRow(std::move(cells));
    }
  }
  rows.Finish();
  RETURN_IF_ERROR(Annotate(raw.status(), absl::StrCat("tag '", tag.name, "'")));
  if (!any) NoteWhereSamplesAre(reader, tag, range, context);
  if (!raw.continuation().empty())
    context->Note(absl::StrCat("there are more; --limit ", options.limit, " was reached"));
  return absl::OkStatus();
}

}  // namespace

void AddGetCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<GetOptions>();
  CLI::App* const get = app->add_subcommand("get", "the samples of a tag, as stored");
  get->add_option("TAG", options->tag, "the tag's name")->required();
  get->add_option("--from", options->from, "from this time on")->capture_default_str();
  get->add_option("--to", options->to, "until before this time")->capture_default_str();
  get->add_option("--limit", options->limit, "at most this many samples; 0: all");
  get->add_flag("--reverse", options->reverse, "newest first");
  get->add_flag("--bounds", options->bounds,
                "also the newest sample before --from and the first one at or after --to");
  AddAsOfOptions(get, &options->as_of);
  get->footer(
      "\nCSV and JSON have a digital value's code in `value` and its name in `state`.\n"
      "NaN and the infinities are the JSON strings \"nan\", \"inf\" and \"-inf\".\n"
      "\nExamples:\n"
      "  histctl get plant/area-1/pump-101/flow\n"
      "  histctl get plant/area-1/pump-101/flow --from '2026-11-23 06:00' --to '2026-11-23 14:00' --tz "
      "Europe/Berlin\n"
      "  histctl get plant/area-1/pump-101/flow --from -30d --reverse --limit 10 --format json\n");
  get->callback([=] { context->run = [=] { return Get(*options, context); }; });
}

}  // namespace historian::histctl
