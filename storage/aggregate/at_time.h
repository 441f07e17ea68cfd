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

// What lies around a time t. Nothing where there is none.
struct Neighbours {
  std::optional<Sample> exact;   // The sample at t itself, whatever its quality.
  std::optional<Sample> before;  // Nearest before t that counts.
  std::optional<Sample> after;   // Nearest after t that counts.
  bool skipped = false;          // A sample that does not count lies between before and after.
};

struct ValueAtTime {
  // Nothing: no value (the quality says why). float32 tags keep bits of float32, int64 tags sloped round to nearest.
  std::optional<ValueBits> value;
  Quality quality = kBadNoData;
};

// A neighbour *counts* when it is usable, or, with uncertain_as_bad false, Uncertain and finite.
bool CountsAsBound(ValueType type, ValueBits value, Quality quality, bool uncertain_as_bad);

//   exact, and it counts                the sample as it is
//   before and after, sloped            on the line between them; Interpolated
//   before, stepped                     its value; Interpolated
//   before only, sloped                 its value, UncertainDataSubNormal, Interpolated
//   no before                           no value, BadNoData
// The quality of an interpolated value is Good when its bounds are Good and nothing was skipped between them,
// else UncertainDataSubNormal. Past the newest sample it is always UncertainDataSubNormal. For strings, stepped: `value` is 0
// and the caller takes the text of `before`.
ValueAtTime InterpolateAt(ValueType type, Interpolation interpolation, Timestamp t, const Neighbours& neighbours);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_AT_TIME_H_
