#include "storage/aggregate/grid_fold.h"

#include <utility>

#include "storage/aggregate/run_end.h"

namespace historian {

std::optional<IntervalGrid> IntervalGrid::Of(absl::Span<const Timestamp> edges) {
  if (edges.size() < 3) return std::nullopt;
  const uint64_t step = Elapsed(edges[0], edges[1]);
  for (size_t i = 2; i + 1 < edges.size(); ++i) {
    if (Elapsed(edges[i - 1], edges[i]) != step) return std::nullopt;
  }
  return IntervalGrid{step, Elapsed(kTimestampMin, edges[0]) % step};
}

Timestamp IntervalGrid::EndOfInterval(Timestamp t) const {
  // Of grids of two steps and more within all time, no product here exceeds 64 bits.
  const uint64_t end = IntervalOf(t) * step + phase;
  if (end > Elapsed(kTimestampMin, kTimestampMax)) return kTimestampMax + 1;
  return static_cast<Timestamp>(static_cast<uint64_t>(kTimestampMin) + end);
}

void GridFold::Open(Timestamp t) {
  if (open_.count > 0) {
    if (t < end_) return;
    folded_.Append(open_);
    open_ = Summary();
  }
  end_ = grid_.EndOfInterval(t);
}

void GridFold::AddSummary(const Summary& summary) {
  if (summary.count == 0) return;
  Open(summary.first.time);
  Merge(type_, summary, &open_, parts_);
}

void GridFold::Add(const SamplesView& samples) {
  for (size_t begin = 0; begin < samples.size; begin += run_size_) {
    Open(samples.times[begin]);
    const Timestamp* const times = samples.times + begin;
    run_size_ = EndOfRun(times, samples.size - begin, end_, run_size_) - times;
    // What an interval has already, from the page before, is joined by the segment between.
    Summary more;
    Summary* const to = open_.count == 0 ? &open_ : &more;
    fold_.Add(samples.Slice(begin, run_size_), to,
              {.good_ns = &to->good_ns,
               .uncertain_ns = &to->uncertain_ns,
               .area_stepped = &to->area_stepped,
               .area_sloped = &to->area_sloped});
    if (to == &more) Merge(type_, more, &open_, parts_);
  }
}

FoldedRun GridFold::Finish() {
  if (open_.count > 0) folded_.Append(open_);
  open_ = Summary();
  folded_.ShrinkToFit();
  return std::move(folded_);
}

}  // namespace historian
