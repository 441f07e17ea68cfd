// File: storage/aggregate/even_intervals.h
//
// Intervals of equal length over all time: those that a trend asks for, and whose figures can be cached.
#ifndef HISTORIAN_STORAGE_AGGREGATE_EVEN_INTERVALS_H_
#define HISTORIAN_STORAGE_AGGREGATE_EVEN_INTERVALS_H_

#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "storage/model/timestamp.h"

namespace historian {

// [phase + k * step, phase + (k + 1) * step) for whole k, in nanoseconds since the earliest time of all;
// 0 <= phase < step.
struct EvenIntervals {
  uint64_t step = 0;
  uint64_t phase = 0;

  // Those of all edges but the last; nothing when they are not equally far apart, or fewer than three.
  static std::optional<EvenIntervals> Of(absl::Span<const Timestamp> edges);

  // The same for all times of an interval, and rising.
  uint64_t IntervalOf(Timestamp t) const { return (Elapsed(kTimestampMin, t) + (step - phase)) / step; }
  // Where the interval of t begins and ends; or all time does.
  Timestamp BeginOfInterval(Timestamp t) const;
  Timestamp EndOfInterval(Timestamp t) const;

  friend bool operator==(const EvenIntervals&, const EvenIntervals&) = default;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_EVEN_INTERVALS_H_
