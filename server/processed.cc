#include "server/processed.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/call.h"
#include "server/parallel.h"
#include "server/trend_interval.h"
#include "server/wire.h"
#include "storage/aggregate/interval_fold.h"

namespace historian::server {
namespace {

constexpr int kAggregatesMax = 16;

bool IsTime(v1::Aggregate aggregate) {
  return aggregate == v1::AGGREGATE_MINIMUM_TIME || aggregate == v1::AGGREGATE_MAXIMUM_TIME ||
         aggregate == v1::AGGREGATE_FIRST_TIME || aggregate == v1::AGGREGATE_LAST_TIME;
}

bool IsCount(v1::Aggregate aggregate) {
  return aggregate == v1::AGGREGATE_COUNT || aggregate == v1::AGGREGATE_SAMPLE_COUNT;
}

// A sample's own value.
bool IsValue(v1::Aggregate aggregate) {
  return aggregate == v1::AGGREGATE_MINIMUM || aggregate == v1::AGGREGATE_MAXIMUM ||
         aggregate == v1::AGGREGATE_FIRST || aggregate == v1::AGGREGATE_LAST;
}

bool IsForStrings(v1::Aggregate aggregate) {
  return IsCount(aggregate) || aggregate == v1::AGGREGATE_FIRST_TIME ||
         aggregate == v1::AGGREGATE_LAST_TIME || aggregate == v1::AGGREGATE_GOOD_SHARE;
}

uint32_t PartsOf(v1::Aggregate aggregate) {
  switch (aggregate) {
    case v1::AGGREGATE_MINIMUM:
    case v1::AGGREGATE_MINIMUM_TIME:
    case v1::AGGREGATE_MAXIMUM:
    case v1::AGGREGATE_MAXIMUM_TIME:
    case v1::AGGREGATE_RANGE:
      return kExtremes;
    case v1::AGGREGATE_SUM:
    case v1::AGGREGATE_AVERAGE:
      return kSums;
    case v1::AGGREGATE_STANDARD_DEVIATION_SAMPLE:
    case v1::AGGREGATE_STANDARD_DEVIATION_POPULATION:
      return kSums | kSquares;
    case v1::AGGREGATE_TIME_WEIGHTED_AVERAGE:
      return kAreas;
    default:
      return kCounts;
  }
}

// The sample that an aggregate is the value or the time of; null where there is none.
const Sample* SampleOf(v1::Aggregate aggregate, const Tally& samples) {
  switch (aggregate) {
    case v1::AGGREGATE_MINIMUM:
    case v1::AGGREGATE_MINIMUM_TIME:
      return samples.good > 0 ? &samples.min : nullptr;
    case v1::AGGREGATE_MAXIMUM:
    case v1::AGGREGATE_MAXIMUM_TIME:
      return samples.good > 0 ? &samples.max : nullptr;
    case v1::AGGREGATE_FIRST:
    case v1::AGGREGATE_FIRST_TIME:
      return samples.count > 0 ? &samples.first : nullptr;
    case v1::AGGREGATE_LAST:
    case v1::AGGREGATE_LAST_TIME:
      return samples.count > 0 ? &samples.last : nullptr;
    default:
      return nullptr;
  }
}

std::optional<int64_t> IntegerOf(v1::Aggregate aggregate, const Interval& interval) {
  if (aggregate == v1::AGGREGATE_COUNT) return static_cast<int64_t>(interval.samples.good);
  if (aggregate == v1::AGGREGATE_SAMPLE_COUNT) return static_cast<int64_t>(interval.samples.count);
  const Sample* sample = SampleOf(aggregate, interval.samples);
  if (sample == nullptr) return std::nullopt;
  return IsTime(aggregate) ? sample->time : Int64OfBits(sample->value);
}

// Not inlined, as it answers in registers: an optional that is put together in memory is waited for.
[[gnu::noinline]] std::optional<double> FloatOf(v1::Aggregate aggregate, ValueType type,
                                                const Interval& interval) {
  switch (aggregate) {
    case v1::AGGREGATE_SUM:
      return SumOf(interval);
    case v1::AGGREGATE_AVERAGE:
      return AverageOf(interval);
    case v1::AGGREGATE_TIME_WEIGHTED_AVERAGE:
      return TimeWeightedAverageOf(interval);
    case v1::AGGREGATE_STANDARD_DEVIATION_SAMPLE:
      return SampleDeviationOf(interval);
    case v1::AGGREGATE_STANDARD_DEVIATION_POPULATION:
      return PopulationDeviationOf(interval);
    case v1::AGGREGATE_RANGE:
      return RangeOf(type, interval);
    case v1::AGGREGATE_GOOD_SHARE:
      return GoodShareOf(interval);
    default:
      break;
  }
  const Sample* sample = SampleOf(aggregate, interval.samples);
  if (sample == nullptr) return std::nullopt;
  return ToDouble(type, sample->value);
}

// The status where the aggregate has no value: Bad, whatever the interval's time is. (BadNoData is not
// Calculated: there nothing was.)
Quality WithoutValue(Quality status, const Interval& interval) {
  if (IsBad(status)) return status;
  return interval.samples.count == 0 ? kBadNoData : kBad | kInfoCalculated;
}

}  // namespace

absl::StatusOr<std::optional<Interpolation>> AskedInterpolation(int interpolation) {
  if (interpolation == v1::INTERPOLATION_UNSPECIFIED) return std::nullopt;
  ASSIGN_OR_RETURN(const Interpolation asked, InterpolationFromWire(interpolation));
  return asked;
}

Interpolation InterpolationFor(const TagTraits& tag, std::optional<Interpolation> asked) {
  if (!IsFloat(tag.type) && tag.type != ValueType::kInt64) return Interpolation::kStepped;
  return asked.value_or(tag.interpolation);
}

absl::Status CheckRange(Timestamp start, Timestamp end) {
  for (const auto& [what, time] : {std::pair("start", start), std::pair("end", end)}) {
    if (time < kTimestampMin || time > kTimestampMax + 1) {
      return absl::InvalidArgumentError(
          absl::StrCat(what, " ", FormatTimestamp(time),
                       " is outside the times samples may have, 1900-01-01 to 2200-01-01"));
    }
  }
  if (start >= end) {
    return absl::InvalidArgumentError(
        absl::StrCat("start ", FormatTimestamp(start), " is not before end ", FormatTimestamp(end)));
  }
  return absl::OkStatus();
}

absl::StatusOr<ProcessedPlan> PlanProcessed(const v1::ReadProcessedRequest& request, size_t tags,
                                            const LimitsConfig& limits) {
  RETURN_IF_ERROR(CheckRange(request.start(), request.end()));
  if (request.aggregates_size() < 1 || request.aggregates_size() > kAggregatesMax) {
    return absl::InvalidArgumentError(
        absl::StrCat(request.aggregates_size(), " aggregates: 1 to ", kAggregatesMax, " can be asked for"));
  }
  ProcessedPlan plan;
  for (const int aggregate : request.aggregates()) {
    if (!v1::Aggregate_IsValid(aggregate) || aggregate == v1::AGGREGATE_UNSPECIFIED) {
      return absl::InvalidArgumentError(absl::StrCat("aggregate ", aggregate, " is none"));
    }
    plan.aggregates.push_back(static_cast<v1::Aggregate>(aggregate));
  }
  ASSIGN_OR_RETURN(plan.interpolation, AskedInterpolation(request.interpolation()));

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
    plan.interval_ns = TrendInterval(start, end, request.intervals_max());
    if (!WidenToMultiples(plan.interval_ns, &start, &end)) {
      return absl::InvalidArgumentError(absl::StrCat(
          FormatTimestamp(start), " to ", FormatTimestamp(end), ", widened to whole intervals of ",
          plan.interval_ns / 1'000'000'000,
          " s, leaves the times samples may have, 1900-01-01 to 2200-01-01: ask for a shorter range, or "
          "more intervals"));
    }
  } else {
    plan.interval_ns = request.interval_ns() == 0 ? Elapsed(start, end) : request.interval_ns();
  }
  const uint64_t span = Elapsed(start, end), interval = plan.interval_ns;
  const uint64_t whole = span / interval;
  plan.last_is_cut = span % interval != 0;
  const uint64_t intervals = whole + (plan.last_is_cut ? 1 : 0);
  RETURN_IF_ERROR(CheckLimit(intervals, limits.intervals, "intervals", "limits.intervals"));
  // Neither factor can carry this beyond 64 bits: intervals and tags are within their limits of at most 10^8.
  RETURN_IF_ERROR(CheckLimit(intervals * plan.aggregates.size() * tags, limits.query_values,
                             absl::StrCat("values (", tags, " tags x ", intervals, " intervals x ",
                                          plan.aggregates.size(), " aggregates)"),
                             "limits.query_values"));
  RETURN_IF_ERROR(CheckLimit(intervals * plan.aggregates.size(), kSeriesValuesMax,
                             "values of a tag (intervals x aggregates)", "fixed"));
  plan.edges.reserve(intervals + 1);
  for (uint64_t i = 0; i <= whole; ++i) {
    plan.edges.push_back(static_cast<Timestamp>(static_cast<uint64_t>(start) + i * interval));
  }
  if (plan.last_is_cut) plan.edges.push_back(end);
  return plan;
}

