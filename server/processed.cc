#include "server/processed.h"

#include <algorithm>
#include <limits>
#include <optional>
#include <utility>

#include "absl/strings/str_cat.h"
#include "server/call.h"
#include "server/selection.h"
#include "server/trend_interval.h"
#include "server/wire.h"
#include "storage/aggregate/aggregates.h"
#include "storage/model/aggregate.h"

namespace historian::server {
namespace {

constexpr int kAggregatesMax = 40;

// What is asked for, of however many tags.
struct Asked {
  std::vector<Timestamp> edges;
  uint64_t interval_ns = 0;
  bool last_is_cut = false;
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
                              const LimitsConfig& limits) {
  RETURN_IF_ERROR(CheckRange(request.start(), request.end()));
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

  Timestamp start = request.start(), end = request.end();
  if (request.interval_ns() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError(
        absl::StrCat("interval_ns ", request.interval_ns(),
                     " is above 2^63 - 1 (a negative number?); 0 is one interval over all"));
  }
  if (request.intervals_max() > 0) {
    if (request.interval_ns() > 0) {
      return absl::InvalidArgumentError("interval_ns and intervals_max: only one of them can be given");
    }
    if (request.intervals_max() == 1) {
      return absl::InvalidArgumentError(
          "intervals_max is 1: at least 2; for one interval over all give neither");
    }
    asked.interval_ns = TrendInterval(start, end, request.intervals_max());
    if (!WidenToMultiples(asked.interval_ns, &start, &end)) {
      return absl::InvalidArgumentError(absl::StrCat(
          FormatTimestamp(start), " to ", FormatTimestamp(end), ", widened to whole intervals of ",
          asked.interval_ns / 1'000'000'000,
          " s, leaves the times samples may have, 1900-01-01 to 2200-01-01: ask for a shorter range, or "
          "more intervals"));
    }
  } else {
    asked.interval_ns = request.interval_ns() == 0 ? Elapsed(start, end) : request.interval_ns();
  }
  const uint64_t span = Elapsed(start, end), interval = asked.interval_ns;
  const uint64_t whole = span / interval;
  asked.last_is_cut = span % interval != 0;
  const uint64_t intervals = whole + (asked.last_is_cut ? 1 : 0);
  RETURN_IF_ERROR(CheckLimit(intervals, limits.intervals, "intervals", "limits.intervals"));
  // Times of their own are values, too.
  uint64_t& columns = asked.columns;
  for (const Aggregate aggregate : asked.aggregates) columns += InfoOf(aggregate).has_own_time ? 2 : 1;
  // Neither factor can carry this beyond 64 bits: intervals and tags are within their limits of at most 10^8.
  RETURN_IF_ERROR(CheckLimit(intervals * columns * tags, limits.query_values,
                             absl::StrCat("values (", tags, " tags x ", intervals, " intervals x ", columns,
                                          " values and times of aggregates)"),
                             "limits.query_values"));
  RETURN_IF_ERROR(CheckLimit(intervals * columns, kSeriesValuesMax,
                             "values of a tag (intervals x values and times of aggregates)", "fixed"));
  asked.edges.reserve(intervals + 1);
  for (uint64_t i = 0; i <= whole; ++i) {
    asked.edges.push_back(static_cast<Timestamp>(static_cast<uint64_t>(start) + i * interval));
  }
  if (asked.last_is_cut) asked.edges.push_back(end);
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

}  // namespace

absl::StatusOr<ProcessedPlan> PlanProcessed(ServiceEnv& env, const SeenTags& tags,
                                            const v1::ReadProcessedRequest& request,
                                            const KeepGoing& keep_going) {
  ASSIGN_OR_RETURN(SelectedTags selected,
                   SelectTags(tags, Right::kRead, request.tags(), env.config.limits.query_tags, keep_going));
  ASSIGN_OR_RETURN(Asked asked, AskedOf(request, selected.ids.size(), env.config.limits));
  RETURN_IF_ERROR(CheckAggregates(asked.aggregates, env.archive.tags(), selected));
  ASSIGN_OR_RETURN(const Version as_of, AsOfOf(env.archive.versions(), request));
  const uint64_t values_of_tag = (asked.edges.size() - 1) * asked.columns;
  ReadPlan::Figures figures{
      .edges = std::move(asked.edges),
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
  return ProcessedPlan{std::move(read), asked.interval_ns, asked.last_is_cut, std::move(asked.aggregates)};
}

absl::Status ComputeProcessed(ServiceEnv& env, const ProcessedPlan& plan, const TagRead& read,
                              v1::ProcessedSeries* series) {
  const size_t size = plan.read.intervals();
  series->set_tag_id(read.tag);
  series->set_start(plan.read.edges().front());
  series->set_interval_ns(plan.interval_ns);
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
  for (const Aggregate aggregate : plan.aggregates) {
    v1::ProcessedColumn* column = series->add_columns();
    column->set_aggregate(AggregateToWire(aggregate));
    first_columns.push_back(columns.size());
    if (HasIntegers(aggregate, read.traits.type)) {
      add_column(sized(column->mutable_integers()->mutable_values()));
    } else {
      add_column(sized(column->mutable_floats()->mutable_values()));
    }
    if (InfoOf(aggregate).has_own_time) add_column(sized(column->mutable_times()));
  }
  RETURN_IF_ERROR(FiguresInParallel(env.pool, read, plan.read.edges(), columns));
  for (size_t k = 0; k < plan.aggregates.size(); ++k) {
    Quality* const its_statuses = columns[first_columns[k]].statuses;
    if (plan.last_is_cut && InfoOf(plan.aggregates[k]).sets_partial && its_statuses[size - 1] != kBadNoData) {
      its_statuses[size - 1] |= kInfoPartial;
    }
    v1::ProcessedColumn* const column = series->mutable_columns(static_cast<int>(k));
    QualitiesToWire(its_statuses, size, column->mutable_status(), kGood | kInfoCalculated);
  }
  return absl::OkStatus();
}

}  // namespace historian::server
