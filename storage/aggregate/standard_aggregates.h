// File: storage/aggregate/standard_aggregates.h
//
// The 37 aggregates of OPC UA Part 13 by standard name, and the configuration they are computed with. What each
// one computes is in direct_aggregates.h.
//
// Source: OPC 10000-13 v1.05 (OPC UA Part 13, Aggregates); clauses are cited by their numbers there.
#ifndef HISTORIAN_STORAGE_AGGREGATE_STANDARD_AGGREGATES_H_
#define HISTORIAN_STORAGE_AGGREGATE_STANDARD_AGGREGATES_H_

#include <cstdint>

#include "absl/status/status.h"
#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/model/value.h"

namespace historian {

// How aggregates are computed (4.2.1.2, AggregateConfiguration; OPC 10000-11, 5.2.2 for Stepped). The defaults
// are the standard's.
struct StandardAggregateConfig {
  // An Uncertain sample is as good as a Bad one: no value is taken from it. Else it is used, and what is made of
  // it is Uncertain. Aggregates whose definition says "Good" take no Uncertain sample either way.
  bool treat_uncertain_as_bad = true;
  // 0 to 100. A result is Bad when at least this share of what it is made of is Bad,
  int percent_data_bad = 100;
  // and Good when at least this share is Good; otherwise it is Uncertain. percent_data_good >= 100 - percent_data_bad.
  int percent_data_good = 100;
  // Past the newest value, an interpolated bound lies on the line through the last two. Else the last is held.
  bool use_sloped_extrapolation = false;
  // A value is held until the next one. Else it moves on a straight line. Bool, digital and string tags are stepped
  // whatever this says.
  bool stepped = false;
  // The unit of time of 5.4.2.4: what the newest value counts for, and how far EffectiveEndTime lies from an
  // interval's end. The standard's own examples have a millisecond.
  uint64_t resolution_ns = 1'000'000;
};

// Errors: InvalidArgument, a percentage outside 0 to 100, the two of them contradict each other, or the resolution
// is 0. The status code of the standard for this is Bad_AggregateInvalidInputs.
absl::Status ValidateConfig(const StandardAggregateConfig& config);

// In the order of the clauses that define them, 5.4.3.4 to 5.4.3.40.
enum class StandardAggregate : uint8_t {
  kInterpolative,
  kAverage,
  kTimeAverage,
  kTimeAverage2,
  kTotal,
  kTotal2,
  kMinimum,
  kMaximum,
  kMinimumActualTime,
  kMaximumActualTime,
  kRange,
  kMinimum2,
  kMaximum2,
  kMinimumActualTime2,
  kMaximumActualTime2,
  kRange2,
  kAnnotationCount,
  kCount,
  kDurationInStateZero,
  kDurationInStateNonZero,
  kNumberOfTransitions,
  kStart,
  kEnd,
  kDelta,
  kStartBound,
  kEndBound,
  kDeltaBounds,
  kDurationGood,
  kDurationBad,
  kPercentGood,
  kPercentBad,
  kWorstQuality,
  kWorstQuality2,
  kStandardDeviationSample,
  kVarianceSample,
  kStandardDeviationPopulation,
  kVariancePopulation,
};

// What the value of an aggregate is.
enum class StandardResult : uint8_t {
  kSource,      // A value of the tag, in the tag's type ("Same as Source").
  kDifference,  // Of two values of the tag: float64 and float32 as the tag, else int64.
  kNumber,      // A float64 in the tag's unit, or its square for variances, or its unit x seconds for totals.
  kDuration,    // A float64, milliseconds.
  kPercent,     // A float64, 0 to 100.
  kCount,       // An int64, not negative.
  kQuality,     // A quality: severity and sub-code (StatusCode), as an int64.
};

// The bounding values that an aggregate looks at (3.1.7).
enum class StandardBounds : uint8_t { kNone, kInterpolated, kSimple };

// How the status comes about (5.4.3.3).
enum class StandardStatus : uint8_t {
  kPercentValues,  // By the number of Good and Bad samples.
  kPercentTime,    // By the length of Good and Bad regions.
  kCustom,         // As the aggregate's clause says.
};

struct StandardAggregateInfo {
  StandardAggregate id;
  absl::string_view name;  // The BrowseName.
  uint32_t node_id;        // ns=0;i=... of AggregateFunction_<name>.
  int clause;              // 5.4.3.<clause>.
  StandardResult result;
  StandardBounds bounds;
  StandardStatus status;
  bool has_own_time;  // The result has the time of a sample; else that of the interval's start.
  bool sets_partial;  // The Partial bit applies to it.
  bool for_strings;   // Defined for string tags, too. All are defined for all other types.
};

// All 37, in the order of the enum.
absl::Span<const StandardAggregateInfo> StandardAggregates();
const StandardAggregateInfo& InfoOf(StandardAggregate aggregate);
// By BrowseName, exactly; null for any other text.
const StandardAggregateInfo* FindStandardAggregate(absl::string_view name);

// Numbers of a bool are 0 and 1, of a digital tag its codes.
bool IsDefinedFor(StandardAggregate aggregate, ValueType type);
// The type of the aggregate's values of a tag of that type. Requires IsDefinedFor.
ValueType ResultTypeOf(StandardAggregate aggregate, ValueType type);

// Whether values of the type lie on a line between samples: floats and int64.
constexpr bool CanSlope(ValueType type) { return IsFloat(type) || type == ValueType::kInt64; }

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_STANDARD_AGGREGATES_H_
