#include "storage/archive/folded_pages.h"

#include <algorithm>

#include "storage/model/status_macros.h"

namespace historian {
namespace {

// A summary takes as much memory as ten samples, and making it costs as much as folding them: intervals with
// fewer samples than this are folded anew each time.
constexpr uint64_t kSamplesWorthASummary = 32;

// The same for all times of an interval, and rising.
uint64_t IntervalOf(Timestamp t, const IntervalGrid& grid) {
  // Counted from the earliest time of all, so that there are no negative numbers.
  return (Elapsed(kTimestampMin, t) + (grid.step - grid.phase)) / grid.step;
}

}  // namespace

std::optional<IntervalGrid> IntervalGrid::Of(absl::Span<const Timestamp> edges) {
  if (edges.size() < 3) return std::nullopt;
  const uint64_t step = Elapsed(edges[0], edges[1]);
  for (size_t i = 2; i + 1 < edges.size(); ++i) {
    if (Elapsed(edges[i - 1], edges[i]) != step) return std::nullopt;
  }
  return IntervalGrid{step, Elapsed(kTimestampMin, edges[0]) % step};
}

bool FoldedPages::IsWorthwhile(const IntervalGrid& grid, const Summary& page) {
  const uint64_t intervals = Elapsed(page.first.time, page.last.time) / grid.step + 1;
  return page.count / kSamplesWorthASummary >= intervals;
}

absl::StatusOr<std::shared_ptr<const FoldedPage>> FoldedPages::Get(const StoredHead& head, size_t i,
                                                                   const IntervalGrid& grid, uint32_t parts,
                                                                   PageReader& pages) {
  using Loaded = LruCache<Key, FoldedPage>::Loaded;
  const Key key = {head.id, static_cast<uint32_t>(i), parts, grid};
  return pages_.Get(key, [&]() -> absl::StatusOr<Loaded> {
    ASSIGN_OR_RETURN(const std::shared_ptr<const Samples> samples, pages.Read(head, i));
    auto folded = std::make_shared<const FoldedPage>(head.head.type, samples->View(), grid, parts);
    const size_t bytes = folded->MemoryBytes();
    return Loaded{std::move(folded), bytes};
  });
}

FoldedPage::FoldedPage(ValueType type, const SamplesView& samples, const IntervalGrid& grid, uint32_t parts) {
  const size_t intervals =
      IntervalOf(samples.times[samples.size - 1], grid) - IntervalOf(samples.times[0], grid) + 1;
  runs_.reserve(intervals);
  if ((parts & kExtremes) != 0) extremes_.reserve(intervals);
  if ((parts & kSums) != 0) sums_.reserve(intervals);
  for (size_t begin = 0; begin < samples.size;) {
    const uint64_t interval = IntervalOf(samples.times[begin], grid);
    const Timestamp* const end =
        std::partition_point(samples.times + begin, samples.times + samples.size,
                             [&](Timestamp t) { return IntervalOf(t, grid) == interval; });
    const size_t size = static_cast<size_t>(end - samples.times) - begin;
    const Summary s = Summarize(type, samples.Slice(begin, size), parts);
    runs_.push_back({s.first, s.last, s.good_ns, s.uncertain_ns, static_cast<uint32_t>(s.count),
                     static_cast<uint32_t>(s.good), static_cast<uint32_t>(s.uncertain)});
    if ((parts & kExtremes) != 0) extremes_.push_back({s.min, s.max});
    if ((parts & kSums) != 0) sums_.push_back(s.sum);
    if ((parts & kSquares) != 0) squares_.push_back(s.sum_of_squares);
    if ((parts & kAreaStepped) != 0) stepped_.push_back(s.area_stepped);
    if ((parts & kAreaSloped) != 0) sloped_.push_back(s.area_sloped);
    begin += size;
  }
}

void FoldedPage::Get(size_t i, Summary* summary) const {
  const Run& run = runs_[i];
  summary->first = run.first;
  summary->last = run.last;
  summary->good_ns = run.good_ns;
  summary->uncertain_ns = run.uncertain_ns;
  summary->count = run.count;
  summary->good = run.good;
  summary->uncertain = run.uncertain;
  if (!extremes_.empty()) {
    summary->min = extremes_[i].min;
    summary->max = extremes_[i].max;
  }
  if (!sums_.empty()) summary->sum = sums_[i];
  if (!squares_.empty()) summary->sum_of_squares = squares_[i];
  if (!stepped_.empty()) summary->area_stepped = stepped_[i];
  if (!sloped_.empty()) summary->area_sloped = sloped_[i];
}

size_t FoldedPage::MemoryBytes() const {
  return sizeof(FoldedPage) + runs_.capacity() * sizeof(Run) + extremes_.capacity() * sizeof(Extremes) +
         (sums_.capacity() + squares_.capacity() + stepped_.capacity() + sloped_.capacity()) *
             sizeof(ExactSum);
}

}  // namespace historian
