#include "storage/archive/folded_runs.h"

#include <algorithm>

#include "storage/model/status_macros.h"

namespace historian {
namespace {

// A summary takes as much memory as ten samples, and making it costs as much as folding them: intervals with
// fewer samples than this are folded anew each time.
constexpr uint64_t kSamplesWorthASummary = 16;

}  // namespace

std::optional<IntervalGrid> IntervalGrid::Of(absl::Span<const Timestamp> edges) {
  if (edges.size() < 3) return std::nullopt;
  const uint64_t step = Elapsed(edges[0], edges[1]);
  for (size_t i = 2; i + 1 < edges.size(); ++i) {
    if (Elapsed(edges[i - 1], edges[i]) != step) return std::nullopt;
  }
  return IntervalGrid{step, Elapsed(kTimestampMin, edges[0]) % step};
}

void GridFold::AddSummary(const Summary& summary) {
  if (!summaries_.empty() && FitsOneInterval(summaries_.back().last.time, summary.first.time)) {
    Merge(type_, summary, &summaries_.back(), parts_);
  } else {
    summaries_.push_back(summary);
  }
}

void GridFold::Add(const SamplesView& samples) {
  for (size_t begin = 0; begin < samples.size;) {
    const uint64_t interval = grid_.IntervalOf(samples.times[begin]);
    const Timestamp* const end =
        std::partition_point(samples.times + begin, samples.times + samples.size,
                             [&](Timestamp t) { return grid_.IntervalOf(t) == interval; });
    const size_t size = static_cast<size_t>(end - samples.times) - begin;
    AddSummary(Summarize(type_, samples.Slice(begin, size), parts_));
    begin += size;
  }
}

bool FoldedRuns::IsWorthwhile(const IntervalGrid& grid, uint64_t samples, Timestamp first, Timestamp last) {
  return samples / kSamplesWorthASummary >= Elapsed(first, last) / grid.step + 1;
}

absl::StatusOr<std::shared_ptr<const FoldedRun>> FoldedRuns::Get(
    const Key& key, absl::FunctionRef<absl::StatusOr<FoldedRun>()> fold) {
  using Loaded = LruCache<Key, FoldedRun>::Loaded;
  return runs_.Get(key, [&]() -> absl::StatusOr<Loaded> {
    ASSIGN_OR_RETURN(FoldedRun folded, fold());
    auto shared = std::make_shared<const FoldedRun>(std::move(folded));
    const size_t bytes = shared->MemoryBytes();
    return Loaded{std::move(shared), bytes};
  });
}

FoldedRun::FoldedRun(const std::vector<Summary>& summaries, uint32_t parts) {
  runs_.reserve(summaries.size());
  for (const Summary& s : summaries) {
    runs_.push_back({s.first, s.last, s.good_ns, s.uncertain_ns, s.count, s.good, s.uncertain});
  }
  if ((parts & kExtremes) != 0) {
    extremes_.reserve(summaries.size());
    for (const Summary& s : summaries) extremes_.push_back({s.min, s.max});
  }
  const auto keep = [&](uint32_t part, ExactSum Summary::*field, std::vector<ExactSum>* sums) {
    if ((parts & part) == 0) return;
    sums->reserve(summaries.size());
    for (const Summary& s : summaries) sums->push_back(s.*field);
  };
  keep(kSums, static_cast<ExactSum Summary::*>(&Summary::sum), &sums_);
  keep(kSquares, static_cast<ExactSum Summary::*>(&Summary::sum_of_squares), &squares_);
  keep(kAreaStepped, &Summary::area_stepped, &stepped_);
  keep(kAreaSloped, &Summary::area_sloped, &sloped_);
}

void FoldedRun::Get(size_t i, Summary* summary) const {
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

size_t FoldedRun::MemoryBytes() const {
  return sizeof(FoldedRun) + runs_.capacity() * sizeof(Run) + extremes_.capacity() * sizeof(Extremes) +
         (sums_.capacity() + squares_.capacity() + stepped_.capacity() + sloped_.capacity()) *
             sizeof(ExactSum);
}

}  // namespace historian
