#include <map>
#include <memory>
#include <set>
#include <string>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/reader.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

struct LatestOptions {
  std::vector<std::string> tags;
  std::string unit;
  AsOfOptions as_of;
};

// How old, for people; nothing for a time to come.
Cell AgeCell(Timestamp time, Timestamp now, bool is_stale) {
  if (time > now) return Cell::Float64(-static_cast<double>(Elapsed(now, time)) / 1e9).Shown("in the future");
  const uint64_t nanos = Elapsed(time, now);
  return Cell::Float64(static_cast<double>(nanos) / 1e9)
      .Shown(absl::StrCat(DurationText(nanos), is_stale ? ", stale" : ""));
}

absl::Status Latest(const LatestOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(std::vector<Tag> tags, FindTags(connection, options.tags));
  ASSIGN_OR_RETURN(const client::Reader reader, ReaderAsOf(connection, options.as_of, context, &tags));
  ASSIGN_OR_RETURN(const client::Latest latest, reader.ReadLatest(SelectionOf(tags), options.unit));
  std::map<TagId, std::pair<const client::LatestSamples*, size_t>> places;
  for (const client::LatestSamples& group : latest.groups) {
    for (size_t i = 0; i < group.tag_ids.size(); ++i) places[group.tag_ids[i]] = {&group, i};
  }
  const std::set<TagId> stale(latest.stale.begin(), latest.stale.end());
  RowWriter rows(context->format,
                 {{.name = "tag", .cut = Cut::kName},
                  {.name = "value", .right = true},
                  {.name = "unit"},
                  {.name = "state", .machine_only = true},
                  TimeHeading(*context),
                  {.name = "age", .right = true},
                  {.name = "stale", .machine_only = true},
                  {.name = "quality", .cut = Cut::kText}},
                 context->out);
  for (const Tag& tag : tags) {
    const auto place = places.find(tag.id);
    if (place == places.end()) {
      rows.AddRow({Cell::Text(tag.name), Cell::Absent(), Cell::Text(InUnit(tag, tag.type, options.unit).unit),
                   Cell::Absent(), Cell::Absent(), Cell::Absent(), Cell::Absent(),
                   Cell::Absent().Shown(" ")});
      continue;
    }
    const auto [group, i] = place->second;
    const SamplesView samples = group->samples.View();
    const Tag shown = InUnit(tag, group->type, options.unit);
    rows.AddRow(
        {Cell::Text(tag.name), SampleCell(shown, samples, i, options.unit.empty() ? 0 : kComputedDigits),
         Cell::Text(shown.unit), StateCell(tag, samples.values[i]), TimeCell(*context, samples.times[i]),
         AgeCell(samples.times[i], latest.now, stale.contains(tag.id)), Cell::Bool(stale.contains(tag.id)),
         QualityCell(samples.QualityAt(i))});
  }
  rows.Finish();
  return absl::OkStatus();
}

}  // namespace

void AddLatestCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<LatestOptions>();
  CLI::App* const latest = app->add_subcommand("latest", "the newest sample of tags");
  latest->add_option("PATTERN", options->tags, "names or patterns")->required();
  AddUnitOption(latest, &options->unit);
  AddAsOfOptions(latest, &options->as_of);
  latest->footer(
      "\nA tag without a sample has no value. `age` is in seconds in CSV and JSON, by the server's clock; "
      "with --as-of it was then.\n"
      "A sample that is older than its tag's --stale-after (histctl tag set) is stale.\n"
      "\nExamples:\n  histctl latest 'plant/area-1/*'\n  histctl latest plant/area-1/pump-101/flow "
      "plant/area-1/pump-105/flow\n"
      "  histctl latest 'plant/area-1/*/discharge-pressure' --unit psi\n");
  latest->callback([=] { context->run = [=] { return Latest(*options, context); }; });
}

}  // namespace historian::histctl
