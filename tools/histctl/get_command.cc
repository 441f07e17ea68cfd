#include <memory>
#include <optional>
#include <string>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "client/reader.h"
#include "storage/model/nearest_name.h"
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
  bool opc_ua = false;
  bool has_from = false;
  bool has_to = false;
  std::vector<std::string> qualities;
  std::optional<double> minimum;
  std::optional<double> maximum;
  std::vector<std::string> states;
  std::string unit;
  AsOfOptions as_of;
};

// A state by its name or code. Errors: UsageError, the tag has none of that name.
absl::StatusOr<uint32_t> StateOf(const Tag& tag, const std::string& text) {
  for (const auto& [code, name] : tag.states) {
    if (name == text) return code;
  }
  if (tag.type == ValueType::kBool && (text == "true" || text == "false")) return text == "true" ? 1 : 0;
  uint32_t code = 0;
  if (absl::SimpleAtoi(text, &code)) return code;
  std::vector<std::string> names;
  for (const auto& [known, name] : tag.states) names.push_back(name);
  return UsageError(
      absl::StrCat("--state: tag '", tag.name, "' has no state '", text, "'", DidYouMean(text, names)));
}

// Nothing without an option that asks for one.
absl::StatusOr<std::optional<client::SampleFilter>> FilterOf(const GetOptions& options, const Tag& tag) {
  client::SampleFilter filter{.minimum = options.minimum, .maximum = options.maximum};
  for (const std::string& quality : options.qualities) {
    if (quality == "good") {
      filter.good = true;
    } else if (quality == "uncertain") {
      filter.uncertain = true;
    } else if (quality == "bad") {
      filter.bad = true;
    } else {
      return UsageError(absl::StrCat("--quality: '", quality, "' is none of good, uncertain and bad"));
    }
  }
  for (const std::string& state : options.states) {
    ASSIGN_OR_RETURN(filter.states.emplace_back(), StateOf(tag, state));
  }
  if (options.qualities.empty() && options.states.empty() && !options.minimum && !options.maximum)
    return std::nullopt;
  return filter;
}

absl::Status Get(const GetOptions& options, Context* context) {
  Range range;
  std::optional<Timestamp> from, to;
  if (!options.opc_ua) {
    ASSIGN_OR_RETURN(range, ParseRange(*context, options.from, options.to));
  }
  if (options.opc_ua && !options.has_from && !options.has_to)
    return UsageError("--opc-ua needs --from, --to or both");
  if (options.opc_ua && (!options.has_from || !options.has_to) && options.limit == 0) {
    return UsageError(
        "--opc-ua with only one of --from and --to needs --limit, which says where the read ends");
  }
  if (options.opc_ua && options.reverse) {
    return UsageError("--reverse is not for --opc-ua, which reads newest first when --to is before --from");
  }
  if (options.opc_ua && options.has_from) {
    ASSIGN_OR_RETURN(from, context->Time("--from", options.from));
  }
  if (options.opc_ua && options.has_to) {
    ASSIGN_OR_RETURN(to, context->Time("--to", options.to));
  }
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(Tag found, FindTag(connection, options.tag));
  std::vector<Tag> tags = {std::move(found)};
  ASSIGN_OR_RETURN(const client::Reader reader, ReaderAsOf(connection, options.as_of, context, &tags));
  const Tag& tag = tags[0];
  client::RawOptions asked{
      .bounds = options.bounds, .reverse = options.reverse, .limit = options.limit, .unit = options.unit};
  ASSIGN_OR_RETURN(asked.filter, FilterOf(options, tag));
  const bool digital = tag.type == ValueType::kDigital;
  std::vector<Heading> headings = {TimeHeading(*context),
                                   {.name = "value",
                                    .unit = InUnit(tag, tag.type, options.unit).unit,
                                    .right = IsFloat(tag.type) || tag.type == ValueType::kInt64}};
  if (digital) headings.push_back({.name = "state", .machine_only = true});
  headings.push_back({.name = "quality", .cut = Cut::kText});
  RowWriter rows(context->format, headings, context->out);
  const int digits = options.unit.empty() ? 0 : kComputedDigits;
  client::RawSamples raw = options.opc_ua ? reader.RawByOpcUa(tag.id, from, to, asked)
                                          : reader.Raw(tag.id, range.from, range.to, asked);
  bool any = false;
  for (const client::SampleBatch& batch : raw) {
    any = true;
    if (context->Interrupted()) return InterruptedError("interrupted");
    const SamplesView samples = batch.samples.View();
    const Tag shown = InUnit(tag, batch.type, options.unit);
    for (size_t i = 0; i < samples.size; ++i) {
      const bool none = CodeOf(samples.QualityAt(i)) == kBadNoBound;
      std::vector<Cell> cells = {TimeCell(*context, samples.times[i]),
                                 none ? Cell::Absent() : SampleCell(shown, samples, i, digits)};
      if (digital) cells.push_back(none ? Cell::Absent() : StateCell(tag, samples.values[i]));
      cells.push_back(QualityCell(samples.QualityAt(i)));
      rows.AddRow(std::move(cells));
    }
  }
  rows.Finish();
  RETURN_IF_ERROR(Annotate(raw.status(), absl::StrCat("tag '", tag.name, "'")));
  if (!any && asked.filter.has_value()) {
    context->Note(absl::StrCat("no sample of '", tag.name, "' there is one of those that were asked for"));
  } else if (!any && !options.opc_ua) {
    NoteWhereSamplesAre(reader, tag, range, context);
  }
  if (!raw.continuation().empty())
    context->Note(absl::StrCat("there are more; --limit ", options.limit, " was reached"));
  return absl::OkStatus();
}

}  // namespace

void AddGetCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<GetOptions>();
  CLI::App* const get = app->add_subcommand("get", "the samples of a tag, as stored");
  get->add_option("TAG", options->tag, "the tag's name")->required();
  CLI::Option* const from =
      get->add_option("--from", options->from, "from this time on")->capture_default_str();
  CLI::Option* const to =
      get->add_option("--to", options->to, "until before this time")->capture_default_str();
  get->add_option("--limit", options->limit, "at most this many samples; 0: all");
  get->add_flag("--reverse", options->reverse, "newest first");
  get->add_flag("--bounds", options->bounds,
                "also the newest sample before --from and the first one at or after --to");
  get->add_flag("--opc-ua", options->opc_ua, "ranges and bounds as OPC UA means them: see below");
  get->add_option("--quality", options->qualities, "only samples that are good, uncertain or bad; repeat it")
      ->allow_extra_args(false)
      ->delimiter(',');
  get->add_option("--minimum", options->minimum, "only values that are at least this");
  get->add_option("--maximum", options->maximum, "only values that are at most this");
  get->add_option("--state", options->states, "only values of this state, a name or a code; repeat it")
      ->allow_extra_args(false);
  AddUnitOption(get, &options->unit);
  AddAsOfOptions(get, &options->as_of);
  get->footer(
      "\nCSV and JSON have a digital value's code in `value` and its name in `state`.\n"
      "NaN and the infinities are the JSON strings \"nan\", \"inf\" and \"-inf\".\n"
      "--limit counts the samples that --quality, --minimum, --maximum and --state let through. --minimum "
      "and --maximum are\n"
      "in the unit of --unit, and look at values of any quality.\n"
      "\nWith --opc-ua a read goes from --from to --to: newest first if --to is earlier, and the sample at "
      "that time if both\n"
      "are one. The time where it begins belongs to it, the other does not. With only one of them --limit "
      "says where it ends:\n"
      "from --from on into the future, or from --to on into the past. --bounds adds the nearest sample "
      "outside where there\n"
      "is none at the edge; one that does not exist is a line without a value, BadBoundNotFound.\n"
      "\nExamples:\n"
      "  histctl get plant/area-1/pump-101/flow\n"
      "  histctl get plant/area-1/pump-101/flow --from '2026-11-23 06:00' --to '2026-11-23 14:00' --tz "
      "Europe/Berlin\n"
      "  histctl get plant/area-1/pump-101/flow --from -30d --reverse --limit 10 --format json\n"
      "  histctl get plant/area-1/pump-101/flow --from -1d --quality bad,uncertain\n"
      "  histctl get plant/area-1/pump-101/discharge-pressure --unit psi --minimum 70\n"
      "  histctl get plant/area-1/pump-101/state --from -1d --state running\n"
      "  histctl get plant/area-1/pump-101/flow --opc-ua --to now --limit 5 --bounds    # the newest five\n");
  get->callback([=] {
    options->has_from = from->count() > 0;
    options->has_to = to->count() > 0;
    context->run = [=] { return Get(*options, context); };
  });
}

}  // namespace historian::histctl