absl::Status CheckAggregates(const ProcessedPlan& plan, const TagRegistry& tags,
                             const SelectedTags& selected) {
  for (const v1::Aggregate aggregate : plan.aggregates) {
    if (IsForStrings(aggregate)) continue;
    for (size_t i = 0; i < selected.ids.size(); ++i) {
      if (selected.traits[i].type == ValueType::kString) {
        return absl::InvalidArgumentError(absl::StrCat(TagLabel(tags, selected.ids[i]),
                                                       " is of type string and has no ",
                                                       v1::Aggregate_Name(aggregate)));
      }
    }
  }
  return absl::OkStatus();
}

absl::Status FiguresInParallel(ServiceEnv& env, TagId tag, absl::Span<const Timestamp> edges,
                               Interpolation interpolation, const FigureMaker& maker, FigureTable to,
                               const KeepGoing& keep_going) {
  // So long that reading it is worth a thread.
  constexpr uint64_t kLongNs = uint64_t{28} * 86'400 * kNanosPerSecond;
  const size_t size = edges.size() - 1, width = ParallelWidth();
  const bool is_long = Elapsed(edges.front(), edges.back()) >= kLongNs &&
                       !env.archive.HasFigures(tag, edges, interpolation, maker);
  const size_t piece = is_long ? (size + width - 1) / width : size;
  return ForEachInParallel(env.pool, (size + piece - 1) / piece, [&](size_t k) {
    const size_t first = k * piece;
    std::vector<FigureColumn> rows(to.begin(), to.end());
    for (FigureColumn& column : rows) {
      column.values += first;
      column.statuses += first;
    }
    return env.archive.Figures(tag, edges.subspan(first, piece + 1), interpolation, maker, rows, keep_going);
  });
}

