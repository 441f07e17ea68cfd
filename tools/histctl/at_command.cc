#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/reader.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

struct AtOptions {
  std::vector<std::string> tags;
  std::vector<std::string> times;
  std::string interpolation;
  bool uncertain_as_bad = false;
  std::string unit;
  AsOfOptions as_of;
};

absl::Status At(const AtOptions& options, Context* context) {
  std::vector<Timestamp> times;
  for (const std::string& text : options.times) {
    ASSIGN_OR_RETURN(times.emplace_back(), context->Time("--time", text));
  }
  std::optional<Interpolation> interpolation;
  if (options.interpolation == "stepped") interpolation = Interpolation::kStepped;
  if (options.interpolation == "sloped") interpolation = Interpolation::kSloped;
  if (!options.interpolation.empty() && !interpolation) {
    return UsageError(
        absl::StrCat("--interpolation: '", options.interpolation, "' is neither stepped nor sloped"));
  }
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(std::vector<Tag> tags, FindTags(connection, options.tags));
  ASSIGN_OR_RETURN(const client::Reader reader, ReaderAsOf(connection, options.as_of, context, &tags));
  ASSIGN_OR_RETURN(
      const std::vector<client::SampleBatch> values,
      reader.AtTimes(SelectionOf(tags), times, interpolation, options.uncertain_as_bad, options.unit));
  if (values.size() != tags.size())
    return absl::InternalError("the server answered for other tags than asked");
  for (size_t i = 0; i < tags.size(); ++i) tags[i] = InUnit(std::move(tags[i]), values[i].type, options.unit);
  const int digits = options.unit.empty() ? 0 : kComputedDigits;
  RowWriter rows(context->format,
                 {TimeHeading(*context),
                  {.name = "tag", .cut = Cut::kName},
                  {.name = "value", .right = true},
                  {.name = "unit"},
                  {.name = "state", .machine_only = true},
                  {.name = "quality", .cut = Cut::kText}},
                 context->out);
  for (size_t at = 0; at < times.size(); ++at) {
    for (size_t i = 0; i < tags.size(); ++i) {
      const SamplesView samples = values[i].samples.View();
      if (samples.size != times.size())
        return absl::InternalError("the server answered for other times than asked");
      const Quality quality = samples.QualityAt(at);
      const bool none = (quality & 0xFFFF0000) == kBadNoData;
      rows.AddRow({TimeCell(*context, times[at]), Cell::Text(tags[i].name),
                   none ? Cell::Absent() : SampleCell(tags[i], samples, at, digits), Cell::Text(tags[i].unit),
                   none ? Cell::Absent() : StateCell(tags[i], samples.values[at]), QualityCell(quality)});
    }
  }
  rows.Finish();
  return absl::OkStatus();
}

}  // namespace

void AddAtCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<AtOptions>();
  CLI::App* const at = app->add_subcommand("at", "the values of tags at given times, between samples too");
  at->add_option("TAG", options->tags, "names or patterns")->required();
  at->add_option("--time", options->times, "when; repeat it")->required()->allow_extra_args(false);
  at->add_option("--interpolation", options->interpolation, "stepped or sloped, instead of as each tag says");
  at->add_flag("--uncertain-as-bad", options->uncertain_as_bad,
               "pass over Uncertain samples as over Bad ones");
  AddUnitOption(at, &options->unit);
  AddAsOfOptions(at, &options->as_of);
  at->footer(
      "\nExamples:\n  histctl at plant/area-1/pump-101/flow --time '2026-11-23T09:00:00Z'\n"
      "  histctl at 'plant/area-1/*' --time today --time yesterday --tz Europe/Berlin\n"
      "  histctl at 'plant/area-1/*/flow' --time today --unit l/min\n");
  at->callback([=] { context->run = [=] { return At(*options, context); }; });
}

}  // namespace historian::histctl
