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
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

struct GetOptions {
  std::vector<std::string> tags;
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
  // Of joined reads alone.
  bool joined = false;
  std::string every;
  bool on_change = false;
  std::string interpolation;
  bool uncertain_as_bad = false;
};

// ---- Many tags on one axis of time

absl::StatusOr<client::JoinedRequest> JoinedRequestOf(const GetOptions& options, const Context& context) {
  for (const auto& [option, is_set] :
       {std::pair("--reverse", options.reverse), std::pair("--bounds", options.bounds),
        std::pair("--opc-ua", options.opc_ua), std::pair("--quality", !options.qualities.empty()),
        std::pair("--minimum", options.minimum.has_value()),
        std::pair("--maximum", options.maximum.has_value()), std::pair("--state", !options.states.empty())}) {
    if (is_set) return UsageError(absl::StrCat(option, " does not go with --joined"));
  }
  client::JoinedRequest request{
      .limit = options.limit, .uncertain_as_bad = options.uncertain_as_bad, .unit = options.unit};
  ASSIGN_OR_RETURN(Range range, ParseRange(context, options.from, options.to));
  if (!options.every.empty()) {
    const absl::StatusOr<int64_t> nanos = ParseDurationText(options.every);
    if (!nanos.ok()) return UsageError(absl::StrCat("--every: ", nanos.status().message()));
    request.step = absl::Nanoseconds(*nanos);
    // Nobody means a grid that begins at 14:07:33.
    if (IsRelativeToNow(options.from)) range.from = AlignDown(range.from, *nanos, context.zone);
  }
  if (range.from == range.to) return UsageError("--from and --to are the same time");
  request.start = range.from;
  request.end = range.to;
  if (options.interpolation == "stepped") request.interpolation = Interpolation::kStepped;
  if (options.interpolation == "sloped") request.interpolation = Interpolation::kSloped;
  if (!options.interpolation.empty() && !request.interpolation) {
    return UsageError(
        absl::StrCat("--interpolation: '", options.interpolation, "' is neither stepped nor sloped"));
  }
  return request;
}

bool HasNoValue(Quality quality) { return CodeOf(quality) == kBadNoData; }

// People see one quality in a row, the worst; where all are Good it does not matter whether they lie between samples.
Cell WorstCell(const client::JoinedRows& rows, size_t i) {
  Quality worst = kGood;
  for (const client::SampleBatch& tag : rows.tags) {
    const Quality quality = tag.samples.View().QualityAt(i);
    if (SeverityOf(quality) > SeverityOf(worst)) worst = quality;
  }
  return QualityCell(worst);
}

absl::Status GetJoined(const GetOptions& options, Context* context) {
  ASSIGN_OR_RETURN(const client::JoinedRequest request, JoinedRequestOf(options, *context));
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(std::vector<Tag> tags, FindTags(connection, options.tags));
  ASSIGN_OR_RETURN(const client::Reader reader, ReaderAsOf(connection, options.as_of, context, &tags));
  const bool is_table = context->format == Format::kTable;
  std::vector<Heading> headings = {TimeHeading(*context)};
  for (const Tag& tag : tags) {
    headings.push_back({.name = tag.name,
                        .unit = InUnit(tag, tag.type, options.unit).unit,
                        .right = IsFloat(tag.type) || tag.type == ValueType::kInt64});
    if (!is_table) headings.push_back({.name = absl::StrCat(tag.name, " quality")});
  }
  if (is_table) headings.push_back({.name = "quality", .cut = Cut::kText});
  RowWriter rows(context->format, headings, context->out);
  const int digits = options.unit.empty() ? 0 : kComputedDigits;
  uint64_t count = 0;
  const absl::Status status =
      reader.Joined(SelectionOf(tags), request, [&](const client::JoinedRows& some) -> absl::Status {
        if (context->Interrupted()) return InterruptedError("interrupted");
        if (some.tags.size() != tags.size())
          return absl::InternalError("the server answered for other tags than asked");
        std::vector<Tag> shown;
        for (size_t k = 0; k < tags.size(); ++k)
          shown.push_back(InUnit(tags[k], some.tags[k].type, options.unit));
        for (size_t i = 0; i < some.times.size(); ++i) {
          std::vector<Cell> cells = {TimeCell(*context, some.times[i])};
          for (size_t k = 0; k < tags.size(); ++k) {
            const SamplesView samples = some.tags[k].samples.View();
            const Quality quality = samples.QualityAt(i);
            cells.push_back(HasNoValue(quality) ? Cell::Absent() : SampleCell(shown[k], samples, i, digits));
            if (!is_table) cells.push_back(QualityCell(quality));
          }
          if (is_table) cells.push_back(WorstCell(some, i));
          rows.AddRow(std::move(cells));
        }
        count += some.times.size();
        return absl::OkStatus();
      });
  rows.Finish();
  RETURN_IF_ERROR(status);
  if (count == 0 && tags.size() == 1) {
    NoteWhereSamplesAre(reader, tags[0], {request.start, request.end}, context);
  } else if (count == 0) {
    context->Note("none of these tags has a sample there");
  }
  return absl::OkStatus();
}

