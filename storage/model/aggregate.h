// File: storage/model/aggregate.h
//
// Which aggregates there are: their numbers, names and kinds of values. One row each; what a row computes is
// in storage/aggregate/aggregates.h.
//
// Source: OPC 10000-13 (OPC UA Part 13, Aggregates), and its NodeIds.csv.
#ifndef HISTORIAN_STORAGE_MODEL_AGGREGATE_H_
#define HISTORIAN_STORAGE_MODEL_AGGREGATE_H_

#include <cstddef>
#include <cstdint>
#include <iterator>

#include "absl/strings/string_view.h"
#include "storage/model/value.h"

namespace historian {

// What each means is in proto/historian/v1/query.proto.
// DO NOT RENUMBER: the wire's numbers.
enum class Aggregate : uint8_t {
  kCount = 1,
  kMinimum = 2,
  kMinimumTime = 3,
  kMaximum = 4,
  kMaximumTime = 5,
  kSum = 6,
  kAverage = 7,
  kTimeWeightedAverage = 8,
  kStandardDeviationSample = 9,
  kStandardDeviationPopulation = 10,
  kFirst = 11,
  kLast = 12,
  kFirstTime = 13,
  kLastTime = 14,
  kRange = 15,
  kGoodShare = 16,
  kSampleCount = 17,
};

// What the values of an aggregate are.
enum class AggregateKind : uint8_t {
  kTime,         // A Timestamp.
  kCount,        // A whole number of samples.
  kSampleValue,  // A value of the tag: a floating point number, or the integer that the tag's type holds.
  kShare,        // A floating point number without a unit, 0 to 1.
  kNumber,       // A floating point number computed from the tag's values.
};

// What an interval must have for the aggregate to have a value there.
enum class AggregateNeeds : uint8_t {
  kNothing,
  kSample,  // Of any quality.
  kUsableSample,
  kGoodTime,
};

struct AggregateInfo {
  Aggregate id;
  absl::string_view name;           // What people write.
  absl::string_view short_name;     // They may also write this. Empty: no short name.
  absl::string_view standard_name;  // The BrowseName in Part 13; else one of our own in that style.
  // Of the object AggregateFunction_<standard_name> in namespace 0; 0 where Part 13 has no such aggregate.
  uint32_t node_id;
  AggregateKind kind;
  AggregateNeeds needs;
  bool for_strings;  // String tags have it, too.

  bool is_standard() const { return node_id != 0; }
};

// In the order of their numbers. MinimumActualTime and MaximumActualTime of Part 13 are values that carry
// their times; ours are the times alone. Its PercentGood is 0 to 100 and not a share.
inline constexpr AggregateInfo kAggregates[] = {
    {Aggregate::kCount, "count", "", "Count", 2352, AggregateKind::kCount, AggregateNeeds::kNothing, true},
    {Aggregate::kMinimum, "minimum", "min", "Minimum", 2346, AggregateKind::kSampleValue,
     AggregateNeeds::kUsableSample, false},
    {Aggregate::kMinimumTime, "minimum-time", "min-time", "MinimumTime", 0, AggregateKind::kTime,
     AggregateNeeds::kUsableSample, false},
    {Aggregate::kMaximum, "maximum", "max", "Maximum", 2347, AggregateKind::kSampleValue,
     AggregateNeeds::kUsableSample, false},
    {Aggregate::kMaximumTime, "maximum-time", "max-time", "MaximumTime", 0, AggregateKind::kTime,
     AggregateNeeds::kUsableSample, false},
    {Aggregate::kSum, "sum", "", "Sum", 0, AggregateKind::kNumber, AggregateNeeds::kUsableSample, false},
    {Aggregate::kAverage, "average", "avg", "Average", 2342, AggregateKind::kNumber,
     AggregateNeeds::kUsableSample, false},
    {Aggregate::kTimeWeightedAverage, "time-weighted-average", "twa", "TimeAverage2", 11285,
     AggregateKind::kNumber, AggregateNeeds::kGoodTime, false},
    {Aggregate::kStandardDeviationSample, "standard-deviation-sample", "stddev", "StandardDeviationSample",
     11426, AggregateKind::kNumber, AggregateNeeds::kUsableSample, false},
    {Aggregate::kStandardDeviationPopulation, "standard-deviation-population", "stddev-population",
     "StandardDeviationPopulation", 11427, AggregateKind::kNumber, AggregateNeeds::kUsableSample, false},
    {Aggregate::kFirst, "first", "", "Start", 2357, AggregateKind::kSampleValue, AggregateNeeds::kSample,
     false},
    {Aggregate::kLast, "last", "", "End", 2358, AggregateKind::kSampleValue, AggregateNeeds::kSample, false},
    {Aggregate::kFirstTime, "first-time", "", "StartTime", 0, AggregateKind::kTime, AggregateNeeds::kSample,
     true},
    {Aggregate::kLastTime, "last-time", "", "EndTime", 0, AggregateKind::kTime, AggregateNeeds::kSample,
     true},
    {Aggregate::kRange, "range", "", "Range", 2350, AggregateKind::kNumber, AggregateNeeds::kUsableSample,
     false},
    {Aggregate::kGoodShare, "good-share", "", "GoodShare", 0, AggregateKind::kShare, AggregateNeeds::kNothing,
     true},
    {Aggregate::kSampleCount, "sample-count", "", "SampleCount", 0, AggregateKind::kCount,
     AggregateNeeds::kNothing, true},
};

// Null for a number that no aggregate has.
constexpr const AggregateInfo* FindAggregate(int64_t number) {
  for (const AggregateInfo& info : kAggregates) {
    if (static_cast<int64_t>(info.id) == number) return &info;
  }
  return nullptr;
}
// Null for a text that is neither a name nor a short name.
const AggregateInfo* FindAggregate(absl::string_view text);

// Requires that `aggregate` is one of the enum's.
const AggregateInfo& InfoOf(Aggregate aggregate);

// Whether its values of a tag of that type are integers, not floating point.
bool HasIntegers(Aggregate aggregate, ValueType type);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_MODEL_AGGREGATE_H_
