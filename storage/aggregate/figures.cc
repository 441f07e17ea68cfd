#include "storage/aggregate/figures.h"

#include <algorithm>
#include <utility>

#include "storage/model/check.h"

namespace historian {
namespace {

size_t FinishedBetween(Timestamp begin, Timestamp end, uint64_t step) {
  return begin < end ? Elapsed(begin, end) / step : 0;
}

}  // namespace

bool FigureRunBuilder::CanCache(const Sample& first, const Sample& last) {
  return CodeOf(first.quality) != kBadNoData && CodeOf(last.quality) != kBadNoData;
}

FigureRunBuilder::FigureRunBuilder(ValueType type, const FoldConfig& config, const EvenIntervals& intervals,
                                   uint32_t parts, const FigureMaker& maker, Timestamp first, Timestamp last)
    : type_(type),
      parts_(parts),
      begin_(intervals.EndOfInterval(first)),
      end_(std::max(begin_, intervals.BeginOfInterval(last))),
      run_(begin_, intervals.step, FinishedBetween(begin_, end_, intervals.step), maker.columns) {
  if (run_.finished() == 0) return;
  for (size_t i = 0; i <= run_.finished(); ++i) {
    edges_.push_back(static_cast<Timestamp>(static_cast<uint64_t>(begin_) + i * intervals.step));
  }
  rows_ = run_.Rows();
  fold_.emplace(type, config, edges_, parts | (maker.parts & kIntervalParts),
                [this, &maker](size_t i, const Interval& interval) { maker.make(interval, i, rows_); });
}

bool FigureRunBuilder::FitsOneInterval(Timestamp first, Timestamp last) const {
  if (last < begin_ || first >= end_) return true;
  return first >= begin_ && last < end_ && fold_->FitsOneInterval(first, last);
}

bool FigureRunBuilder::Suffices(const Summary& summary, bool is_all) const {
  return (parts_ & ~summary.parts & ~(is_all ? uint32_t{kRepeats} : 0)) == 0;
}

void FigureRunBuilder::AddSummary(const Summary& summary) {
  if (summary.count == 0) return;
  Enter(summary.first);
  if (summary.last.time < begin_) {
    Merge(type_, summary, &ends_.head, parts_);
  } else if (summary.first.time >= end_) {
    Merge(type_, summary, &ends_.tail, parts_);
  } else {
    fold_->AddSummary(summary);
    ends_.last = summary.last;
  }
}

void FigureRunBuilder::Add(const SamplesView& samples) {
  const auto sample_at = [&](size_t i) {
    return Sample{samples.times[i], IsNumeric(type_) ? samples.values[i] : 0, samples.QualityAt(i)};
  };
  const auto before = [&](Timestamp t) -> size_t {
    if (samples.size == 0 || samples.times[samples.size - 1] < t) return samples.size;
    return std::lower_bound(samples.times, samples.times + samples.size, t) - samples.times;
  };
  const size_t head = before(begin_), rest = before(end_);
  AddToEnd(samples.Slice(0, head), &ends_.head);
  if (head < rest) {
    Enter(sample_at(head));
    fold_->Add(samples.Slice(head, rest - head));
    ends_.last = sample_at(rest - 1);
  }
  if (rest < samples.size) {
    Enter(sample_at(rest));
    AddToEnd(samples.Slice(rest, samples.size - rest), &ends_.tail);
  }
}

void FigureRunBuilder::Enter(const Sample& next) {
  if (next.time < begin_) return;
  if (!has_first_) {
    HISTORIAN_CHECK(ends_.head.count > 0);
    has_first_ = true;
    ends_.first = next;
    ends_.last = ends_.head.last;
    if (fold_.has_value()) Feed(ends_.head.last);
  }
  if (fold_.has_value() && next.time >= end_ && ends_.tail.count == 0) Feed(next);
}

void FigureRunBuilder::AddToEnd(const SamplesView& samples, Summary* end) {
  if (samples.size > 0) Merge(type_, Summarize(type_, samples, parts_), end, parts_);
}

FigureRun FigureRunBuilder::Finish() {
  if (fold_.has_value()) {
    HISTORIAN_CHECK(ends_.tail.count > 0);
    fold_->Finish();
  }
  run_.Complete(ends_);
  return std::move(run_);
}

}  // namespace historian
