#include "storage/aggregate/figures.h"

#include <utility>
#include <vector>

namespace historian {

FigureRun MakeFigureRun(ValueType type, Interpolation interpolation, const IntervalGrid& grid, uint32_t parts,
                        const FigureMaker& maker, FoldedRun folded) {
  const size_t n = folded.size();
  if (n < 2) return FigureRun(std::move(folded));
  const Sample before = folded.last(0), behind = folded.first(n - 1);
  const Timestamp begin = grid.EndOfInterval(before.time);
  // Where the grid ends with all time, the last interval may be cut.
  const Timestamp last_end = grid.EndOfInterval(behind.time);
  if (last_end > kTimestampMax) return FigureRun(std::move(folded));
  const Timestamp end = last_end - static_cast<Timestamp>(grid.step);
  if (begin >= end) return FigureRun(std::move(folded));

  FoldedRun ends(parts);
  ends.Append(folded.Get(0));
  ends.Append(folded.Get(n - 1));
  ends.ShrinkToFit();
  std::vector<Timestamp> edges;
  for (Timestamp edge = begin; edge <= end; edge += static_cast<Timestamp>(grid.step)) edges.push_back(edge);
  FigureRun run(std::move(ends), begin, grid.step, edges.size() - 1, folded.first(1), folded.last(n - 2),
                maker.columns);
  const std::vector<FigureColumn> rows = run.Rows();
  IntervalFold fold(type, interpolation, edges, parts,
                    [&](size_t i, const Interval& interval) { maker.make(interval, i, rows); });
  const auto add = [&fold](const Sample& sample) {
    fold.Add({&sample.time, &sample.value, &sample.quality, nullptr, 1});
  };
  add(before);
  fold.AddFolded(folded, begin, end);
  add(behind);
  fold.Finish();
  run.Shrink();
  return run;
}

}  // namespace historian