namespace {

// An answer's columns hold what figures are: 64 bits each.
ValueBits* BitsIn(int64_t* values) { return reinterpret_cast<ValueBits*>(values); }
ValueBits* BitsIn(double* values) { return reinterpret_cast<ValueBits*>(values); }

bool HasIntegers(v1::Aggregate aggregate, ValueType type) {
  return IsTime(aggregate) || IsCount(aggregate) || (IsValue(aggregate) && !IsFloat(type));
}

// One column for each aggregate; 0 or NaN, and a Bad status, where there is no value.
FigureMaker MakerOf(const std::vector<v1::Aggregate>& aggregates, ValueType type) {
  FigureMaker maker = {.columns = aggregates.size()};
  for (const v1::Aggregate aggregate : aggregates) {
    maker.id.push_back(static_cast<char>(aggregate));
    maker.parts |= PartsOf(aggregate);
  }
  maker.make = [&aggregates, type](const Interval& interval, size_t i, FigureTable to) {
    const Quality status = StatusOf(interval);
    for (size_t k = 0; k < aggregates.size(); ++k) {
      bool has_value = false;
      if (HasIntegers(aggregates[k], type)) {
        const std::optional<int64_t> value = IntegerOf(aggregates[k], interval);
        has_value = value.has_value();
        to[k].values[i] = BitsOfInt64(value.value_or(0));
      } else {
        const std::optional<double> value = FloatOf(aggregates[k], type, interval);
        has_value = value.has_value();
        to[k].values[i] = BitsOfFloat64(value.value_or(std::numeric_limits<double>::quiet_NaN()));
      }
      to[k].statuses[i] = has_value ? status : WithoutValue(status, interval);
    }
  };
  return maker;
}

}  // namespace

