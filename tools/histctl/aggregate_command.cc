#include <algorithm>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/str_cat.h"
#include "client/reader.h"
#include "storage/model/aggregate.h"
#include "storage/model/aggregate_config.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/csv_style.h"
#include "tools/histctl/lib/known_names.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

// Significant digits of computed values that people see.
constexpr int kDigits = 8;

struct AggregateOptions {
  std::vector<std::string> tags;
  std::string from;
  std::string to = "now";
  std::string interval;
  uint32_t points = 0;
  std::string aggregates = "avg,min,max,count";
  std::string interpolation;
  AggregateConfig config;
  bool use_uncertain = false;
  std::string layout = "long";
  CsvOptions csv;
  AsOfOptions as_of;
};

// A time as people, or readers of the style, see it.
Cell StyledTimeCell(const Context& context, const CsvStyle& style, Timestamp t) {
  return context.format == Format::kCsv ? Cell::Text(CsvTimeText(t, style)) : TimeCell(context, t);
}

Cell AggregateCell(const Tag& tag, const client::ProcessedColumn& column, size_t i) {
  const AggregateInfo& aggregate = InfoOf(column.aggregate);
  if (IsBad(column.StatusAt(i))) return Cell::Absent();
  const bool is_sample_value = aggregate.result == AggregateResult::kSource;
  if (const auto* floats = std::get_if<std::vector<double>>(&column.values)) {
    const double value = (*floats)[i];
    if (!is_sample_value) return Cell::Float64(value, kDigits);
    // Samples' values of a float32 tag come as doubles, which hold them exactly.
    return ValueCell(
        tag,
        tag.type == ValueType::kFloat32 ? BitsOfFloat32(static_cast<float>(value)) : BitsOfFloat64(value),
        "");
  }
  const int64_t value = std::get<std::vector<int64_t>>(column.values)[i];
  if (aggregate.result == AggregateResult::kQuality) {
    return Cell::Text(QualityName(static_cast<Quality>(value)));
  }
  if (is_sample_value) return ValueCell(tag, BitsOfInt64(value), "");
  return Cell::Integer(value);
}

// What the values of the aggregate are in; empty for numbers without a unit.
std::string UnitOf(const AggregateInfo& info, const Tag& tag) {
  switch (info.result) {
    case AggregateResult::kSource:
    case AggregateResult::kDifference:
    case AggregateResult::kNumber:
      return tag.unit;
    case AggregateResult::kVariance:
      return tag.unit.empty() ? "" : absl::StrCat("(", tag.unit, ")^2");
    case AggregateResult::kTotal:
      return tag.unit.empty() ? "s" : absl::StrCat(tag.unit, " x s");
    case AggregateResult::kDuration:
      return "ms";
    case AggregateResult::kPercent:
      return "%";
    case AggregateResult::kCount:
    case AggregateResult::kQuality:
      return "";
  }
  return "";
}

bool IsRight(const AggregateInfo& info) { return info.result != AggregateResult::kQuality; }

// The headings of an aggregate: its values, and their times where it has its own.
void AddHeadings(const AggregateInfo& info, const std::string& name, const std::string& unit,
                 std::vector<Heading>* headings) {
  headings->push_back({.name = name, .unit = unit, .right = IsRight(info)});
  if (info.has_own_time) headings->push_back({.name = absl::StrCat(name, " at")});
}

void AddCells(const Context& context, const CsvStyle& style, const Tag& tag,
              const client::ProcessedColumn& column, size_t i, std::vector<Cell>* cells) {
  cells->push_back(AggregateCell(tag, column, i));
  if (!InfoOf(column.aggregate).has_own_time) return;
  cells->push_back(IsBad(column.StatusAt(i)) ? Cell::Absent()
                                             : StyledTimeCell(context, style, column.times[i]));
}

Timestamp BeginOf(const client::ProcessedSeries& series, size_t i) {
  return static_cast<Timestamp>(static_cast<uint64_t>(series.start) + series.interval_ns * i);
}

