// File: storage/aggregate/grid_fold.h
//
// Folds a run of samples into the intervals of a grid, without what lies between the intervals: the result
// stands for the run in any IntervalFold over that grid.
#ifndef HISTORIAN_STORAGE_AGGREGATE_GRID_FOLD_H_
#define HISTORIAN_STORAGE_AGGREGATE_GRID_FOLD_H_

#include <cstdint>
#include <optional>

#include "absl/types/span.h"
#include "storage/aggregate/folded_run.h"
#include "storage/aggregate/run_fold.h"
#include "storage/aggregate/summary.h"

namespace historian {

// Intervals of equal length: [phase + k * step, phase + (k + 1) * step) for whole k, counted from the
// earliest time of all; 0 <= phase < step.
struct IntervalGrid {
  uint64_t step = 0;
  uint64_t phase = 0;

  // The grid of all edges but the last; nothing when they are not equally far apart, or fewer than three.
  static std::optional<IntervalGrid> Of(absl::Span<const Timestamp> edges);

  // The same for all times of an interval, and rising.
  uint64_t IntervalOf(Timestamp t) const { return (Elapsed(kTimestampMin, t) + (step - phase)) / step; }
  // Where the interval of t ends, or all time does.
  Timestamp EndOfInterval(Timestamp t) const;

  friend bool operator==(const IntervalGrid&, const IntervalGrid&) = default;
};

// Fed with samples and summaries in order of time. Threads: one fold, one thread.
class GridFold {
 public:
  GridFold(ValueType type, const IntervalGrid& grid, uint32_t parts)
      : type_(type), grid_(grid), parts_(parts), fold_(type, parts), folded_(parts) {}

  uint32_t parts() const { return parts_; }
  bool FitsOneInterval(Timestamp first, Timestamp last) const {
    return open_.count > 0 && first < end_ ? last < end_ : last < grid_.EndOfInterval(first);
  }
  // Requires that it fits, and the asked parts in it.
  void AddSummary(const Summary& summary);
  void Add(const SamplesView& samples);

  // Ends the fold.
  FoldedRun Finish();

 private:
  // Makes the interval of t, which is not before what was fed, the open one.
  void Open(Timestamp t);

  const ValueType type_;
  const IntervalGrid grid_;
  const uint32_t parts_;
  RunFold fold_;
  Summary open_;       // Of the newest interval so far.
  Timestamp end_ = 0;  // Of that.
  size_t run_size_ = 0;
  FoldedRun folded_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_GRID_FOLD_H_
