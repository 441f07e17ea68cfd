#include <algorithm>
#include <fstream>
#include <memory>
#include <optional>
#include <string>
#include <utility>
#include <vector>

#include "absl/strings/numbers.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_format.h"
#include "absl/strings/str_join.h"
#include "client/reader.h"
#include "storage/calendar/zones.h"
#include "storage/model/aggregate.h"
#include "storage/model/aggregate_config.h"
#include "storage/model/status_macros.h"
#include "tools/histctl/commands.h"
#include "tools/histctl/exit_code.h"
#include "tools/histctl/lib/calendar_text.h"
#include "tools/histctl/lib/csv_style.h"
#include "tools/histctl/lib/known_names.h"
#include "tools/histctl/lib/time_text.h"
#include "tools/histctl/reading.h"

namespace historian::histctl {
namespace {

// Of a file that says a rotation.
constexpr size_t kRotationBytesMax = 1 << 20;

struct AggregateOptions {
  std::vector<std::string> tags;
  std::string from;
  std::string to = "now";
  std::string interval;
  CalendarTexts calendar;
  std::string rotation_file;
  std::string window;
  uint32_t points = 0;
  std::string aggregates = "avg,min,max,count";
  std::string unit;
  std::string total_time;
  ConfigOptions config;
  std::string layout = "long";
  CsvOptions csv;
  AsOfOptions as_of;
};

// A time as people, or readers of the style, see it.
Cell StyledTimeCell(const Context& context, const CsvStyle& style, Timestamp t) {
  return context.format == Format::kCsv ? Cell::Text(CsvTimeText(t, style)) : TimeCell(context, t);
}

// digits: of values of samples, see Cell::Float64.
Cell AggregateCell(const Tag& tag, const client::ProcessedColumn& column, size_t i, int digits) {
  const AggregateInfo& aggregate = InfoOf(column.aggregate);
  if (IsBad(column.StatusAt(i))) return Cell::Absent();
  const bool is_sample_value = aggregate.result == AggregateResult::kSource;
  if (const auto* floats = std::get_if<std::vector<double>>(&column.values)) {
    const double value = (*floats)[i];
    // Integers were converted.
    if (!is_sample_value || !IsFloat(tag.type)) return Cell::Float64(value, kComputedDigits);
    // Samples' values of a float32 tag come as doubles, which hold them exactly.
    return ValueCell(
        tag,
        tag.type == ValueType::kFloat32 ? BitsOfFloat32(static_cast<float>(value)) : BitsOfFloat64(value), "",
        digits);
  }
  const int64_t value = std::get<std::vector<int64_t>>(column.values)[i];
  if (aggregate.result == AggregateResult::kQuality) {
    return Cell::Text(QualityName(static_cast<Quality>(value)));
  }
  if (is_sample_value) return ValueCell(tag, BitsOfInt64(value), "");
  return Cell::Integer(value);
}

bool IsRight(const AggregateInfo& info) { return info.result != AggregateResult::kQuality; }

// The headings of an aggregate: its values, and their times where it has its own.
void AddHeadings(const AggregateInfo& info, const std::string& name, const std::string& unit,
                 std::vector<Heading>* headings) {
  headings->push_back({.name = name, .unit = unit, .right = IsRight(info)});
  if (info.has_own_time) headings->push_back({.name = absl::StrCat(name, " at")});
}

void AddCells(const Context& context, const CsvStyle& style, const Tag& tag,
              const client::ProcessedColumn& column, size_t i, int digits, std::vector<Cell>* cells) {
  cells->push_back(AggregateCell(tag, column, i, digits));
  if (!InfoOf(column.aggregate).has_own_time) return;
  cells->push_back(IsBad(column.StatusAt(i)) ? Cell::Absent()
                                             : StyledTimeCell(context, style, column.times[i]));
}

// Whether each interval is shown with its end, as its length may be any.
bool ShowsEnds(const client::ProcessedSeries& series) { return series.intervals != nullptr; }

void AddIntervalHeadings(const client::ProcessedSeries& series, const Context& context,
                         std::vector<Heading>* headings) {
  if (!ShowsEnds(series)) {
    headings->push_back(TimeHeading(context));
    return;
  }
  headings->push_back({.name = "start", .unit = context.tz});
  headings->push_back({.name = "end", .unit = context.tz});
  if (!series.ShiftOf(0).empty()) headings->push_back({.name = "shift", .cut = Cut::kText});
}

void AddIntervalCells(const client::ProcessedSeries& series, size_t i, const CsvStyle& style,
                      const Context& context, std::vector<Cell>* cells) {
  cells->push_back(StyledTimeCell(context, style, series.BeginOf(i)));
  if (!ShowsEnds(series)) return;
  cells->push_back(StyledTimeCell(context, style, series.EndOf(i)));
  if (!series.ShiftOf(i).empty()) cells->push_back(Cell::Text(series.ShiftOf(i)));
}

// That of column c of all series; empty if they differ.
std::string UnitOfAll(const std::vector<client::ProcessedSeries>& series, size_t c) {
  const std::string& unit = series[0].columns[c].unit;
  for (const client::ProcessedSeries& one : series) {
    if (one.columns[c].unit != unit) return "";
  }
  return unit;
}

// A row for each tag and interval.
void PrintLong(const std::vector<Tag>& tags, const std::vector<client::ProcessedSeries>& series,
               const CsvStyle& style, int digits, Context* context) {
  const bool many = tags.size() > 1;
  std::vector<Heading> headings;
  if (many || context->format != Format::kTable) headings.push_back({.name = "tag", .cut = Cut::kName});
  AddIntervalHeadings(series[0], *context, &headings);
  for (size_t c = 0; c < series[0].columns.size(); ++c) {
    const AggregateInfo& info = InfoOf(series[0].columns[c].aggregate);
    AddHeadings(info, std::string(info.name), UnitOfAll(series, c), &headings);
  }
  headings.push_back({.name = "quality", .cut = Cut::kText});
  // People see it in the quality.
  const bool for_programs = context->format != Format::kTable;
  if (for_programs) {
    headings.push_back({.name = "good", .unit = "%", .right = true});
    headings.push_back({.name = "complete"});
  }
  RowWriter rows(context->format, headings, context->out, style);
  for (size_t s = 0; s < series.size(); ++s) {
    const std::vector<client::ProcessedColumn>& columns = series[s].columns;
    for (size_t i = 0; i < columns[0].size(); ++i) {
      std::vector<Cell> cells;
      if (many || context->format != Format::kTable) cells.push_back(Cell::Text(tags[s].name));
      AddIntervalCells(series[s], i, style, *context, &cells);
      Quality worst = columns[0].StatusAt(i);
      for (const client::ProcessedColumn& column : columns) {
        AddCells(*context, style, tags[s], column, i, digits, &cells);
        if (SeverityOf(column.StatusAt(i)) > SeverityOf(worst)) worst = column.StatusAt(i);
      }
      // How a value came about goes without saying, for people.
      std::vector<std::string> said;
      if (CodeOf(worst) != kGood) said.push_back(QualityName(CodeOf(worst)));
      if ((worst & kInfoPartial) == kInfoPartial) said.push_back("Partial");
      const double good = 100 * series[s].GoodShareOf(i);
      if (good < 100) said.push_back(absl::StrFormat("%.3g %% Good", good));
      const bool complete = series[s].IsComplete(i);
      if (!complete) said.push_back("so far");
      cells.push_back(Cell::Text(QualityName(worst)).Shown(said.empty() ? " " : absl::StrJoin(said, ", ")));
      if (for_programs) {
        cells.push_back(Cell::Float64(good, kComputedDigits));
        cells.push_back(Cell::Bool(complete));
      }
      rows.AddRow(std::move(cells));
    }
  }
  rows.Finish();
}

// A row for each interval, with columns for each tag; no qualities. Requires the same intervals of all tags, as one request has.
void PrintWide(const std::vector<Tag>& tags, const std::vector<client::ProcessedSeries>& series,
               const CsvStyle& style, int digits, Context* context) {
  std::vector<Heading> headings;
  AddIntervalHeadings(series[0], *context, &headings);
  for (size_t s = 0; s < series.size(); ++s) {
    for (const client::ProcessedColumn& column : series[s].columns) {
      const AggregateInfo& info = InfoOf(column.aggregate);
      AddHeadings(info,
                  series[s].columns.size() == 1 ? tags[s].name : absl::StrCat(tags[s].name, " ", info.name),
                  column.unit, &headings);
    }
  }
  RowWriter rows(context->format, headings, context->out, style);
  for (size_t i = 0; i < series[0].columns[0].size(); ++i) {
    std::vector<Cell> cells;
    AddIntervalCells(series[0], i, style, *context, &cells);
    for (size_t s = 0; s < series.size(); ++s) {
      for (const client::ProcessedColumn& column : series[s].columns) {
        AddCells(*context, style, tags[s], column, i, digits, &cells);
      }
    }
    rows.AddRow(std::move(cells));
  }
  rows.Finish();
}

// The name that the server knows the zone by. Errors: UsageError.
absl::StatusOr<std::string> ZoneName(const Context& context) {
  if (context.tz == "Z") return std::string("UTC");
  if (context.tz != "local") return context.tz;
  const std::optional<std::string> local = LocalZoneName();
  if (!local.has_value()) {
    return UsageError("--zone local: this machine does not say which zone it is in; name it: Europe/Berlin");
  }
  return *local;
}

// The intervals that --every, --shifts and --rotation ask for; nothing without them. Errors: UsageError, LocalFileError.
absl::StatusOr<std::optional<v1::Calendar>> CalendarOf(const AggregateOptions& options,
                                                       const Context& context) {
  CalendarTexts texts = options.calendar;
  if (texts.every.empty()) {
    for (const auto& [option, text] :
         {std::pair("--day-begins", texts.day_begins), std::pair("--week-begins", texts.week_begins),
          std::pair("--month-begins", texts.month_begins), std::pair("--year-begins", texts.year_begins)}) {
      if (!text.empty()) return UsageError(absl::StrCat(option, " goes with --every"));
    }
    if (texts.shifts.empty() && options.rotation_file.empty()) return std::nullopt;
  }
  if (!options.rotation_file.empty()) {
    std::ifstream in(options.rotation_file);
    texts.rotation.resize(kRotationBytesMax + 1);
    in.read(texts.rotation.data(), static_cast<std::streamsize>(texts.rotation.size()));
    texts.rotation.resize(static_cast<size_t>(in.gcount()));
    if (in.bad() || !in.is_open() || texts.rotation.empty()) {
      return LocalFileError(
          absl::StrCat("--rotation ", options.rotation_file, " cannot be read, or is empty"));
    }
    if (texts.rotation.size() > kRotationBytesMax) {
      return LocalFileError(
          absl::StrCat("--rotation ", options.rotation_file, " has more than ", kRotationBytesMax, " bytes"));
    }
  }
  absl::StatusOr<v1::Calendar> calendar = ParseCalendar(texts);
  if (!calendar.ok()) return UsageError(calendar.status().message());
  ASSIGN_OR_RETURN(*calendar->mutable_zone(), ZoneName(context));
  return *std::move(calendar);
}

// How many intervals of the request a window has. Errors: UsageError.
absl::StatusOr<uint32_t> WindowOf(const AggregateOptions& options, const client::ProcessedRequest& request) {
  if (options.window.empty()) return 1;
  if (request.calendar.has_value()) {
    const absl::StatusOr<uint32_t> window = ParseWindow(options.window, options.calendar.every);
    if (!window.ok()) return UsageError(absl::StrCat("--window: ", window.status().message()));
    return *window;
  }
  if (request.interval == absl::ZeroDuration()) {
    return UsageError("--window goes with --every, --shifts, --rotation or --interval");
  }
  if (uint32_t intervals = 0; absl::SimpleAtoi(options.window, &intervals) && intervals > 0) return intervals;
  const absl::StatusOr<int64_t> nanos = ParseDurationText(options.window);
  if (!nanos.ok()) return UsageError(absl::StrCat("--window: ", nanos.status().message()));
  const absl::Duration window = absl::Nanoseconds(*nanos);
  if (window % request.interval != absl::ZeroDuration() || window / request.interval > UINT32_MAX) {
    return UsageError(
        absl::StrCat("--window: ", options.window, " is no whole number of intervals of ", options.interval));
  }
  return static_cast<uint32_t>(window / request.interval);
}

// Who asks for intervals of a day in a zone mostly means days by its clock.
void NoteDaysOf24Hours(absl::Duration interval, const Range& range, Context* context) {
  absl::TimeZone::CivilTransition change;
  if (interval == absl::ZeroDuration() || interval % absl::Hours(24) != absl::ZeroDuration() ||
      !context->zone.NextTransition(absl::FromUnixNanos(range.from), &change)) {
    return;
  }
  const Timestamp at = absl::ToUnixNanos(absl::FromCivil(change.to, context->zone));
  if (at >= range.to) return;
  context->Note(absl::StrCat("--interval counts days of 24 hours, and the clock of ", context->tz,
                             " changes at ", TimeText(at, context->zone), "; --every 1d is by the clock"));
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
  NoteDaysOf24Hours(interval, range, context);
  client::ProcessedRequest request{
      .start = range.from, .end = range.to, .interval = interval, .intervals_max = options.points};
  ASSIGN_OR_RETURN(request.calendar, CalendarOf(options, *context));
  ASSIGN_OR_RETURN(request.window, WindowOf(options, request));
  absl::StatusOr<std::vector<Aggregate>> aggregates = ParseAggregates(options.aggregates);
  if (!aggregates.ok()) return UsageError(absl::StrCat("--aggregate: ", aggregates.status().message()));
  request.aggregates = *std::move(aggregates);
  request.unit = options.unit;
  request.total_time = options.total_time;
  RETURN_IF_ERROR(ParseConfig(options.config, &request.interpolation, &request.config));
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

  if (!series.empty() && series[0].intervals != nullptr && request.calendar.has_value()) {
    context->Note(absl::StrCat("by the clock of ", request.calendar->zone(), ", tz database ",
                               series[0].intervals->tz_version));
  }
  const int digits = options.unit.empty() ? 0 : kComputedDigits;
  if (options.layout == "wide") {
    PrintWide(tags, series, style, digits, context);
  } else {
    PrintLong(tags, series, style, digits, context);
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
  CLI::Option* const interval = aggregate->add_option(
      "--interval", options->interval,
      "how long each is, to the nanosecond; without: one, the whole range. With --from -1d "
      "the first begins earlier, where the clock is round (--tz)");
  aggregate
      ->add_option(
          "--points", options->points,
          "instead: at most so many, of a round length (1 min, 6 h, ...) that the server chooses; the "
          "range is widened to whole ones, UTC")
      ->check(CLI::Range(2, 1'000'000))
      ->excludes(interval);
  aggregate
      ->add_option("--window", options->window,
                   "rolling: each value is over so much until the end of its interval: 24h, or a number of "
                   "intervals; at most 10,000 intervals")
      ->excludes("--points");
  const std::string group = "Intervals by the clock of --zone (the same as --tz)";
  CalendarTexts& calendar = options->calendar;
  CLI::Option* const every =
      aggregate
          ->add_option(
              "--every", calendar.every,
              "15m, 1h, 8h, 1d, 1w, 1mo, 3mo, 1y: whole ones, to which the range is widened; a day has 23 "
              "or 25 hours where the clock is changed")
          ->excludes(interval)
          ->excludes("--points")
          ->group(group);
  aggregate->add_option("--day-begins", calendar.day_begins, "with --every: 06:00 for a gas day")
      ->group(group);
  aggregate->add_option("--week-begins", calendar.week_begins, "with --every: sunday, ... (default: monday)")
      ->group(group);
  aggregate->add_option("--month-begins", calendar.month_begins, "with --every: on this day, 1 to 28")
      ->group(group);
  aggregate->add_option("--year-begins", calendar.year_begins, "with --every: april, or 4, for a fiscal year")
      ->group(group);
  CLI::Option* const shifts =
      aggregate
          ->add_option("--shifts", calendar.shifts,
                       "the shifts of every day: 'early=06:00,late=14:00,night=22:00'")
          ->excludes(interval)
          ->excludes(every)
          ->excludes("--points")
          ->group(group);
  aggregate
      ->add_option(
          "--rotation", options->rotation_file,
          "a file with a line of shifts for each day of a rotation, '-' for none, and a line 'first-day "
          "2026-01-05' in front")
      ->excludes(interval)
      ->excludes(every)
      ->excludes(shifts)
      ->excludes("--points")
      ->group(group);
  aggregate->add_option("--aggregate", options->aggregates, "which ones, with commas between")
      ->capture_default_str();
  AddUnitOption(aggregate, &options->unit);
  aggregate->add_option(
      "--total-time", options->total_time,
      "of total and total2, the unit of time: h makes kW.h of kW, and m3 of m3/h (default: value x "
      "seconds)");
  AddConfigOptions(aggregate, &options->config);
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
      "\n\nAn interval whose status is Bad has no value. `quality` is the worst of the row's, with what "
      "share of the time is Good, and\n"
      "`so far` for an interval that is not over or has no sample behind it: it may say more later. "
      "Uncertain "
      "samples count as\n"
      "Bad unless --use-uncertain is given. Aggregates that are one sample's value have its time in a column "
      "`at`.\n"
      "\nBy the clock (--every, --shifts), and with --window, each row has the start and the end of what it "
      "is "
      "over.\nWhat the clock skips is no interval; an hour that comes twice is two. The version of the tz "
      "database\nby whose rules that is is told on stderr.\n"
      "\nExamples:\n"
      "  histctl aggregate plant/area-1/pump-101/flow --from today --interval 1h\n"
      "  histctl aggregate plant/area-1/pump-101/flow --from -365d --points 2000 --aggregate min,max,avg\n"
      "  histctl aggregate 'plant/area-1/*' --from -7d --interval 1d --aggregate twa,min-time,percent-good "
      "--format csv\n"
      "  histctl aggregate plant/area-1/pump-101/flow --from t-7d --every 1d --day-begins 06:00 --zone "
      "Europe/Berlin\n"
      "  histctl aggregate plant/area-1/pump-101/flow --from y --shifts "
      "'early=06:00,late=14:00,night=22:00'\n"
      "  histctl aggregate plant/area-1/pump-101/flow --from y --every 1h --window 24h --aggregate avg\n"
      "  histctl aggregate plant/area-1/pump-101/flow --from y --every 1d --aggregate total2 --total-time h\n"
      "  histctl aggregate plant/area-1/pump-101/flow plant/area-1/tank-102/level --from y --to t --interval "
      "1h \\\n"
      "      --aggregate avg --layout wide --format csv --decimal-comma --time-format '%d.%m.%Y "
      "%H:%M:%S'\n"));
  aggregate->callback([=] { context->run = [=] { return RunAggregate(*options, context); }; });
}

}  // namespace historian::histctl
