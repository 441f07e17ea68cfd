#include "server/processed.h"

#include <algorithm>
#include <cstring>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/call.h"
#include "server/parallel.h"
#include "server/selection.h"
#include "server/wire.h"
#include "storage/aggregate/aggregates.h"
#include "storage/model/aggregate.h"

namespace historian::server {
namespace {

constexpr int kAggregatesMax = 40;
// Units of so many tags are looked up in a few milliseconds.
constexpr size_t kUnitsAtOnce = 1'024;

// What is asked for, of however many tags.
struct Asked {
  Intervals intervals;
  std::vector<Aggregate> aggregates;
  uint64_t columns = 0;  // Of values and times in the answer of a tag.
  std::optional<Interpolation> interpolation;
  AggregateConfig config;  // But for `stepped`.
};

absl::StatusOr<AggregateConfig> ConfigFromWire(const v1::AggregateConfig& wire) {
  AggregateConfig config;
  // What exceeds an int is out of range, too.
  const auto percent = [](uint32_t value) { return static_cast<int>(std::min<uint32_t>(value, 1'000'000)); };
  if (wire.has_treat_uncertain_as_bad()) config.treat_uncertain_as_bad = wire.treat_uncertain_as_bad();
  if (wire.has_percent_data_bad()) config.percent_data_bad = percent(wire.percent_data_bad());
  if (wire.has_percent_data_good()) config.percent_data_good = percent(wire.percent_data_good());
  config.use_sloped_extrapolation = wire.use_sloped_extrapolation();
  if (wire.has_resolution_ns()) config.resolution_ns = wire.resolution_ns();
  RETURN_IF_ERROR(ValidateConfig(config));
  return config;
}

// Nothing when an answer can have it for tags of the type; else why it cannot.
absl::string_view CannotHave(Aggregate aggregate, ValueType type) {
  if (!IsDefinedFor(aggregate, type)) return "the aggregate is not defined for texts";
  if (type != ValueType::kString) return "";
  // A column of an answer holds numbers.
  const AggregateInfo& info = InfoOf(aggregate);
  const bool compares = aggregate == Aggregate::kNumberOfTransitions;
  return info.result == AggregateResult::kSource || compares ? "ReadRaw and ReadAtTimes have texts" : "";
}

absl::StatusOr<Asked> AskedOf(const v1::ReadProcessedRequest& request, size_t tags,
                              const LimitsConfig& limits, const TakeMemory& take) {
  if (request.aggregates_size() < 1 || request.aggregates_size() > kAggregatesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(request.aggregates_size(), " aggregates: 1 to ", kAggregatesMax, " can be asked for"));
  }
  Asked asked;
  for (const int aggregate : request.aggregates()) {
    ASSIGN_OR_RETURN(const Aggregate known, AggregateFromWire(aggregate));
    asked.aggregates.push_back(known);
  }
  ASSIGN_OR_RETURN(asked.interpolation, AskedInterpolation(request.interpolation()));
  ASSIGN_OR_RETURN(asked.config, ConfigFromWire(request.config()));
  ASSIGN_OR_RETURN(asked.intervals, IntervalsOf(request, limits.intervals, take));
  const uint64_t intervals = asked.intervals.size();
  // Times of their own are values, too.
  uint64_t& columns = asked.columns;
  for (const Aggregate aggregate : asked.aggregates) columns += InfoOf(aggregate).has_own_time ? 2 : 1;
  // Neither factor can carry this beyond 64 bits: intervals and tags are within their limits of at most 10^8.
  RETURN_IF_ERROR(CheckLimit(intervals * columns * tags, limits.query_values,
                             absl::StrCat("values (", tags, " tags x ", intervals, " intervals x ", columns,
                                          " values and times of aggregates)"),
                             "limits.query_values"));
  // Edges travel beside the first tag's values.
  const bool listed = asked.intervals.are_listed();
  RETURN_IF_ERROR(CheckLimit(intervals * (columns + (listed ? 1 : 0)), kSeriesValuesMax,
                             absl::StrCat("values of a tag (intervals x values and times of aggregates",
                                          listed ? ", and an edge of each interval)" : ")"),
                             "fixed"));
  return asked;
}

absl::Status CheckAggregates(const std::vector<Aggregate>& aggregates, const TagRegistry& tags,
                             const SelectedTags& selected) {
  for (const Aggregate aggregate : aggregates) {
    for (size_t i = 0; i < selected.ids.size(); ++i) {
      const absl::string_view why = CannotHave(aggregate, selected.traits[i].type);
      if (why.empty()) continue;
      return absl::InvalidArgumentError(absl::StrCat(TagLabel(tags, selected.ids[i]), " is of type ",
                                                     ValueTypeName(selected.traits[i].type), " and has no ",
                                                     InfoOf(aggregate).standard_name, ": ", why));
    }
  }
  return absl::OkStatus();
}

// Whether the figure of an integer is none, and not a number.
bool HasNoValue(Aggregate aggregate, Quality status) {
  const bool is_sample = aggregate == Aggregate::kStart || aggregate == Aggregate::kEnd;
  return IsBad(status) && (!is_sample || CodeOf(status) == kBadNoData);
}

// The figures, which are integers or doubles as HasIntegers says, become doubles in the unit of the answer.
void ConvertFigures(Aggregate aggregate, ValueType type, const FigureUnit& unit, const Quality* statuses,
                    size_t size, double* figures) {
  const bool integers = HasIntegers(aggregate, type);
  const bool float32 = ResultTypeOf(aggregate, type) == ValueType::kFloat32;
  for (size_t i = 0; i < size; ++i) {
    double value = figures[i];
    if (integers) {
      int64_t integer;
      std::memcpy(&integer, &figures[i], sizeof(integer));
      value = HasNoValue(aggregate, statuses[i]) ? std::numeric_limits<double>::quiet_NaN()
                                                 : static_cast<double>(integer);
    }
    value = unit(value);
    figures[i] = float32 ? static_cast<float>(value) : value;
  }
}

// In as many rounds as a window has intervals: of the windows of a round, each begins where the one before it ends.
absl::Status WindowFigures(WorkPool& pool, const TagRead& read, const Intervals& intervals, FigureTable to) {
  const size_t size = intervals.size(), window = intervals.window;
  return ForEachInParallel(pool, std::min(window, size), [&](size_t round) -> absl::Status {
    std::vector<Timestamp> edges;
    for (size_t k = round; k < intervals.edges.size(); k += window) edges.push_back(intervals.edges[k]);
    const size_t windows = (size - round + window - 1) / window;
    edges.resize(windows + 1);
    std::vector<ValueBits> values(windows * to.size());
    std::vector<Quality> statuses(windows * to.size());
    std::vector<FigureColumn> rows;
    for (size_t c = 0; c < to.size(); ++c) {
      rows.push_back({values.data() + c * windows, statuses.data() + c * windows});
    }
    RETURN_IF_ERROR(read.reader->Figures(edges, read.fold.config, read.fold.maker, rows));
    for (size_t c = 0; c < to.size(); ++c) {
      for (size_t i = 0; i < windows; ++i) {
        to[c].Set(round + i * window, values[c * windows + i], statuses[c * windows + i]);
      }
    }
    return absl::OkStatus();
  });
}

}  // namespace