bool IsProcessedKept(ServiceEnv& env, const v1::ReadProcessedRequest& request) {
  const absl::StatusOr<SelectedTags> selected =
      SelectTags(env.archive.tags(), request.tags(), env.config.limits.query_tags);
  if (!selected.ok()) return false;
  const absl::StatusOr<ProcessedPlan> plan = PlanProcessed(request, selected->ids.size(), env.config.limits);
  if (!plan.ok()) return false;
  for (size_t i = 0; i < selected->ids.size(); ++i) {
    const TagTraits& traits = selected->traits[i];
    if (!env.archive.HasFigures(selected->ids[i], plan->edges, InterpolationFor(traits, plan->interpolation),
                                MakerOf(plan->aggregates, traits.type))) {
      return false;
    }
  }
  return true;
}

absl::Status ComputeProcessed(ServiceEnv& env, const ProcessedPlan& plan, TagId tag, const TagTraits& traits,
                              const KeepGoing& keep_going, v1::ProcessedSeries* series) {
  const size_t size = plan.edges.size() - 1;
  series->set_tag_id(tag);
  series->set_start(plan.edges.front());
  series->set_interval_ns(plan.interval_ns);
  std::vector<FigureColumn> columns;
  std::vector<Quality> statuses(size * plan.aggregates.size());
  for (const v1::Aggregate aggregate : plan.aggregates) {
    v1::ProcessedColumn* column = series->add_columns();
    column->set_aggregate(aggregate);
    Quality* const its_statuses = statuses.data() + columns.size() * size;
    if (HasIntegers(aggregate, traits.type)) {
      auto* values = column->mutable_integers()->mutable_values();
      values->Resize(static_cast<int>(size), 0);
      columns.push_back({BitsIn(values->mutable_data()), its_statuses});
    } else {
      auto* values = column->mutable_floats()->mutable_values();
      values->Resize(static_cast<int>(size), 0);
      columns.push_back({BitsIn(values->mutable_data()), its_statuses});
    }
  }
  RETURN_IF_ERROR(FiguresInParallel(env, tag, plan.edges, InterpolationFor(traits, plan.interpolation),
                                    MakerOf(plan.aggregates, traits.type), columns, keep_going));
  for (size_t k = 0; k < columns.size(); ++k) {
    if (plan.last_is_cut) columns[k].statuses[size - 1] |= kInfoPartial;
    v1::ProcessedColumn* const column = series->mutable_columns(static_cast<int>(k));
    if (k > 0 && std::equal(columns[k].statuses, columns[k].statuses + size, columns[k - 1].statuses)) {
      column->set_status_as_before(true);
    } else {
      QualitiesToWire(columns[k].statuses, size, column->mutable_status(), kGood | kInfoCalculated);
    }
  }
  return absl::OkStatus();
}

}  // namespace historian::server
