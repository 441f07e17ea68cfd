// File: storage/model/aggregate.h
//
// Which aggregates there are: their numbers, names, and what their values are. One row each. What a row computes is
// defined in storage/aggregate/direct_aggregates.h and computed in storage/aggregate/aggregates.h.
//
// Source: OPC 10000-13 v1.05 (OPC UA Part 13, Aggregates), the summary table of each clause; NodeIds.csv of the OPC
// Foundation.
#ifndef HISTORIAN_STORAGE_MODEL_AGGREGATE_H_
#define HISTORIAN_STORAGE_MODEL_AGGREGATE_H_

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "absl/strings/string_view.h"
#include "storage/model/value.h"

namespace historian {

// The wire's numbers. The 37 of the standard in the order of the clauses that define them, 5.4.3.4 to 5.4.3.40; ours from
// 101 on.
enum class Aggregate : uint8_t {
  kInterpolative = 1,
  kAverage = 2,
  kTimeAverage = 3,
  kTimeAverage2 = 4,
  kTotal = 5,
  kTotal2 = 6,
  kMinimum = 7,
  kMaximum = 8,
  kMinimumActualTime = 9,
  kMaximumActualTime = 10,
  kRange = 11,
  kMinimum2 = 12,
  kMaximum2 = 13,
  kMinimumActualTime2 = 14,
  kMaximumActualTime2 = 15,
  kRange2 = 16,
  kAnnotationCount = 17,
  kCount = 18,
  kDurationInStateZero = 19,
  kDurationInStateNonZero = 20,
  kNumberOfTransitions = 21,
  kStart = 22,
  kEnd = 23,
  kDelta = 24,
  kStartBound = 25,
  kEndBound = 26,
  kDeltaBounds = 27,
  kDurationGood = 28,
  kDurationBad = 29,
  kPercentGood = 30,
  kPercentBad = 31,
  kWorstQuality = 32,
  kWorstQuality2 = 33,
  kStandardDeviationSample = 34,
  kVarianceSample = 35,
  kStandardDeviationPopulation = 36,
  kVariancePopulation = 37,
  kSum = 101,
  kSampleCount = 102,
};

// What the values of an aggregate are.
enum class AggregateResult : uint8_t {
  kSource,      // A value of the tag, in the tag's type ("Same as Source").
  kDifference,  // Of two values of the tag: float64 and float32 as the tag, else int64.
  kNumber,      // A float64 in the tag's unit.
  kVariance,    // A float64 in the square of the tag's unit.
  kTotal,       // A float64 in the tag's unit x seconds.
  kDuration,    // A float64, milliseconds.
  kPercent,     // A float64, 0 to 100.
  kCount,       // An int64, not negative.
  kQuality,     // A quality: severity and sub-code (StatusCode), as an int64.
};

// The bounding values that an aggregate looks at (3.1.7).
enum class AggregateBounds : uint8_t { kNone, kInterpolated, kSimple };

// How the status comes about (5.4.3.3).
enum class AggregateStatus : uint8_t {
  kPercentValues,  // By the number of Good and Bad samples.
  kPercentTime,    // By the length of Good and Bad regions.
  kCustom,         // As the aggregate's clause says.
};

struct AggregateInfo {
  Aggregate id;
  absl::string_view name;           // What people write.
  absl::string_view short_name;     // They may also write this. Empty: no short name.
  absl::string_view standard_name;  // The BrowseName in Part 13; else one of our own in that style.
  // Of the object AggregateFunction_<standard_name> in namespace 0; 0 where Part 13 has no such aggregate.
  uint32_t node_id;
  AggregateResult result;
  AggregateBounds bounds;
  AggregateStatus status;
  bool has_own_time;  // The value has the time of a sample; else that of the interval's start.
  bool sets_partial;  // The Partial bit applies to it.
  // Defined for string tags, too. All are defined for all other types.
  bool for_strings;

