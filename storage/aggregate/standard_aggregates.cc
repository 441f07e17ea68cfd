#include "storage/aggregate/standard_aggregates.h"

#include <cstddef>
#include <iterator>

#include "absl/strings/str_cat.h"
#include "storage/model/check.h"

namespace historian {
namespace {

using A = StandardAggregate;
using R = StandardResult;
using B = StandardBounds;
using S = StandardStatus;

// Source: the summary table of each clause; NodeIds.csv of the OPC Foundation.
constexpr StandardAggregateInfo kTable[] = {
    // id, name, node, clause, result, bounds, status, own time, partial, strings
    {A::kInterpolative, "Interpolative", 2341, 4, R::kSource, B::kInterpolated, S::kCustom, false, false,
     true},
    {A::kAverage, "Average", 2342, 5, R::kNumber, B::kNone, S::kPercentValues, false, false, false},
    {A::kTimeAverage, "TimeAverage", 2343, 6, R::kNumber, B::kInterpolated, S::kCustom, false, true, false},
    {A::kTimeAverage2, "TimeAverage2", 11285, 7, R::kNumber, B::kSimple, S::kPercentTime, false, true, false},
    {A::kTotal, "Total", 2344, 8, R::kNumber, B::kInterpolated, S::kCustom, false, true, false},
    {A::kTotal2, "Total2", 11304, 9, R::kNumber, B::kSimple, S::kPercentTime, false, true, false},
    {A::kMinimum, "Minimum", 2346, 10, R::kSource, B::kNone, S::kCustom, false, true, false},
    {A::kMaximum, "Maximum", 2347, 11, R::kSource, B::kNone, S::kCustom, false, true, false},
    {A::kMinimumActualTime, "MinimumActualTime", 2348, 12, R::kSource, B::kNone, S::kCustom, true, true,
     false},
    {A::kMaximumActualTime, "MaximumActualTime", 2349, 13, R::kSource, B::kNone, S::kCustom, true, true,
     false},
    {A::kRange, "Range", 2350, 14, R::kDifference, B::kNone, S::kCustom, false, true, false},
    {A::kMinimum2, "Minimum2", 11286, 15, R::kSource, B::kSimple, S::kPercentTime, false, true, false},
    {A::kMaximum2, "Maximum2", 11287, 16, R::kSource, B::kSimple, S::kPercentTime, false, true, false},
    {A::kMinimumActualTime2, "MinimumActualTime2", 11305, 17, R::kSource, B::kSimple, S::kPercentTime, true,
     true, false},
    {A::kMaximumActualTime2, "MaximumActualTime2", 11306, 18, R::kSource, B::kSimple, S::kPercentTime, true,
     true, false},
    {A::kRange2, "Range2", 11288, 19, R::kDifference, B::kSimple, S::kPercentTime, false, true, false},
    {A::kAnnotationCount, "AnnotationCount", 2351, 20, R::kCount, B::kNone, S::kCustom, false, true, true},
    {A::kCount, "Count", 2352, 21, R::kCount, B::kNone, S::kPercentValues, false, true, true},
    {A::kDurationInStateZero, "DurationInStateZero", 11307, 22, R::kDuration, B::kSimple, S::kPercentTime,
     false, true, false},
    {A::kDurationInStateNonZero, "DurationInStateNonZero", 11308, 23, R::kDuration, B::kSimple,
     S::kPercentTime, false, true, false},
    {A::kNumberOfTransitions, "NumberOfTransitions", 2355, 24, R::kCount, B::kNone, S::kPercentValues, false,
     true, true},
    {A::kStart, "Start", 2357, 25, R::kSource, B::kNone, S::kCustom, true, true, true},
    {A::kEnd, "End", 2358, 26, R::kSource, B::kNone, S::kCustom, true, true, true},
    {A::kDelta, "Delta", 2359, 27, R::kDifference, B::kNone, S::kCustom, false, true, false},
    {A::kStartBound, "StartBound", 11505, 28, R::kSource, B::kSimple, S::kCustom, false, true, true},
    {A::kEndBound, "EndBound", 11506, 29, R::kSource, B::kSimple, S::kCustom, false, true, true},
    {A::kDeltaBounds, "DeltaBounds", 11507, 30, R::kDifference, B::kSimple, S::kCustom, false, true, false},
    {A::kDurationGood, "DurationGood", 2360, 31, R::kDuration, B::kSimple, S::kCustom, false, true, true},
    {A::kDurationBad, "DurationBad", 2361, 32, R::kDuration, B::kSimple, S::kCustom, false, true, true},
    {A::kPercentGood, "PercentGood", 2362, 33, R::kPercent, B::kSimple, S::kCustom, false, true, true},
    {A::kPercentBad, "PercentBad", 2363, 34, R::kPercent, B::kSimple, S::kCustom, false, true, true},
    {A::kWorstQuality, "WorstQuality", 2364, 35, R::kQuality, B::kNone, S::kCustom, false, true, true},
    {A::kWorstQuality2, "WorstQuality2", 11292, 36, R::kQuality, B::kSimple, S::kCustom, false, true, true},
    {A::kStandardDeviationSample, "StandardDeviationSample", 11426, 37, R::kNumber, B::kNone, S::kCustom,
     false, true, false},
    {A::kVarianceSample, "VarianceSample", 11428, 38, R::kNumber, B::kNone, S::kCustom, false, true, false},
    {A::kStandardDeviationPopulation, "StandardDeviationPopulation", 11427, 39, R::kNumber, B::kNone,
     S::kCustom, false, true, false},
    {A::kVariancePopulation, "VariancePopulation", 11429, 40, R::kNumber, B::kNone, S::kCustom, false, true,
     false},
};

constexpr bool IsInOrder() {
  for (size_t i = 0; i < std::size(kTable); ++i) {
    if (static_cast<size_t>(kTable[i].id) != i || kTable[i].clause != static_cast<int>(i) + 4) return false;
  }
  return std::size(kTable) == 37;
}
static_assert(IsInOrder());

}  // namespace

absl::Status ValidateConfig(const StandardAggregateConfig& config) {
  const auto check = [](absl::string_view name, int percent) {
    if (percent >= 0 && percent <= 100) return absl::OkStatus();
    return absl::InvalidArgumentError(absl::StrCat(
        name, " is ", percent, "; it is a percentage from 0 to 100 (Bad_AggregateInvalidInputs)"));
  };
  absl::Status status = check("PercentDataBad", config.percent_data_bad);
  if (status.ok()) status = check("PercentDataGood", config.percent_data_good);
  if (!status.ok()) return status;
  if (config.percent_data_good < 100 - config.percent_data_bad) {
    return absl::InvalidArgumentError(absl::StrCat(
        "PercentDataGood ", config.percent_data_good, " and PercentDataBad ", config.percent_data_bad,
        " contradict each other: a result could be both Good and Bad. PercentDataGood must be at least ",
        100 - config.percent_data_bad, ", 100 - PercentDataBad (Bad_AggregateInvalidInputs)"));
  }
  if (config.resolution_ns == 0) {
    return absl::InvalidArgumentError("the time resolution of aggregates is 0 ns; it must be at least 1 ns");
  }
  return absl::OkStatus();
}

absl::Span<const StandardAggregateInfo> StandardAggregates() { return kTable; }

const StandardAggregateInfo& InfoOf(StandardAggregate aggregate) {
  HISTORIAN_CHECK(static_cast<size_t>(aggregate) < std::size(kTable));
  return kTable[static_cast<size_t>(aggregate)];
}

const StandardAggregateInfo* FindStandardAggregate(absl::string_view name) {
  for (const StandardAggregateInfo& info : kTable) {
    if (info.name == name) return &info;
  }
  return nullptr;
}

bool IsDefinedFor(StandardAggregate aggregate, ValueType type) {
  return type != ValueType::kString || InfoOf(aggregate).for_strings;
}

ValueType ResultTypeOf(StandardAggregate aggregate, ValueType type) {
  switch (InfoOf(aggregate).result) {
    case StandardResult::kSource:
      return type;
    case StandardResult::kDifference:
      return IsFloat(type) ? type : ValueType::kInt64;
    case StandardResult::kNumber:
    case StandardResult::kDuration:
    case StandardResult::kPercent:
      return ValueType::kFloat64;
    case StandardResult::kCount:
    case StandardResult::kQuality:
      return ValueType::kInt64;
  }
  return type;
}

}  // namespace historian
