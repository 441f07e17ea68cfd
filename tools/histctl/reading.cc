#include "tools/histctl/reading.h"

#include <CLI/CLI.hpp>
#include <set>
#include <utility>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "client/admin.h"
#include "client/tags.h"
#include "storage/model/nearest_name.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/lib/value_text.h"
#include "tools/histctl/near_tags.h"

namespace historian::histctl {

namespace {

constexpr absl::string_view kTagListHint =
    "\n  'histctl tag list' lists the tags; add --retired for retired ones";

// Quotes around each.
std::string Names(const std::vector<std::string>& names) {
  return absl::StrJoin(
      names, ", ", [](std::string* out, const std::string& name) { absl::StrAppend(out, "'", name, "'"); });
}

}  // namespace

bool IsPattern(absl::string_view text) { return text.find_first_of("*?[") != absl::string_view::npos; }

absl::Status NoSuchTagError(const client::Connection& connection, const std::string& name) {
  std::vector<std::string> near = NearTags(connection, name);
  for (std::string& one : near) one = absl::StrCat("'", one, "'");
  return absl::NotFoundError(
      absl::StrCat("tag '", name, "': no such tag", DidYouMean(near), near.empty() ? kTagListHint : ""));
}

absl::Status NoMatchError(absl::string_view pattern) {
  return absl::NotFoundError(absl::StrCat("no tag matches '", pattern, "'", kTagListHint));
}

void AddAllowEmptyOption(CLI::App* app, bool* allow_empty) {
  app->add_flag("--allow-empty", *allow_empty, "also if no tag matches yet");
}

absl::Status RequireMatch(const client::Connection& connection, const std::string& pattern,
                          bool allow_empty) {
  if (allow_empty) return absl::OkStatus();
  client::TagList list =
      client::Tags(connection).List({.pattern = pattern, .include_retired = true, .page_size = 1});
  if (list.begin() != list.end()) return absl::OkStatus();
  RETURN_IF_ERROR(list.status());
  return absl::NotFoundError(absl::StrCat("no tag matches '", pattern,
                                          "', and nothing was done: --allow-empty if its tags are to come",
                                          kTagListHint));
}

absl::StatusOr<std::vector<Tag>> FindTags(const client::Connection& connection,
                                          const std::vector<std::string>& names_and_patterns) {
  const client::Tags tags(connection);
  // Names go in one call, so they are found first and put in their places afterwards.
  std::vector<client::TagKey> keys;
  for (const std::string& name : names_and_patterns) {
    if (!IsPattern(name)) keys.emplace_back(name);
  }
  std::vector<client::TagOutcome> named;
  if (!keys.empty()) {
    ASSIGN_OR_RETURN(named, tags.Get(keys));
  }
  std::vector<Tag> found;
  std::set<TagId> seen;
  size_t next_named = 0;
  for (const std::string& name : names_and_patterns) {
    if (!IsPattern(name)) {
      client::TagOutcome& outcome = named[next_named++];
      if (absl::IsNotFound(outcome.status)) return NoSuchTagError(connection, name);
      RETURN_IF_ERROR(Annotate(outcome.status, absl::StrCat("tag '", name, "'")));
      if (seen.insert(outcome.tag.id).second) found.push_back(std::move(outcome.tag));
      continue;
    }
    client::TagList list = tags.List({.pattern = name, .include_retired = true});
    bool any = false;
    for (const Tag& tag : list) {
      any = true;
      if (seen.insert(tag.id).second) found.push_back(tag);
    }
    RETURN_IF_ERROR(list.status());
    if (!any) return NoMatchError(name);
  }
  return found;
}

absl::StatusOr<Tag> FindTag(const client::Connection& connection, const std::string& name) {
  if (IsPattern(name)) {
    constexpr size_t kShown = 3;
    std::vector<std::string> matches;
    client::TagList list = client::Tags(connection).List({.pattern = name, .page_size = kShown + 1});
    for (const Tag& tag : list) {
      matches.push_back(tag.name);
      if (matches.size() > kShown) break;
    }
    RETURN_IF_ERROR(list.status());
    if (matches.empty()) return NoMatchError(name);
    const bool more = matches.size() > kShown;
    if (more) matches.pop_back();
    return UsageError(absl::StrCat("'", name,
                                   "' is a pattern, and this takes the name of one tag; it matches ",
                                   Names(matches), more ? " and more" : ""));
  }
  const client::TagKey key = name;
  ASSIGN_OR_RETURN(std::vector<client::TagOutcome> outcomes,
                   client::Tags(connection).Get(absl::MakeConstSpan(&key, 1)));
  if (absl::IsNotFound(outcomes[0].status)) return NoSuchTagError(connection, name);
  RETURN_IF_ERROR(Annotate(outcomes[0].status, absl::StrCat("tag '", name, "'")));
  return std::move(outcomes[0].tag);
}

client::TagSelection SelectionOf(const std::vector<Tag>& tags) {
  client::TagSelection selection;
  for (const Tag& tag : tags) selection.ids.push_back(tag.id);
  return selection;
}

absl::StatusOr<Range> ParseRange(const Context& context, absl::string_view from, absl::string_view to) {
  Range range;
  ASSIGN_OR_RETURN(range.from, context.Time("--from", from));
  ASSIGN_OR_RETURN(range.to, context.Time("--to", to));
  if (range.to < range.from) {
    return UsageError(absl::StrCat("--to ", TimeText(range.to, context.zone), " is before --from ",
                                   TimeText(range.from, context.zone)));
  }
  return range;
}

void NoteWhereSamplesAre(const Tag& tag, const Range& range, absl::Span<const Timestamp> around,
                         Context* context) {
  const auto text = [&](Timestamp t) { return TimeText(t, context->zone); };
  std::string where;
  for (const Timestamp t : around) {
    if (t < range.from) {
      absl::StrAppend(&where, "; the newest before is of ", text(t), ", ",
                      DurationText(Elapsed(t, range.from)), " earlier");
    } else if (t >= range.to) {
      absl::StrAppend(&where, "; the next is of ", text(t), ", ", DurationText(Elapsed(range.to, t)),
                      " later");
    }
  }
  context->Note(where.empty() ? absl::StrCat("tag '", tag.name, "' has no samples")
                              : absl::StrCat("no samples of '", tag.name, "' from ", text(range.from), " to ",
                                             text(range.to), where));
}

void NoteWhereSamplesAre(const client::Reader& reader, const Tag& tag, const Range& range, Context* context) {
  const absl::StatusOr<client::SampleBatch> around =
      reader.Raw(tag.id, range.from, range.from, {.bounds = true}).Collect();
  std::vector<Timestamp> times;
  if (around.ok()) times = around->samples.times;
  // Where the range ends, not where it begins.
  const absl::StatusOr<client::SampleBatch> behind =
      reader.Raw(tag.id, range.to, kTimestampMax, {.limit = 1}).Collect();
  if (!around.ok() || !behind.ok()) return;
  std::erase_if(times, [&](Timestamp t) { return t >= range.from; });
  times.insert(times.end(), behind->samples.times.begin(), behind->samples.times.end());
  NoteWhereSamplesAre(tag, range, times, context);
}

void AddAsOfOption(CLI::App* app, std::string* as_of) {
  app->add_option("--as-of", *as_of,
                  "what the archive said as of a version (a number, see `histctl version list`) or a time");
}

absl::StatusOr<AsOf> ParseAsOf(const client::Connection& connection, const std::string& as_of,
                               Context* context) {
  if (as_of.empty()) return AsOf();
  v1::ListVersionsRequest request;
  request.set_limit(1);
  uint64_t asked = 0;
  const bool by_number = absl::SimpleAtoi(as_of, &asked);
  if (by_number) {
    request.set_before(asked + 1);
  } else {
    ASSIGN_OR_RETURN(const Timestamp time, context->Time("--as-of", as_of));
    request.set_start(kTimestampMin);
    request.set_end(time + 1);
  }
  ASSIGN_OR_RETURN(const v1::ListVersionsResponse listed, client::Admin(connection).ListVersions(request));
  if (listed.versions().empty() || (by_number && listed.versions(0).version() != asked)) {
    return absl::FailedPreconditionError(
        by_number ? absl::StrCat("--as-of: no version ", asked, " has closed (histctl version list)")
                  : absl::StrCat("--as-of: no version had closed by ", as_of, " (histctl version list)"));
  }
  const v1::Version& version = listed.versions(0);
  context->Note(absl::StrCat("as of version ", version.version(), ", which closed at ",
                             TimeText(version.time(), context->zone)));
  return AsOf{.version = version.version()};
}

absl::StatusOr<std::vector<client::TagOutcome>> TagsAsOf(const client::Connection& connection,
                                                         const AsOf& as_of, const std::vector<Tag>& tags) {
  std::vector<client::TagKey> keys;
  for (const Tag& tag : tags) keys.emplace_back(tag.id);
  ASSIGN_OR_RETURN(std::vector<client::TagOutcome> then, client::Tags(connection).Get(keys, as_of));
  for (const client::TagOutcome& outcome : then) RETURN_IF_ERROR(outcome.status);
  return then;
}

absl::Status MakeTagsAsOf(const client::Connection& connection, const AsOf& as_of, std::vector<Tag>* tags) {
  ASSIGN_OR_RETURN(std::vector<client::TagOutcome> then, TagsAsOf(connection, as_of, *tags));
  for (size_t i = 0; i < then.size(); ++i) (*tags)[i] = std::move(then[i].tag);
  return absl::OkStatus();
}

void AddAsOfOptions(CLI::App* app, AsOfOptions* options) {
  AddAsOfOption(app, &options->as_of);
  app->add_flag("--tags-too", options->tags_too,
                "with --as-of: units and names of states as they were then, too, instead of as they are now");
}

absl::StatusOr<client::Reader> ReaderAsOf(const client::Connection& connection, const AsOfOptions& options,
                                          Context* context, std::vector<Tag>* tags) {
  if (options.tags_too && options.as_of.empty()) return UsageError("--tags-too goes with --as-of");
  ASSIGN_OR_RETURN(const AsOf as_of, ParseAsOf(connection, options.as_of, context));
  if (options.tags_too) RETURN_IF_ERROR(MakeTagsAsOf(connection, as_of, tags));
  return client::Reader(connection, as_of);
}

void AddUnitOption(CLI::App* app, std::string* unit) {
  app->add_option("--unit", *unit,
                  "values in this unit, such as degF, kPa or t/h, instead of the tags' own (UCUM, or as "
                  "plants write it)");
}

Tag InUnit(Tag tag, ValueType type, absl::string_view unit) {
  tag.type = type;
  if (!unit.empty()) tag.unit = std::string(unit);
  return tag;
}

void AddCsvOptions(CLI::App* app, CsvOptions* options) {
  const std::string group = "How CSV is written";
  app->add_option("--separator", options->separator,
                  "between columns: one character, or tab (default: a comma)")
      ->group(group);
  app->add_flag("--decimal-comma", options->decimal_comma,
                "1,5 instead of 1.5, and semicolons between columns")
      ->group(group);
  app->add_option("--time-format", options->time_format,
                  "rfc3339 (the default), iso (local, without a zone), unix, unix_ms, unix_us, unix_ns, "
                  "excel (days), or "
                  "a pattern such as '%d.%m.%Y %H:%M:%S'")
      ->group(group);
  app->add_flag("--byte-order-mark", options->byte_order_mark, "in front, by which Excel knows UTF-8")
      ->group(group);
}

absl::StatusOr<CsvStyle> StyleOf(const CsvOptions& options, const Context& context) {
  absl::StatusOr<CsvStyle> style =
      ParseCsvStyle(options.separator, options.decimal_comma, options.time_format, context.zone);
  if (!style.ok()) return UsageError(style.status().message());
  style->byte_order_mark = options.byte_order_mark;
  return style;
}

Cell ValueCell(const Tag& tag, ValueBits bits, absl::string_view string, int digits) {
  switch (tag.type) {
    case ValueType::kFloat64:
      return Cell::Float64(Float64OfBits(bits), digits);
    case ValueType::kFloat32:
      return Cell::Float32(Float32OfBits(bits));
    case ValueType::kInt64:
      return Cell::Integer(Int64OfBits(bits));
    case ValueType::kBool:
      return Cell::Bool(bits != 0);
    case ValueType::kDigital:
      return Cell::Unsigned(bits).Shown(StateText(tag.states, bits));
    case ValueType::kString:
      return Cell::Text(string);
  }
  return Cell::Absent();
}

Cell SampleCell(const Tag& tag, const SamplesView& samples, size_t i, int digits) {
  return ValueCell(tag, samples.values[i], tag.type == ValueType::kString ? samples.StringAt(i) : "", digits);
}

Cell StateCell(const Tag& tag, ValueBits bits) {
  if (tag.type != ValueType::kDigital) return Cell::Absent();
  return Cell::Text(StateText(tag.states, bits));
}

Cell TimeCell(const Context& context, Timestamp t) { return Cell::Text(TimeText(t, context.zone)); }

Heading TimeHeading(const Context& context) { return {.name = "time", .unit = context.tz}; }

Cell QualityCell(Quality quality) {
  Cell cell = Cell::Text(QualityName(quality));
  return quality == kGood ? std::move(cell).Shown(" ") : cell;
}

void AddConfigOptions(CLI::App* command, ConfigOptions* options) {
  command->add_option("--interpolation", options->interpolation,
                      "stepped or sloped, instead of as each tag says");
  command->add_flag("--use-uncertain", options->use_uncertain,
                    "use Uncertain samples, which count as Bad otherwise (TreatUncertainAsBad off)");
  command
      ->add_option("--percent-good", options->config.percent_data_good,
                   "a result is Good when so much of what it is made of is Good (PercentDataGood)")
      ->capture_default_str();
  command
      ->add_option("--percent-bad", options->config.percent_data_bad,
                   "and Bad, without a value, when so much is Bad (PercentDataBad)")
      ->capture_default_str();
  command->add_flag("--extrapolate", options->config.use_sloped_extrapolation,
                    "past the newest sample on the line through the last two (UseSlopedExtrapolation)");
}

absl::Status ParseConfig(const ConfigOptions& options, std::optional<Interpolation>* interpolation,
                         AggregateConfig* config) {
  if (options.interpolation == "stepped") *interpolation = Interpolation::kStepped;
  if (options.interpolation == "sloped") *interpolation = Interpolation::kSloped;
  if (!options.interpolation.empty() && !interpolation->has_value()) {
    return UsageError(
        absl::StrCat("--interpolation: '", options.interpolation, "' is neither stepped nor sloped"));
  }
  *config = options.config;
  config->treat_uncertain_as_bad = !options.use_uncertain;
  if (const absl::Status status = ValidateConfig(*config); !status.ok()) return UsageError(status.message());
  return absl::OkStatus();
}

}  // namespace historian::histctl