  bool is_standard() const { return node_id != 0; }
};

namespace aggregate_table {

using A = Aggregate;
using R = AggregateResult;
using B = AggregateBounds;
using S = AggregateStatus;

// In the order of their numbers.
// clang-format off
inline constexpr AggregateInfo kRows[] = {
    // id, name, short name, standard name, node, result, bounds, status, own time, partial, strings
    {A::kInterpolative, "interpolative", "", "Interpolative", 2341, R::kSource, B::kInterpolated, S::kCustom, false, false, true},
    {A::kAverage, "average", "avg", "Average", 2342, R::kNumber, B::kNone, S::kPercentValues, false, false, false},
    {A::kTimeAverage, "time-average", "", "TimeAverage", 2343, R::kNumber, B::kInterpolated, S::kCustom, false, true, false},
    {A::kTimeAverage2, "time-average2", "twa", "TimeAverage2", 11285, R::kNumber, B::kSimple, S::kPercentTime, false, true, false},
    {A::kTotal, "total", "", "Total", 2344, R::kTotal, B::kInterpolated, S::kCustom, false, true, false},
    {A::kTotal2, "total2", "", "Total2", 11304, R::kTotal, B::kSimple, S::kPercentTime, false, true, false},
    {A::kMinimum, "minimum", "min", "Minimum", 2346, R::kSource, B::kNone, S::kCustom, false, true, false},
    {A::kMaximum, "maximum", "max", "Maximum", 2347, R::kSource, B::kNone, S::kCustom, false, true, false},
    {A::kMinimumActualTime, "minimum-actual-time", "min-time", "MinimumActualTime", 2348, R::kSource, B::kNone, S::kCustom, true, true, false},
    {A::kMaximumActualTime, "maximum-actual-time", "max-time", "MaximumActualTime", 2349, R::kSource, B::kNone, S::kCustom, true, true, false},
    {A::kRange, "range", "", "Range", 2350, R::kDifference, B::kNone, S::kCustom, false, true, false},
    {A::kMinimum2, "minimum2", "min2", "Minimum2", 11286, R::kSource, B::kSimple, S::kPercentTime, false, true, false},
    {A::kMaximum2, "maximum2", "max2", "Maximum2", 11287, R::kSource, B::kSimple, S::kPercentTime, false, true, false},
    {A::kMinimumActualTime2, "minimum-actual-time2", "min-time2", "MinimumActualTime2", 11305, R::kSource, B::kSimple, S::kPercentTime, true, true, false},
    {A::kMaximumActualTime2, "maximum-actual-time2", "max-time2", "MaximumActualTime2", 11306, R::kSource, B::kSimple, S::kPercentTime, true, true, false},
    {A::kRange2, "range2", "", "Range2", 11288, R::kDifference, B::kSimple, S::kPercentTime, false, true, false},
    {A::kAnnotationCount, "annotation-count", "", "AnnotationCount", 2351, R::kCount, B::kNone, S::kCustom, false, true, true},
    {A::kCount, "count", "", "Count", 2352, R::kCount, B::kNone, S::kPercentValues, false, true, true},
    {A::kDurationInStateZero, "duration-in-state-zero", "zero-time", "DurationInStateZero", 11307, R::kDuration, B::kSimple, S::kPercentTime, false, true, false},
    {A::kDurationInStateNonZero, "duration-in-state-non-zero", "non-zero-time", "DurationInStateNonZero", 11308, R::kDuration, B::kSimple, S::kPercentTime, false, true, false},
    {A::kNumberOfTransitions, "number-of-transitions", "transitions", "NumberOfTransitions", 2355, R::kCount, B::kNone, S::kPercentValues, false, true, true},
    {A::kStart, "start", "first", "Start", 2357, R::kSource, B::kNone, S::kCustom, true, true, true},
    {A::kEnd, "end", "last", "End", 2358, R::kSource, B::kNone, S::kCustom, true, true, true},
    {A::kDelta, "delta", "", "Delta", 2359, R::kDifference, B::kNone, S::kCustom, false, true, false},
    {A::kStartBound, "start-bound", "", "StartBound", 11505, R::kSource, B::kSimple, S::kCustom, false, true, true},
    {A::kEndBound, "end-bound", "", "EndBound", 11506, R::kSource, B::kSimple, S::kCustom, false, true, true},
    {A::kDeltaBounds, "delta-bounds", "", "DeltaBounds", 11507, R::kDifference, B::kSimple, S::kCustom, false, true, false},
    {A::kDurationGood, "duration-good", "", "DurationGood", 2360, R::kDuration, B::kSimple, S::kCustom, false, true, true},
    {A::kDurationBad, "duration-bad", "", "DurationBad", 2361, R::kDuration, B::kSimple, S::kCustom, false, true, true},
    {A::kPercentGood, "percent-good", "", "PercentGood", 2362, R::kPercent, B::kSimple, S::kCustom, false, true, true},
    {A::kPercentBad, "percent-bad", "", "PercentBad", 2363, R::kPercent, B::kSimple, S::kCustom, false, true, true},
    {A::kWorstQuality, "worst-quality", "", "WorstQuality", 2364, R::kQuality, B::kNone, S::kCustom, false, true, true},
    {A::kWorstQuality2, "worst-quality2", "", "WorstQuality2", 11292, R::kQuality, B::kSimple, S::kCustom, false, true, true},
    {A::kStandardDeviationSample, "standard-deviation-sample", "stddev", "StandardDeviationSample", 11426, R::kNumber, B::kNone, S::kCustom, false, true, false},
    {A::kVarianceSample, "variance-sample", "variance", "VarianceSample", 11428, R::kVariance, B::kNone, S::kCustom, false, true, false},
    {A::kStandardDeviationPopulation, "standard-deviation-population", "stddev-population", "StandardDeviationPopulation", 11427, R::kNumber, B::kNone, S::kCustom, false, true, false},
    {A::kVariancePopulation, "variance-population", "", "VariancePopulation", 11429, R::kVariance, B::kNone, S::kCustom, false, true, false},
    {A::kSum, "sum", "", "Sum", 0, R::kNumber, B::kNone, S::kPercentValues, false, true, false},
    {A::kSampleCount, "sample-count", "", "SampleCount", 0, R::kCount, B::kNone, S::kCustom, false, true, true},
};
// clang-format on

}  // namespace aggregate_table

inline constexpr auto& kAggregates = aggregate_table::kRows;

// Null for a number that no aggregate has.
constexpr const AggregateInfo* FindAggregate(int64_t number) {
  for (const AggregateInfo& info : kAggregates) {
    if (static_cast<int64_t>(info.id) == number) return &info;
  }
  return nullptr;
}
// Null for a text that is neither a name, a short name nor a standard name. Case, hyphens and underscores do not matter.
const AggregateInfo* FindAggregate(absl::string_view text);

// Requires that `aggregate` is one of the enum's.
const AggregateInfo& InfoOf(Aggregate aggregate);

bool IsDefinedFor(Aggregate aggregate, ValueType type);
// The type of the aggregate's values of a tag of that type. Requires IsDefinedFor.
ValueType ResultTypeOf(Aggregate aggregate, ValueType type);
// Whether answers have its values of a tag of that type as integers, not as floating point.
bool HasIntegers(Aggregate aggregate, ValueType type);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_AGGREGATE_H_