// ---- One tag

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
  if (options.joined) return GetJoined(options, context);
  if (options.tags.size() > 1) {
    return UsageError(absl::StrCat(options.tags.size(),
                                   " tags: get reads the samples of one; with --joined, many at the same "
                                   "times. A text with a space or a * is one "
                                   "with quotes around it"));
  }
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
  ASSIGN_OR_RETURN(Tag found, FindTag(connection, options.tags[0]));
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
  CLI::App* const get = app->add_subcommand(
      "get", "the samples of a tag, as stored; or the values of many tags at the same times");
  get->add_option("TAG", options->tags, "the tag's name; with --joined, names or patterns")->required();
  CLI::Option* const from =
      get->add_option("--from", options->from, "from this time on")->capture_default_str();
  CLI::Option* const to =
      get->add_option("--to", options->to, "until before this time")->capture_default_str();
  get->add_option("--limit", options->limit, "at most this many samples (--joined: times); 0: all");
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
  const std::string group = "Many tags on one axis of time";
  CLI::Option* const joined =
      get->add_flag("--joined", options->joined,
                    "a row for each time, a column for each tag; values between samples, too")
          ->group(group);
  CLI::Option* const every = get->add_option("--every", options->every,
                                             "the times are so far apart: 1s, 15m; with --from -1d they "
                                             "begin where the clock is round (--tz)")
                                 ->needs(joined)
                                 ->group(group);
  get->add_flag("--on-change", options->on_change,
                "the times are those at which any of the tags has a sample (the default)")
      ->needs(joined)
      ->excludes(every)
      ->group(group);
  get->add_option("--interpolation", options->interpolation, "stepped or sloped, instead of as each tag says")
      ->needs(joined)
      ->group(group);
  get->add_flag("--uncertain-as-bad", options->uncertain_as_bad,
                "pass over Uncertain samples as over Bad ones")
      ->needs(joined)
      ->group(group);
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
      "\nWith --joined CSV and JSON have the quality of each tag in a column of its own, 'TAG quality'; "
      "tables "
      "have the worst of\n"
      "the row. A tag has no value before its first sample.\n"
      "\nExamples:\n"
      "  histctl get plant/area-1/pump-101/flow\n"
      "  histctl get plant/area-1/pump-101/flow --from '2026-11-23 06:00' --to '2026-11-23 14:00' --tz "
      "Europe/Berlin\n"
      "  histctl get plant/area-1/pump-101/flow --from -30d --reverse --limit 10 --format json\n"
      "  histctl get plant/area-1/pump-101/flow --from -1d --quality bad,uncertain\n"
      "  histctl get plant/area-1/pump-101/discharge-pressure --unit psi --minimum 70\n"
      "  histctl get plant/area-1/pump-101/state --from -1d --state running\n"
      "  histctl get 'plant/area-1/pump-101/*' --joined --from -1h --every 1m --format csv\n"
      "  histctl get plant/area-1/pump-101/flow plant/area-1/pump-101/state --joined --from -1h\n"
      "  histctl get plant/area-1/pump-101/flow --opc-ua --to now --limit 5 --bounds    # the newest five\n");
  get->callback([=] {
    options->has_from = from->count() > 0;
    options->has_to = to->count() > 0;
    context->run = [=] { return Get(*options, context); };
  });
}

}  // namespace historian::histctl
