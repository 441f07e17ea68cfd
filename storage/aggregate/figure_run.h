// File: storage/aggregate/figure_run.h
//
// Figures are the few numbers that a caller makes of each interval of a fold: an average, say, and its
// status. They depend on the interval alone, so those of intervals that a run of samples fills can be made
// once, cached, and copied into answer after answer.
//
//   samples           a  b c | d e | f | g   h       a run, from the sample a to the sample h
//   intervals      [0        )[1   )[2 )[3       )   1 and 2 are *finished*: their figures are here
//                  |--head--|           |-tail-|     0 and 3 are shared with what lies before and behind
#ifndef HISTORIAN_STORAGE_AGGREGATE_FIGURE_RUN_H_
#define HISTORIAN_STORAGE_AGGREGATE_FIGURE_RUN_H_

#include <cstddef>
#include <cstdint>
#include <cstring>
#include <vector>

#include "absl/types/span.h"
#include "storage/aggregate/summary.h"
#include "storage/model/quality.h"
#include "storage/model/value.h"

namespace historian {

// Where the figures of intervals go: row i of a column is that of interval i. A figure is 64 bits, of
// whatever its maker says; its status is a quality.
struct FigureColumn {
  void* values = nullptr;  // 64 bits a row: ValueBits, or the doubles or integers that they are the bits of.
  Quality* statuses = nullptr;

  void Set(size_t row, ValueBits value, Quality status) const {
    std::memcpy(static_cast<char*>(values) + row * sizeof(value), &value, sizeof(value));
    statuses[row] = status;
  }
  // The rows from that one on.
  FigureColumn From(size_t row) const {
    return {static_cast<char*>(values) + row * sizeof(ValueBits), statuses + row};
  }
};
using FigureTable = absl::Span<const FigureColumn>;

// Made by a FigureRunBuilder (figures.h); immutable from then on.
class FigureRun {
 public:
  // What is not finished, and the neighbours of what is.
  struct Ends {
    Summary head;  // Of the run's samples in its first interval.
    Summary tail;  // Of those in its last one; of no samples where that is the first.
    Sample first;  // The first sample behind the head.
    Sample last;   // The last sample before the tail.
  };

  // With room for the figures of `finished` intervals: they begin at `begin`, each `step` long.
  FigureRun(Timestamp begin, uint64_t step, size_t finished, size_t columns);
  // The room, to be filled by the maker.
  std::vector<FigureColumn> Rows();
  // Ends the making.
  void Complete(const Ends& ends);

  const Summary& head() const { return ends_.head; }
  const Summary& tail() const { return ends_.tail; }

  size_t finished() const { return finished_; }
  // Requires finished intervals: where they begin and end, and how long each is.
  Timestamp begin() const { return begin_; }
  Timestamp end() const { return static_cast<Timestamp>(static_cast<uint64_t>(begin_) + finished_ * step_); }
  uint64_t step() const { return step_; }
  const Sample& first() const { return ends_.first; }
  const Sample& last() const { return ends_.last; }
  // Copies the figures of `count` finished intervals, the first of them `from`, to rows that begin at `to`.
  void CopyTo(size_t from, size_t count, size_t to, FigureTable table) const;

  size_t MemoryBytes() const;

 private:
  struct Column {
    std::vector<ValueBits> values;
    std::vector<Quality> statuses;  // One, when all are the same.
  };

  Timestamp begin_;
  uint64_t step_;
  size_t finished_;
  Ends ends_;
  std::vector<Column> columns_;
};

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_FIGURE_RUN_H_