absl::StatusOr<ProcessedPlan> PlanProcessed(ServiceEnv& env, const SeenTags& tags,
                                            const v1::ReadProcessedRequest& request,
                                            const KeepGoing& keep_going, const TakeMemory& take) {
  ASSIGN_OR_RETURN(SelectedTags selected,
                   SelectTags(tags, Right::kRead, request.tags(), env.config.limits.query_tags, keep_going));
  ASSIGN_OR_RETURN(Asked asked, AskedOf(request, selected.ids.size(), env.config.limits, take));
  const TagRegistry& registry = env.archive.tags();
  RETURN_IF_ERROR(CheckAggregates(asked.aggregates, registry, selected));
  ASSIGN_OR_RETURN(const Version as_of, AsOfOf(env.archive.versions(), request));
  ASSIGN_OR_RETURN(FigureUnits figure_units, FigureUnits::Make(registry, as_of, asked.aggregates,
                                                               request.unit(), request.total_time()));
  absl::flat_hash_map<TagId, UnitsOfFigures> units;
  for (const TagId tag : selected.ids) {
    if (keep_going != nullptr && units.size() % kUnitsAtOnce == 0) RETURN_IF_ERROR(keep_going());
    ASSIGN_OR_RETURN(units[tag], figure_units.For(tag));
  }
  const uint64_t values_of_tag = asked.intervals.size() * asked.columns;
  ReadPlan::Figures figures{
      .edges = asked.intervals.edges,
      .rounds = asked.intervals.window,
      .fold_of =
          [aggregates = asked.aggregates, interpolation = asked.interpolation,
           config = asked.config](const TagTraits& traits) {
            AggregateConfig of_tag = config;
            of_tag.stepped = InterpolationFor(traits, interpolation) == Interpolation::kStepped;
            return TagFold{FoldConfigOf(of_tag, traits.type), MakerOf(aggregates, traits.type, of_tag)};
          },
      .values_of_tag = values_of_tag,
      .as_of = as_of};
  ASSIGN_OR_RETURN(ReadPlan read, ReadPlan::Make(env, std::move(selected), std::move(figures), keep_going));
  return ProcessedPlan{std::move(read), std::move(asked.intervals), std::move(asked.aggregates),
                       std::move(units), asked.config};
}

