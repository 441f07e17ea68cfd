#include "storage/aggregate/aggregates.h"

#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "storage/model/check.h"

namespace historian {
namespace {

// The status where there is no value: Bad, whatever the interval's time is. (BadNoData is not Calculated:
// there nothing was.)
Quality WithoutValue(Quality status, const Interval& interval) {
  if (IsBad(status)) return status;
  return interval.samples.count == 0 ? kBadNoData : kBad | kInfoCalculated;
}

Figure Float(std::optional<double> value, const Interval& interval, Quality status) {
  if (value.has_value()) return {BitsOfFloat64(*value), status};
  return {BitsOfFloat64(std::numeric_limits<double>::quiet_NaN()), WithoutValue(status, interval)};
}

// ---- Aggregates that a sample of the interval is the value or the time of; null where there is none.

using SampleOf = const Sample* (*)(const Tally&);

const Sample* Smallest(const Tally& samples) { return samples.good > 0 ? &samples.min : nullptr; }
const Sample* Largest(const Tally& samples) { return samples.good > 0 ? &samples.max : nullptr; }
const Sample* First(const Tally& samples) { return samples.count > 0 ? &samples.first : nullptr; }
const Sample* Last(const Tally& samples) { return samples.count > 0 ? &samples.last : nullptr; }

template <SampleOf kSampleOf>
Figure ValueOf(ValueType type, const Interval& interval, Quality status, const AggregateConfig&) {
  const Sample* const sample = kSampleOf(interval.samples);
  if (IsFloat(type)) {
    return Float(sample == nullptr ? std::nullopt : std::optional(ToDouble(type, sample->value)), interval,
                 status);
  }
  if (sample == nullptr) return {0, WithoutValue(status, interval)};
  return {sample->value, status};
}

template <SampleOf kSampleOf>
Figure TimeOf(ValueType, const Interval& interval, Quality status, const AggregateConfig&) {
  const Sample* const sample = kSampleOf(interval.samples);
  if (sample == nullptr) return {0, WithoutValue(status, interval)};
  return {BitsOfInt64(sample->time), status};
}

// ---- Aggregates that are computed.

template <std::optional<double> (*kNumberOf)(const Interval&)>
Figure NumberOf(ValueType, const Interval& interval, Quality status, const AggregateConfig&) {
  return Float(kNumberOf(interval), interval, status);
}

Figure Count(ValueType, const Interval& interval, Quality status, const AggregateConfig&) {
  return {BitsOfInt64(static_cast<int64_t>(interval.samples.good)), status};
}

Figure SampleCount(ValueType, const Interval& interval, Quality status, const AggregateConfig&) {
  return {BitsOfInt64(static_cast<int64_t>(interval.samples.count)), status};
}

Figure Range(ValueType type, const Interval& interval, Quality status, const AggregateConfig&) {
  return Float(RangeOf(type, interval), interval, status);
}

Figure GoodShare(ValueType, const Interval& interval, Quality status, const AggregateConfig&) {
  return Float(GoodShareOf(interval), interval, status);
}

constexpr BoundsNeeded kNone = BoundsNeeded::kNone, kSimple = BoundsNeeded::kSimple;

constexpr AggregateRow kRows[] = {
    {Aggregate::kCount, kCounts, kNone, Count},
    {Aggregate::kMinimum, kExtremes, kNone, ValueOf<Smallest>},
    {Aggregate::kMinimumTime, kExtremes, kNone, TimeOf<Smallest>},
    {Aggregate::kMaximum, kExtremes, kNone, ValueOf<Largest>},
    {Aggregate::kMaximumTime, kExtremes, kNone, TimeOf<Largest>},
    {Aggregate::kSum, kSums, kNone, NumberOf<SumOf>},
    {Aggregate::kAverage, kSums, kNone, NumberOf<AverageOf>},
    {Aggregate::kTimeWeightedAverage, kAreas, kSimple, NumberOf<TimeWeightedAverageOf>},
    {Aggregate::kStandardDeviationSample, kSums | kSquares, kNone, NumberOf<SampleDeviationOf>},
    {Aggregate::kStandardDeviationPopulation, kSums | kSquares, kNone, NumberOf<PopulationDeviationOf>},
    {Aggregate::kFirst, kCounts, kNone, ValueOf<First>},
    {Aggregate::kLast, kCounts, kNone, ValueOf<Last>},
    {Aggregate::kFirstTime, kCounts, kNone, TimeOf<First>},
    {Aggregate::kLastTime, kCounts, kNone, TimeOf<Last>},
    {Aggregate::kRange, kExtremes, kNone, Range},
    {Aggregate::kGoodShare, kCounts, kSimple, GoodShare},
    {Aggregate::kSampleCount, kCounts, kNone, SampleCount},
};

constexpr bool TablesAgree() {
  if (std::size(kRows) != std::size(kAggregates)) return false;
  for (size_t i = 0; i < std::size(kRows); ++i) {
    if (kRows[i].id != kAggregates[i].id) return false;
  }
  return true;
}
static_assert(TablesAgree(), "each aggregate has a row here and one in storage/model/aggregate.h, in order");

}  // namespace

absl::Span<const AggregateRow> AggregateRows() { return kRows; }

const AggregateRow& RowOf(Aggregate aggregate) {
  for (const AggregateRow& row : kRows) {
    if (row.id == aggregate) return row;
  }
  HISTORIAN_CHECK(false);
}

FigureMaker MakerOf(absl::Span<const Aggregate> aggregates, ValueType type, const AggregateConfig& config) {
  FigureMaker maker = {.columns = aggregates.size()};
  std::vector<const AggregateRow*> rows;
  for (const Aggregate aggregate : aggregates) {
    rows.push_back(&RowOf(aggregate));
    maker.id.push_back(static_cast<char>(aggregate));
    maker.parts |= rows.back()->parts;
  }
  maker.make = [rows = std::move(rows), type, config](const Interval& interval, size_t i, FigureTable to) {
    const Quality time_status = StatusOf(interval);
    for (size_t k = 0; k < rows.size(); ++k) {
      const Figure figure = rows[k]->compute(type, interval, time_status, config);
      to[k].Set(i, figure.value, figure.status);
    }
  };
  return maker;
}

}  // namespace historian
