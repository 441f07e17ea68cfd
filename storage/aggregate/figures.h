// File: storage/aggregate/figures.h
//
// How figures of intervals are made, and kept of a run: see figure_run.h.
#ifndef HISTORIAN_STORAGE_AGGREGATE_FIGURES_H_
#define HISTORIAN_STORAGE_AGGREGATE_FIGURES_H_

#include <cstddef>
#include <cstdint>
#include <functional>
#include <string>

#include "storage/aggregate/figure_run.h"
#include "storage/aggregate/folded_run.h"
#include "storage/aggregate/grid_fold.h"
#include "storage/aggregate/interval_fold.h"
#include "storage/model/tag.h"

namespace historian {

struct FigureMaker {
  // Makers with one id make the same of the same interval.
  std::string id;
  size_t columns = 0;
  uint32_t parts = 0;  // SummaryParts that it looks at.
  // Fills row i of every column. On any thread, on several at once.
  std::function<void(const Interval& interval, size_t i, FigureTable to)> make;
};

// What the run's finished intervals amount to, the interval of a grid it was folded into. `parts` are those
// of the fold it is for (IntervalFold::parts).
FigureRun MakeFigureRun(ValueType type, Interpolation interpolation, const IntervalGrid& grid, uint32_t parts,
                        const FigureMaker& maker, FoldedRun folded);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_FIGURES_H_