void DescribeProcessed(const ProcessedPlan& plan, v1::ProcessedFrame* frame) {
  if (plan.intervals.are_listed()) IntervalsToWire(plan.intervals, frame->mutable_intervals());
}

absl::Status ComputeProcessed(ServiceEnv& env, const ProcessedPlan& plan, const TagRead& read,
                              v1::ProcessedSeries* series) {
  const std::vector<FigureUnit>& units = *plan.units.at(read.tag);
  const size_t size = plan.intervals.size();
  series->set_tag_id(read.tag);
  if (!plan.intervals.are_listed()) {
    series->set_start(plan.intervals.edges.front());
    series->set_interval_ns(plan.intervals.interval_ns);
  }
  std::vector<FigureColumn> columns;
  std::vector<Quality> statuses(size * read.fold.maker.columns);
  const auto add_column = [&](void* values) {
    columns.push_back({values, statuses.data() + columns.size() * size});
  };
  const auto sized = [size](auto* values) {
    values->Resize(static_cast<int>(size), 0);
    return values->mutable_data();
  };
  // The figures of each aggregate begin with this column.
  std::vector<size_t> first_columns;
  for (size_t k = 0; k < plan.aggregates.size(); ++k) {
    const Aggregate aggregate = plan.aggregates[k];
    v1::ProcessedColumn* column = series->add_columns();
    column->set_aggregate(AggregateToWire(aggregate));
    column->set_unit(units[k].unit);
    first_columns.push_back(columns.size());
    if (HasIntegers(aggregate, read.traits.type) && units[k].is_identity()) {
      add_column(sized(column->mutable_integers()->mutable_values()));
    } else {
      add_column(sized(column->mutable_floats()->mutable_values()));
    }
    if (InfoOf(aggregate).has_own_time) add_column(sized(column->mutable_times()));
  }
  std::vector<double> good_shares(size);
  add_column(good_shares.data());
  RETURN_IF_ERROR(plan.intervals.window == 1
                      ? FiguresInParallel(env.pool, read, plan.intervals.edges, columns)
                      : WindowFigures(env.pool, read, plan.intervals, columns));
  for (size_t k = 0; k < plan.aggregates.size(); ++k) {
    Quality* const its_statuses = columns[first_columns[k]].statuses;
    if (plan.intervals.last_is_cut && InfoOf(plan.aggregates[k]).sets_partial &&
        its_statuses[size - 1] != kBadNoData) {
      its_statuses[size - 1] |= kInfoPartial;
    }
    v1::ProcessedColumn* const column = series->mutable_columns(static_cast<int>(k));
    if (!units[k].is_identity()) {
      ConvertFigures(plan.aggregates[k], read.traits.type, units[k], its_statuses, size,
                     column->mutable_floats()->mutable_values()->mutable_data());
    }
    QualitiesToWire(its_statuses, size, column->mutable_status(), kGood | kInfoCalculated);
  }
  for (size_t i = 0; i < size; ++i) {
    if (good_shares[i] == 1) continue;
    series->add_partly_good(static_cast<uint32_t>(i));
    series->add_good_shares(static_cast<float>(good_shares[i]));
  }
  ASSIGN_OR_RETURN(const std::optional<Timestamp> newest, read.reader->NewestTime());
  if (newest.has_value()) series->set_complete_until(std::min(*newest, env.clock.Now()));
  return absl::OkStatus();
}

}  // namespace historian::server
