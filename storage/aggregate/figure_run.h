// File: storage/aggregate/figure_run.h
//
// Figures are the few numbers that a caller makes of each interval of a fold: an average, say, and its
// status. They depend on the interval alone, so those of intervals that a run of samples fills can be made
// once, kept, and copied into answer after answer.
//
//   samples           a  b c | d e | f | g   h       a run, ended by the samples a and h
//   intervals      [0        )[1   )[2 )[3       )   1 and 2 are *finished*: their figures are here
//                  |-part-|               |-part|    0 and 3 are shared with what lies before and behind
#ifndef HISTORIAN_STORAGE_AGGREGATE_FIGURE_RUN_H_
#define HISTORIAN_STORAGE_AGGREGATE_FIGURE_RUN_H_

#include <cstddef>
#include <cstdint>
#include <utility>
#include <vector>

#include "absl/types/span.h"
#include "storage/aggregate/folded_run.h"
#include "storage/aggregate/summary.h"
#include "storage/model/quality.h"
#include "storage/model/value.h"

namespace historian {

// Where the figures of intervals go: row i of a column is that of interval i. A figure is 64 bits, of
// whatever its maker says; its status is a quality.
struct FigureColumn {
  ValueBits* values = nullptr;
  Quality* statuses = nullptr;
};
using FigureTable = absl::Span<const FigureColumn>;

// Immutable once made (figures.h).
class FigureRun {
 public:
  // No interval is finished.
  explicit FigureRun(FoldedRun parts) : parts_(std::move(parts)) {}
  // `parts` are the first and the last; finished intervals begin at `begin`, each `step` long. `first` and
  // `last`: the sample behind the first part, and the one before the last.
  FigureRun(FoldedRun parts, Timestamp begin, uint64_t step, size_t finished, const Sample& first,
            const Sample& last, size_t columns);

  // Of the intervals that are not finished. Each stands for all samples of the run in its interval.
  const FoldedRun& parts() const { return parts_; }

  size_t finished() const { return finished_; }
  // Requires finished intervals: where they begin and end, and how long each is.
  Timestamp begin() const { return begin_; }
  Timestamp end() const { return static_cast<Timestamp>(static_cast<uint64_t>(begin_) + finished_ * step_); }
  uint64_t step() const { return step_; }
  const Sample& first() const { return first_; }
  const Sample& last() const { return last_; }

  // To be filled before the run is shared, all rows; then Shrink().
  std::vector<FigureColumn> Rows();
  void Shrink();

  // Copies rows [from, from + count) of the finished intervals to rows `to` and following.
  void CopyTo(size_t from, size_t count, size_t to, FigureTable table) const;

  size_t MemoryBytes() const;

 private:
  struct Column {
    std::vector<ValueBits> values;
    std::vector<Quality> statuses;  // One, when all are the same.
  };

  FoldedRun parts_;
  Timestamp begin_ = 0;
  uint64_t step_ = 0;
  size_t finished_ = 0;
  Sample first_, last_;
  std::vector<Column> columns_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_FIGURE_RUN_H_
