// File: storage/aggregate/at_time.h
//
// The value of a tag at a time, from its neighbours (OPC 10000-13, 3.1.8 interpolated bounding values and
// 5.4.3.4 Interpolative).
#ifndef HISTORIAN_STORAGE_AGGREGATE_AT_TIME_H_
#define HISTORIAN_STORAGE_AGGREGATE_AT_TIME_H_

#include <optional>

#include "storage/aggregate/summary.h"
#include "storage/model/tag.h"

namespace historian {

// The samples around a time t. Each is unset if there is no such sample.
struct Neighbours {
  std::optional<Sample> exact;   // The sample at t itself, whatever its quality.
  std::optional<Sample> before;  // The nearest before t that counts.
  std::optional<Sample> after;   // The nearest after t that counts.
  bool skipped = false;  // A sample that does not count lies between before and after, not at t itself.
};

struct ValueAtTime {
  // Unset if there is no value; the quality says why. For float32 tags the bits are those of a float32; for
  // int64 tags a sloped value is rounded to the nearest integer.
  std::optional<ValueBits> value;
  Quality quality = kBadNoData;
};

// A neighbour *counts* when it is usable, or, with uncertain_as_bad false, Uncertain and finite.
bool CountsAsBound(ValueType type, ValueBits value, Quality quality, bool uncertain_as_bad);

// Returns the value at t. Requires that `before` and `after` count, and lie where their names say.
//
//   exact, and it counts                the sample as it is
//   before and after, sloped            on the line between them (OnLine); Interpolated
//   before, stepped                     its value; Interpolated
//   before only, sloped                 its value, UncertainDataSubNormal, Interpolated
//   no before                           no value, BadNoData
//
// The quality of an interpolated value is Good when its bounds are Good (stepped: before alone is its bound)
// and nothing was skipped between them, the sample at t included, else UncertainDataSubNormal. Past the
// newest sample it is always UncertainDataSubNormal. Only floats and int64 slope; other types are stepped.
// For strings `value` is 0 and the caller takes the text of `before`, or of `exact`.
ValueAtTime InterpolateAt(ValueType type, Interpolation interpolation, Timestamp t,
                          const Neighbours& neighbours, bool uncertain_as_bad);

// The value at t of the straight line from (ta, a) to (tb, b), in double:
//   a + (b - a) * ((t - ta) / (tb - ta))
// kept between a and b whatever rounding does. Requires ta <= t <= tb, ta < tb, a and b finite.
double OnLine(Timestamp ta, double a, Timestamp tb, double b, Timestamp t);

// Whether values of the type lie on a line between samples: floats and int64.
constexpr bool CanSlope(ValueType type) { return IsFloat(type) || type == ValueType::kInt64; }

// The value at t of the line through two samples, past the second: b + (b - a) * ((t - tb) / (tb - ta)), in double, and
// as the type has it. Nothing if that leaves the type's values. Requires a type that slopes, a.time < b.time < t.
struct ValueAhead {
  double number = 0;
  ValueBits bits = 0;
};
std::optional<ValueAhead> ExtrapolateTo(ValueType type, const Sample& a, const Sample& b, Timestamp t);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_AT_TIME_H_