// A row for each tag and interval.
void PrintLong(const std::vector<Tag>& tags, const std::vector<client::ProcessedSeries>& series,
               const std::vector<Aggregate>& aggregates, const CsvStyle& style, Context* context) {
  const bool many = tags.size() > 1;
  std::vector<Heading> headings;
  if (many || context->format != Format::kTable) headings.push_back({.name = "tag", .cut = Cut::kName});
  headings.push_back(TimeHeading(*context));
  for (const Aggregate aggregate : aggregates) {
    const AggregateInfo& info = InfoOf(aggregate);
    AddHeadings(info, std::string(info.name), many ? "" : UnitOf(info, tags[0]), &headings);
  }
  headings.push_back({.name = "quality", .cut = Cut::kText});
  RowWriter rows(context->format, headings, context->out, style);
  for (size_t s = 0; s < series.size(); ++s) {
    const std::vector<client::ProcessedColumn>& columns = series[s].columns;
    for (size_t i = 0; i < columns[0].size(); ++i) {
      std::vector<Cell> cells;
      if (many || context->format != Format::kTable) cells.push_back(Cell::Text(tags[s].name));
      cells.push_back(StyledTimeCell(*context, style, BeginOf(series[s], i)));
      Quality worst = columns[0].StatusAt(i);
      for (const client::ProcessedColumn& column : columns) {
        AddCells(*context, style, tags[s], column, i, &cells);
        if (SeverityOf(column.StatusAt(i)) > SeverityOf(worst)) worst = column.StatusAt(i);
      }
      // That a value was calculated goes without saying, for people.
      const bool partial = (worst & kInfoPartial) == kInfoPartial;
      const Quality rest = worst & ~(kInfoCalculated | kInfoPartial);
      cells.push_back(
          Cell::Text(QualityName(worst))
              .Shown(absl::StrCat(rest == kGood ? " " : QualityName(rest), !partial        ? ""
                                                                           : rest == kGood ? "Partial"
                                                                                           : ", Partial")));
      rows.AddRow(std::move(cells));
    }
  }
  rows.Finish();
}

// A row for each interval, with columns for each tag; no qualities. Requires the same intervals of all tags, as one request has.
void PrintWide(const std::vector<Tag>& tags, const std::vector<client::ProcessedSeries>& series,
               const CsvStyle& style, Context* context) {
  std::vector<Heading> headings = {TimeHeading(*context)};
  for (size_t s = 0; s < series.size(); ++s) {
    for (const client::ProcessedColumn& column : series[s].columns) {
      const AggregateInfo& info = InfoOf(column.aggregate);
      AddHeadings(info,
                  series[s].columns.size() == 1 ? tags[s].name : absl::StrCat(tags[s].name, " ", info.name),
                  UnitOf(info, tags[s]), &headings);
    }
  }
  RowWriter rows(context->format, headings, context->out, style);
  for (size_t i = 0; i < series[0].columns[0].size(); ++i) {
    std::vector<Cell> cells = {StyledTimeCell(*context, style, BeginOf(series[0], i))};
    for (size_t s = 0; s < series.size(); ++s) {
      for (const client::ProcessedColumn& column : series[s].columns) {
        AddCells(*context, style, tags[s], column, i, &cells);
      }
    }
    rows.AddRow(std::move(cells));
  }
  rows.Finish();
}

absl::Status RunAggregate(const AggregateOptions& options, Context* context) {
  ASSIGN_OR_RETURN(Range range, ParseRange(*context, options.from, options.to));
  if (range.from == range.to) return UsageError("--from and --to are the same time");
  absl::Duration interval = absl::ZeroDuration();
  if (!options.interval.empty()) {
    const absl::StatusOr<int64_t> nanos = ParseDurationText(options.interval);
    if (!nanos.ok()) return UsageError(absl::StrCat("--interval: ", nanos.status().message()));
    interval = absl::Nanoseconds(*nanos);
    // Nobody means intervals that begin at 14:07:33.
    if (IsRelativeToNow(options.from)) range.from = AlignDown(range.from, *nanos, context->zone);
  }
  client::ProcessedRequest request{
      .start = range.from, .end = range.to, .interval = interval, .intervals_max = options.points};
  absl::StatusOr<std::vector<Aggregate>> aggregates = ParseAggregates(options.aggregates);
  if (!aggregates.ok()) return UsageError(absl::StrCat("--aggregate: ", aggregates.status().message()));
  request.aggregates = *std::move(aggregates);
  if (options.interpolation == "stepped") request.interpolation = Interpolation::kStepped;
  if (options.interpolation == "sloped") request.interpolation = Interpolation::kSloped;
  if (!options.interpolation.empty() && !request.interpolation) {
    return UsageError(
        absl::StrCat("--interpolation: '", options.interpolation, "' is neither stepped nor sloped"));
  }
  request.config = options.config;
  request.config.treat_uncertain_as_bad = !options.use_uncertain;
  if (const absl::Status status = ValidateConfig(request.config); !status.ok()) {
    return UsageError(status.message());
  }
  if (options.layout != "wide" && options.layout != "long") {
    return UsageError(absl::StrCat("--layout: '", options.layout, "' is neither wide nor long"));
  }
  if (options.csv.Any() && context->format != Format::kCsv) {
    return UsageError(
        "--separator, --decimal-comma, --time-format and --byte-order-mark go with --format csv");
  }
  ASSIGN_OR_RETURN(const CsvStyle style, StyleOf(options.csv, *context));
  ASSIGN_OR_RETURN(const client::Connection connection, context->Connect());
  ASSIGN_OR_RETURN(std::vector<Tag> tags, FindTags(connection, options.tags));
  ASSIGN_OR_RETURN(const client::Reader reader, ReaderAsOf(connection, options.as_of, context, &tags));
  ASSIGN_OR_RETURN(const std::vector<client::ProcessedSeries> series,
                   reader.Processed(SelectionOf(tags), request));
  if (series.size() != tags.size())
    return absl::InternalError("the server answered for other tags than asked");
  for (const client::ProcessedSeries& one : series) {
    if (one.columns.size() != request.aggregates.size()) {
      return absl::InternalError("the server answered with other aggregates than asked");
    }
    if (one.columns[0].size() != series[0].columns[0].size() || one.start != series[0].start) {
      return absl::InternalError("the server answered with other intervals for one tag than for another");
    }
  }

  if (options.layout == "wide") {
    PrintWide(tags, series, style, context);
  } else {
    PrintLong(tags, series, request.aggregates, style, context);
  }
  if (tags.size() == 1 && series[0].columns[0].size() > 0) {
    const client::ProcessedColumn& column = series[0].columns[0];
    bool any = false;
    for (size_t i = 0; i < column.size() && !any; ++i) any = (column.StatusAt(i) & 0xFFFF0000) != kBadNoData;
    if (!any) NoteWhereSamplesAre(reader, tags[0], range, context);
  }
  return absl::OkStatus();
}

}  // namespace

