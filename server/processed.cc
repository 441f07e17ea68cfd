#include "server/processed.h"

#include <algorithm>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/call.h"
#include "server/parallel.h"
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
  const Quality partial = status & kInfoPartial & ~kInfoCalculated;
  const Quality without = interval.samples.count == 0 ? kBadNoData : kBad | kInfoCalculated;
  return partial == 0 ? without : without | kInfoPartial;
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
    plan.parts |= PartsOf(plan.aggregates.back());
  }
  ASSIGN_OR_RETURN(plan.interpolation, AskedInterpolation(request.interpolation()));

  const uint64_t span = Elapsed(request.start(), request.end());
  if (request.interval_ns() > static_cast<uint64_t>(std::numeric_limits<int64_t>::max())) {
    return absl::InvalidArgumentError(
        absl::StrCat("interval_ns ", request.interval_ns(),
                     " is above 2^63 - 1 (a negative number?); 0 is one interval over all"));
  }
  const uint64_t interval = request.interval_ns() == 0 ? span : request.interval_ns();
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
    plan.edges.push_back(static_cast<Timestamp>(static_cast<uint64_t>(request.start()) + i * interval));
  }
  if (plan.last_is_cut) plan.edges.push_back(request.end());
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

absl::Status FoldInParallel(ServiceEnv& env, TagId tag, absl::Span<const Timestamp> edges,
                            Interpolation interpolation, uint32_t parts, const KeepGoing& keep_going,
                            absl::FunctionRef<void(size_t, const Interval&)> take) {
  // So long that folding it is worth a thread.
  constexpr uint64_t kLongNs = uint64_t{28} * 86'400 * kNanosPerSecond;
  const size_t size = edges.size() - 1, width = ParallelWidth();
  const bool is_long = Elapsed(edges.front(), edges.back()) >= kLongNs;
  const size_t piece = is_long ? (size + width - 1) / width : size;
  return ForEachInParallel(env.pool, (size + piece - 1) / piece, [&](size_t k) {
    const size_t first = k * piece;
    return env.archive.Fold(
        tag, edges.subspan(first, piece + 1), interpolation, parts,
        [&take, first](size_t i, const Interval& interval) { take(first + i, interval); }, keep_going);
  });
}

absl::Status ComputeProcessed(ServiceEnv& env, const ProcessedPlan& plan, TagId tag, const TagTraits& traits,
                              const KeepGoing& keep_going, v1::ProcessedSeries* series) {
  const size_t size = plan.edges.size() - 1;
  series->set_tag_id(tag);

  // Interval by interval, all aggregates of each, while it is at hand.
  struct Output {
    v1::Aggregate aggregate;
    v1::ProcessedColumn* column;
    int64_t* integers = nullptr;
    double* floats = nullptr;
    std::vector<Quality> statuses;
  };
  std::vector<Output> outputs;
  for (const v1::Aggregate aggregate : plan.aggregates) {
    v1::ProcessedColumn* column = series->add_columns();
    column->set_aggregate(aggregate);
    Output output{.aggregate = aggregate, .column = column};
    output.statuses.resize(size);
    if (IsTime(aggregate) || IsCount(aggregate) || (IsValue(aggregate) && !IsFloat(traits.type))) {
      auto* values = column->mutable_integers()->mutable_values();
      values->Resize(static_cast<int>(size), 0);
      output.integers = values->mutable_data();
    } else {
      auto* values = column->mutable_floats()->mutable_values();
      values->Resize(static_cast<int>(size), std::numeric_limits<double>::quiet_NaN());
      output.floats = values->mutable_data();
    }
    outputs.push_back(std::move(output));
  }
  const auto take = [&](size_t i, const Interval& interval) {
    Quality status = StatusOf(interval);
    if (plan.last_is_cut && i + 1 == size) status |= kInfoPartial;
    for (Output& output : outputs) {
      bool has_value = false;
      if (output.integers != nullptr) {
        const std::optional<int64_t> value = IntegerOf(output.aggregate, interval);
        has_value = value.has_value();
        if (has_value) output.integers[i] = *value;
      } else {
        const std::optional<double> value = FloatOf(output.aggregate, traits.type, interval);
        has_value = value.has_value();
        if (has_value) output.floats[i] = *value;
      }
      output.statuses[i] = has_value ? status : WithoutValue(status, interval);
    }
  };
  RETURN_IF_ERROR(FoldInParallel(env, tag, plan.edges, InterpolationFor(traits, plan.interpolation),
                                 plan.parts, keep_going, take));
  for (Output& output : outputs) {
    QualitiesToWire(output.statuses.data(), size, output.column->mutable_status());
  }
  return absl::OkStatus();
}

}  // namespace historian::server
