#include "storage/aggregate/folded_run.h"

#include <algorithm>

namespace historian {

bool FoldedRun::IsPlain(const Summary& s) {
  return (s.first.quality | s.last.quality | s.min.quality | s.max.quality) == kGood && s.good == s.count &&
         s.count <= UINT32_MAX && s.good_ns == Elapsed(s.first.time, s.last.time);
}

FoldedRun::Mixture FoldedRun::PlainMixture(size_t i) const {
  return {.count = counts_[i],
          .good = counts_[i],
          .uncertain = 0,
          .good_ns = Elapsed(spans_[i].first_time, spans_[i].last_time),
          .uncertain_ns = 0,
          .first = kGood,
          .last = kGood,
          .min = kGood,
          .max = kGood};
}

void FoldedRun::Append(const Summary& s) {
  if (!mixtures_.empty() || !IsPlain(s)) {
    for (size_t i = mixtures_.size(); i < size(); ++i) mixtures_.push_back(PlainMixture(i));
    mixtures_.push_back({s.count, s.good, s.uncertain, s.good_ns, s.uncertain_ns, s.first.quality,
                         s.last.quality, s.min.quality, s.max.quality});
  }
  spans_.push_back({s.first.time, s.last.time, s.first.value, s.last.value});
  counts_.push_back(static_cast<uint32_t>(s.count));
  if ((parts_ & kExtremes) != 0) extremes_.push_back({s.min.time, s.max.time, s.min.value, s.max.value});
  if ((parts_ & kSums) != 0) sums_.Append(s.sum);
  if ((parts_ & kSquares) != 0) squares_.Append(s.sum_of_squares);
  if ((parts_ & kAreaStepped) != 0) stepped_.Append(s.area_stepped);
  if ((parts_ & kAreaSloped) != 0) sloped_.Append(s.area_sloped);
}

void FoldedRun::ShrinkToFit() {
  spans_.shrink_to_fit();
  counts_.shrink_to_fit();
  mixtures_.shrink_to_fit();
  extremes_.shrink_to_fit();
  for (SumColumn* column : {&sums_, &squares_, &stepped_, &sloped_}) column->ShrinkToFit();
}

size_t FoldedRun::FirstAtOrAfter(Timestamp t) const {
  const auto at = std::partition_point(spans_.begin(), spans_.end(),
                                       [t](const Span& span) { return span.first_time < t; });
  return at - spans_.begin();
}

void FoldedRun::GetTally(size_t i, Tally* tally) const {
  const Span& span = spans_[i];
  tally->first = {span.first_time, span.first, kGood};
  tally->last = {span.last_time, span.last, kGood};
  tally->count = tally->good = counts_[i];
  tally->uncertain = 0;
  if (!extremes_.empty()) {
    const Extremes& extremes = extremes_[i];
    tally->min = {extremes.min_time, extremes.min, kGood};
    tally->max = {extremes.max_time, extremes.max, kGood};
  }
  if (!mixtures_.empty()) {
    const Mixture& mixture = mixtures_[i];
    tally->count = mixture.count;
    tally->good = mixture.good;
    tally->uncertain = mixture.uncertain;
    tally->first.quality = mixture.first;
    tally->last.quality = mixture.last;
    tally->min.quality = mixture.min;
    tally->max.quality = mixture.max;
  }
  if (!sums_.empty()) sums_.Get(i, &tally->sum);
  if (!squares_.empty()) squares_.Get(i, &tally->sum_of_squares);
}

Summary FoldedRun::Get(size_t i) const {
  Summary summary;
  GetTally(i, &summary);
  summary.good_ns = good_ns(i);
  summary.uncertain_ns = uncertain_ns(i);
  if (!stepped_.empty()) summary.area_stepped = area_stepped(i);
  if (!sloped_.empty()) summary.area_sloped = area_sloped(i);
  return summary;
}

size_t FoldedRun::MemoryBytes() const {
  return sizeof(FoldedRun) + spans_.capacity() * sizeof(Span) + counts_.capacity() * sizeof(uint32_t) +
         mixtures_.capacity() * sizeof(Mixture) + extremes_.capacity() * sizeof(Extremes) +
         sums_.MemoryBytes() + squares_.MemoryBytes() + stepped_.MemoryBytes() + sloped_.MemoryBytes();
}

}  // namespace historian