void AddAggregateCommand(CLI::App* app, Context* context) {
  const auto options = std::make_shared<AggregateOptions>();
  CLI::App* const aggregate =
      app->add_subcommand("aggregate", "averages, extremes and the like over intervals");
  aggregate->add_option("TAG", options->tags, "names or patterns")->required();
  aggregate->add_option("--from", options->from, "from this time on")->required();
  aggregate->add_option("--to", options->to, "until before this time")->capture_default_str();
  AddAsOfOptions(aggregate, &options->as_of);
  CLI::Option* const interval =
      aggregate->add_option("--interval", options->interval,
                            "how long each is; without: one, the whole range. With --from -1d the first "
                            "begins earlier, where the clock is "
                            "round (--tz)");
  aggregate
      ->add_option(
          "--points", options->points,
          "instead: at most so many, of a round length (1 min, 6 h, ...) that the server chooses; the "
          "range is widened to whole ones, UTC")
      ->check(CLI::Range(2, 1'000'000))
      ->excludes(interval);
  aggregate->add_option("--aggregate", options->aggregates, "which ones, with commas between")
      ->capture_default_str();
  aggregate->add_option("--interpolation", options->interpolation,
                        "stepped or sloped, instead of as each tag says");
  aggregate->add_flag("--use-uncertain", options->use_uncertain,
                      "use Uncertain samples, which count as Bad otherwise (TreatUncertainAsBad off)");
  aggregate
      ->add_option("--percent-good", options->config.percent_data_good,
                   "a result is Good when so much of what it is made of is Good (PercentDataGood)")
      ->capture_default_str();
  aggregate
      ->add_option("--percent-bad", options->config.percent_data_bad,
                   "and Bad, without a value, when so much is Bad (PercentDataBad)")
      ->capture_default_str();
  aggregate->add_flag("--extrapolate", options->config.use_sloped_extrapolation,
                      "past the newest sample on the line through the last two (UseSlopedExtrapolation)");
  aggregate
      ->add_option("--layout", options->layout,
                   "long (a row for each tag and interval) or wide (a row for each interval, a column for "
                   "each tag and "
                   "aggregate; no qualities)")
      ->capture_default_str();
  AddCsvOptions(aggregate, &options->csv);
  std::string names;
  size_t line = 0;
  for (const AggregateInfo& one : kAggregates) {
    const absl::string_view name = one.name;
    if (line + name.size() > 90) {
      absl::StrAppend(&names, "\n ");
      line = 0;
    }
    absl::StrAppend(&names, " ", name);
    line += name.size() + 1;
  }
  aggregate->footer(absl::StrCat(
      "\nAggregates (short: min, max, avg, twa, stddev):\n ", names,
      "\n\nAn interval whose status is Bad has no value. `quality` is the worst of the row's. Uncertain "
      "samples count as\n"
      "Bad unless --use-uncertain is given. Aggregates that are one sample's value have its time in a column "
      "`at`.\n"
      "\nExamples:\n"
      "  histctl aggregate plant/area-1/pump-101/flow --from today --interval 1h\n"
      "  histctl aggregate plant/area-1/pump-101/flow --from -365d --points 2000 --aggregate min,max,avg\n"
      "  histctl aggregate 'plant/area-1/*' --from -7d --interval 1d --aggregate twa,min-time,percent-good "
      "--format csv\n"
      "  histctl aggregate plant/area-1/pump-101/flow plant/area-1/tank-102/level --from y --to t --interval "
      "1h \\\n"
      "      --aggregate avg --layout wide --format csv --decimal-comma --time-format '%d.%m.%Y "
      "%H:%M:%S'\n"));
  aggregate->callback([=] { context->run = [=] { return RunAggregate(*options, context); }; });
}

}  // namespace historian::histctl
