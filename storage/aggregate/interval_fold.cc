#include "storage/aggregate/interval_fold.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "storage/aggregate/at_time.h"
#include "storage/aggregate/run_end.h"
#include "storage/model/check.h"

namespace historian {
namespace {

bool IsPlaceholder(Quality quality) { return CodeOf(quality) == kBadNoData; }

Timestamp Later(Timestamp t, uint64_t ns) {
  return ns >= Elapsed(t, Interval::kNoEnd) ? Interval::kNoEnd
                                            : static_cast<Timestamp>(static_cast<uint64_t>(t) + ns);
}

Sample SampleAt(ValueType type, const SamplesView& samples, size_t i) {
  return {samples.times[i], IsNumeric(type) ? samples.values[i] : 0, samples.QualityAt(i)};
}

// The part of summaries that has the area under straight lines.
uint32_t LinePart(ValueType type) { return CanSlope(type) ? kAreaSloped : kAreaStepped; }

}  // namespace

void Interval::Clear(bool details) {
  start = end = 0;
  samples.Clear(details);
  good_ns = uncertain_ns = bad_ns = unsure_ns = zero_ns = 0;
  area.Clear();
  data_end = kNoEnd;
  before.reset();
  after.reset();
  if (!details) return;
  uncertain = Uncertain();
  first_counted.reset();
  last_counted.reset();
  transitions = 0;
  counted_before.reset();
  counted_after.reset();
  second_before.reset();
  line_area.Clear();
}

IntervalSink AppendTo(std::vector<Interval>* intervals) {
  return [intervals](size_t, const Interval& interval) { intervals->push_back(interval); };
}

bool FoldSource::Is(Kind kind, ValueType type, const Sample& sample) {
  switch (kind) {
    case Kind::kAny:
      return true;
    case Kind::kUsable:
      return CountsAsBound(type, sample.value, sample.quality, true);
    case Kind::kCounted:
      return CountsAsBound(type, sample.value, sample.quality, false);
    case Kind::kData:
      return !IsPlaceholder(sample.quality);
  }
  return false;
}

IntervalFold::IntervalFold(ValueType type, const FoldConfig& config, absl::Span<const Timestamp> edges,
                           uint32_t parts, IntervalSink sink, FoldSource* source)
    : type_(type),
      config_(config),
      edges_(edges),
      parts_(PartsFor(type, config.interpolation, parts)),
      wants_area_(IsNumeric(type) && (parts & kAreas) != 0),
      sink_(std::move(sink)),
      source_(source),
      fold_(type, this->parts()) {
  HISTORIAN_CHECK(edges.size() >= 2);
  for (size_t i = 0; i + 1 < edges.size(); ++i) HISTORIAN_CHECK(edges[i] < edges[i + 1]);
  open_.start = edges[0];
  open_.end = edges[1];
}

uint32_t IntervalFold::PartsFor(ValueType type, Interpolation interpolation, uint32_t parts) {
  if ((parts & (kChanges | kLines)) != 0) parts |= kQualities;
  if (!IsNumeric(type)) return parts & (kQualities | kBounds);
  const uint32_t area = interpolation == Interpolation::kSloped ? kAreaSloped : kAreaStepped;
  if ((parts & kAreas) != 0) parts = (parts & ~uint32_t{kAreas}) | area;
  return (parts & kLines) != 0 ? parts | LinePart(type) : parts;
}

bool IntervalFold::Counts(const Sample& sample) const {
  return CountsAsBound(type_, sample.value, sample.quality, config_.treat_uncertain_as_bad);
}

// ---- Where data begin and end

SamplesView IntervalFold::WithinData(SamplesView samples) {
  if (source_ == nullptr || samples.qualities == nullptr || samples.size == 0) return samples;
  if (!has_last_ && IsPlaceholder(samples.qualities[0]) &&
      !source_->Before(samples.times[0], Kind::kData).has_value()) {
    size_t begin = 0;
    while (begin < samples.size && IsPlaceholder(samples.qualities[begin])) ++begin;
    samples = samples.Slice(begin, samples.size - begin);
    if (samples.size == 0) return samples;
  }
  if (!IsPlaceholder(samples.qualities[samples.size - 1])) return samples;
  FindDataEnd();
  const size_t kept =
      std::lower_bound(samples.times, samples.times + samples.size, data_end_) - samples.times;
  return samples.Slice(0, kept);
}

void IntervalFold::FindDataEnd() {
  if (data_end_ != Interval::kNoEnd) return;
  const std::optional<Sample> newest = source_->Before(Interval::kNoEnd, Kind::kData);
  if (!newest.has_value()) return;
  data_end_ = Later(newest->time, config_.resolution_ns);
  const std::optional<Sample> behind = source_->AtOrAfter(newest->time + 1, Kind::kAny);
  if (behind.has_value()) data_end_ = std::min(data_end_, behind->time);
}

// ---- Feeding

void IntervalFold::Add(const SamplesView& samples) {
  const SamplesView fed = WithinData(samples);
  if (fed.size == 0 && samples.size > 0 && !has_last_) {
    // Data end before what was fed.
    const std::optional<Sample> newest = source_->Before(samples.times[0], Kind::kData);
    if (newest.has_value()) Add({&newest->time, &newest->value, &newest->quality, nullptr, 1});
    return;
  }
  const Timestamp* const times = fed.times;
  // The first member's time that is not before the first edge, and the one that is not inside the last interval.
  const Timestamp front = edges_.front() + config_.backward, back = edges_.back() + config_.backward;
  size_t next = 0;
  if (fed.size > 0 && times[0] < front) {
    next = std::lower_bound(times, times + fed.size, front) - times;
    const bool first = !has_last_;
    SetLast(SampleAt(type_, fed, next - 1));
    if (NeedsCounted()) {
      size_t i = next;
      while (i > 0 && !Counts(SampleAt(type_, fed, i - 1))) --i;
      if (i > 0) {
        last_counted_ = SampleAt(type_, fed, i - 1);
      } else if (first && source_ != nullptr) {
        last_counted_ = source_->Before(times[0], CountedKind());
      }
    }
    Open();
  }
  while (next < fed.size && !past_) {
    const Sample first = SampleAt(type_, fed, next);
    if (times[next] >= back) {
      if (has_last_) AddSegment(first, true);
      Advance(edges_.size() - 1, &first);
      past_ = true;
      return;
    }
    const size_t i = IntervalOf(MemberTime(times[next]));
    const Timestamp* const end =
        EndOfRun(times + next, fed.size - next, edges_[i + 1] + config_.backward, run_size_);
    run_size_ = end - (times + next);
    Enter(i, first);
    AddRun(fed.Slice(next, run_size_));
    next = end - times;
    SetLast(open_.samples.last);
  }
}

void IntervalFold::AddRun(const SamplesView& run) {
  const uint64_t known_ns = open_.good_ns + open_.uncertain_ns, good = open_.samples.good;
  const bool lines = (parts_ & kLines) != 0;
  const bool line_is_area = lines && wants_area_ && Slopes() == CanSlope(type_);
  ExactSum* const area = line_is_area ? &line_of_run_ : &open_.area;
  if (lines) line_of_run_.Clear();
  fold_.Add(run, &open_.samples,
            {.good_ns = &open_.good_ns,
             .uncertain_ns = &open_.uncertain_ns,
             .unsure_ns = &open_.unsure_ns,
             .zero_ns = &open_.zero_ns,
             .area_stepped = lines && !CanSlope(type_) ? &line_of_run_ : area,
             .area_sloped = lines && CanSlope(type_) ? &line_of_run_ : area});
  if (line_is_area) open_.area.Add(line_of_run_);
  if (!config_.treat_uncertain_as_bad && run.qualities != nullptr) AddUncertain(run);
  open_.bad_ns +=
      Elapsed(run.times[0], run.times[run.size - 1]) - (open_.good_ns + open_.uncertain_ns - known_ns);
  if (!NeedsCounted()) return;
  const bool all_usable = open_.samples.good - good == run.size;
  if (all_usable && (config_.treat_uncertain_as_bad || (parts_ & kChanges) == 0)) {
    AddCounted(SampleAt(type_, run, 0), SampleAt(type_, run, run.size - 1), 0, line_of_run_);
  } else if (!config_.treat_uncertain_as_bad || lines) {
    AddCountedOneByOne(run);
  } else if (open_.samples.good > 0) {
    last_counted_ = open_.samples.last_usable;
  }
}

void IntervalFold::AddUncertain(const SamplesView& run) {
  Sample a;
  for (size_t i = 0; i < run.size; ++i) {
    const Sample b = SampleAt(type_, run, i);
    if (i > 0) {
      const uint64_t ns = Elapsed(a.time, b.time);
      const bool a_counts = Counts(a), b_counts = Counts(b);
      const bool slopes = Slopes() && b_counts;
      if (IsUncertain(a.quality)) {
        if (!a_counts) open_.uncertain_ns -= ns;
        if (a_counts && wants_area_) AddPart(a, b, slopes, a.time, b.time, &open_.area);
      } else if (a_counts && slopes && IsUncertain(b.quality) && wants_area_) {
        // The run was folded with a held there.
        ExactSum held;
        AddArea(a, ns, false, &held);
        open_.area.Subtract(held);
        AddPart(a, b, true, a.time, b.time, &open_.area);
      }
    }
    if (IsUncertain(b.quality) && Counts(b)) AddUncertainMember(b);
    a = b;
  }
}

void IntervalFold::AddUncertainMember(const Sample& sample) {
  Interval::Uncertain& uncertain = open_.uncertain;
  const bool first = uncertain.count++ == 0;
  if (!IsNumeric(type_) || (parts_ & kExtremes) == 0) return;
  const int to_min = first ? -1 : CompareNumbers(type_, sample.value, uncertain.min.value);
  const int to_max = first ? 1 : CompareNumbers(type_, sample.value, uncertain.max.value);
  if (to_min <= 0) uncertain.min_repeats = to_min == 0;
  if (to_max >= 0) uncertain.max_repeats = to_max == 0;
  if (to_min < 0) uncertain.min = sample;
  if (to_max > 0) uncertain.max = sample;
}

void IntervalFold::AddCounted(const Sample& first, const Sample& last, uint64_t changes,
                              const ExactSum& line_area) {
  if ((parts_ & kLines) != 0) {
    AddLineTo(first, first.time);
    open_.line_area.Add(line_area);
  }
  if (!config_.treat_uncertain_as_bad) {
    if ((parts_ & kChanges) != 0) open_.transitions += changes + IsTransition(first);
    if (!open_.first_counted.has_value()) open_.first_counted = first;
    open_.last_counted = last;
  }
  last_counted_ = last;
}

void IntervalFold::AddCountedOneByOne(const SamplesView& run) {
  for (size_t i = 0; i < run.size; ++i) {
    const Sample sample = SampleAt(type_, run, i);
    if (Counts(sample)) AddCounted(sample, sample, 0, ExactSum());
  }
}

bool IntervalFold::IsTransition(const Sample& sample) const {
  return !last_counted_.has_value() || !IsSameNumber(type_, last_counted_->value, sample.value);
}

void IntervalFold::AddLineTo(const std::optional<Sample>& next, Timestamp to) {
  if (!last_counted_.has_value()) return;
  const Sample& last = *last_counted_;
  const Timestamp from = std::max(last.time, open_.start);
  if (from >= to) return;
  if (next.has_value()) {
    AddPart(last, *next, CanSlope(type_), from, to, &open_.line_area);
    return;
  }
  const uint64_t ns = Elapsed(from, to);
  for (const Timestamp t : {from, to}) {
    std::optional<ValueAhead> ahead;
    if (open_.second_before.has_value() && t > last.time) {
      ahead = ExtrapolateTo(type_, *open_.second_before, last, t);
    }
    if (ahead.has_value()) {
      open_.line_area.AddHalfProduct(ahead->number, ns);
    } else {
      AddArea(last, ns, true, &open_.line_area);
    }
  }
}

bool IntervalFold::FitsOneInterval(Timestamp first, Timestamp last) const {
  first = MemberTime(first);
  last = MemberTime(last);
  if (first < edges_.front() || last >= edges_.back()) return false;
  if (first >= open_.start) return last < edges_[IntervalOf(first) + 1];
  return *std::upper_bound(edges_.begin(), edges_.end(), first) > last;
}

bool IntervalFold::Suffices(const Summary& summary, bool is_all) const {
  const uint32_t missing = parts() & ~summary.parts & ~(is_all ? uint32_t{kRepeats} : 0);
  if (missing != 0) return false;
  if (!config_.treat_uncertain_as_bad && summary.uncertain > 0) return false;
  if ((parts_ & kLines) != 0 && summary.good < summary.count) return false;
  if (is_all || source_ == nullptr) return true;
  return !IsPlaceholder(summary.last.quality) && (has_last_ || !IsPlaceholder(summary.first.quality));
}

void IntervalFold::AddSummary(const Summary& summary) {
  if (summary.count == 0) return;
  const Timestamp first = MemberTime(summary.first.time), last = MemberTime(summary.last.time);
  HISTORIAN_CHECK(first >= edges_.front() && last < edges_.back());
  const size_t i = IntervalOf(first);
  HISTORIAN_CHECK(last < edges_[i + 1]);
  Enter(i, summary.first);
  MergeTally(type_, summary, &open_.samples, parts());
  open_.good_ns += summary.good_ns;
  open_.uncertain_ns += summary.uncertain_ns;
  open_.bad_ns += summary.bad_ns();
  open_.unsure_ns += summary.unsure_ns;
  open_.zero_ns += summary.zero_ns;
  if (wants_area_) open_.area.Add(Slopes() ? summary.area_sloped : summary.area_stepped);
  if (NeedsCounted() && summary.good > 0) {
    AddCounted(summary.first_usable, summary.last_usable, summary.changes,
               CanSlope(type_) ? summary.area_sloped : summary.area_stepped);
  }
  SetLast(summary.last);
}

void IntervalFold::AddFigures(const FigureRun& run, Timestamp from, Timestamp to, FigureTable table) {
  const auto add_end = [&](const Summary& end) {
    if (end.count > 0 && end.first.time >= from && end.first.time < to) AddSummary(end);
  };
  add_end(run.head());
  if (run.finished() > 0 && from < run.end() && to > run.begin()) AddFinished(run, from, to, table);
  add_end(run.tail());
}

void IntervalFold::AddFinished(const FigureRun& run, Timestamp from, Timestamp to, FigureTable table) {
  if (from < run.begin()) {
    // The head lies in the open interval, and what follows it ends there.
    HISTORIAN_CHECK(open_.end == run.begin());
    AddSegmentPart(run.first(), std::max(last_.time, open_.start), open_.end);
    Advance(current_ + 1, &run.first());
    from = run.begin();
  }
  HISTORIAN_CHECK(open_.start == from);
  const size_t first = Elapsed(run.begin(), from) / run.step();
  const size_t count = (Elapsed(from, std::min(to, run.end())) + run.step() - 1) / run.step();
  HISTORIAN_CHECK(current_ + count < edges_.size());
  run.CopyTo(first, count, current_, table);
  current_ += count;
  if (current_ + 1 == edges_.size()) {
    past_ = true;
    return;
  }
  SetLast(run.last());
  Open();
  HISTORIAN_CHECK(open_.start == run.end());
}

void IntervalFold::Finish() {
  if (!past_ && has_last_) {
    if (data_end_ == Interval::kNoEnd) data_end_ = Later(last_.time, config_.resolution_ns);
    AddSegment({data_end_, 0, kBadNoData}, false);
  }
  Advance(edges_.size() - 1, nullptr);
}

// ---- Intervals

size_t IntervalFold::LaterIntervalOf(Timestamp t) const {
  // Mostly the next.
  if (current_ + 2 < edges_.size() && t < edges_[current_ + 2]) return current_ + 1;
  // The first edge after t ends its interval.
  const Timestamp* const end = Gallop(edges_.data() + current_ + 1, edges_.data() + edges_.size(), t + 1);
  return end - edges_.data() - 1;
}

void IntervalFold::Advance(size_t i, const Sample* next) {
  while (current_ < i) {
    Close(next);
    if (++current_ + 1 == edges_.size()) return;
    Open();
  }
}

void IntervalFold::Open() {
  open_.Clear((parts_ & (kDetails | kLines)) != 0 || !config_.treat_uncertain_as_bad);
  open_.start = edges_[current_];
  open_.end = edges_[current_ + 1];
  if ((parts_ & kBounds) != 0 && has_last_) open_.before = last_;
  if (NeedsCounted()) open_.counted_before = last_counted_;
}

void IntervalFold::Close(const Sample* next) {
  open_.data_end = data_end_;
  if ((parts_ & kBounds) != 0 && next != nullptr) open_.after = *next;
  if (config_.treat_uncertain_as_bad && open_.samples.good > 0 && (parts_ & kQualities) != 0) {
    open_.first_counted = open_.samples.first_usable;
    open_.last_counted = open_.samples.last_usable;
    if ((parts_ & kChanges) != 0) {
      const std::optional<Sample>& before = open_.counted_before;
      const bool changed =
          !before.has_value() || !IsSameNumber(type_, before->value, open_.first_counted->value);
      open_.transitions = open_.samples.changes + changed;
    }
  }
  if ((parts_ & kLines) != 0 && last_counted_.has_value()) {
    open_.counted_after = NextCounted(next);
    if (!open_.counted_after.has_value() && config_.use_sloped_extrapolation && source_ != nullptr &&
        CanSlope(type_)) {
      open_.second_before = source_->Before(last_counted_->time, CountedKind());
    }
    AddLineTo(open_.counted_after, open_.end);
  }
  sink_(current_, open_);
}

std::optional<Sample> IntervalFold::NextCounted(const Sample* next) {
  if (next == nullptr || Counts(*next)) {
    return next == nullptr ? std::nullopt : std::optional<Sample>(*next);
  }
  if (source_ == nullptr) return std::nullopt;
  if (!asked_next_counted_ || (next_counted_.has_value() && next_counted_->time < next->time)) {
    next_counted_ = source_->AtOrAfter(next->time, CountedKind());
    asked_next_counted_ = true;
  }
  return next_counted_;
}

void IntervalFold::Enter(size_t i, const Sample& first) {
  if (has_last_) AddSegment(first, true);
  Advance(i, &first);
}

void IntervalFold::SetLast(const Sample& last) {
  last_ = last;
  last_usable_ = IsUsable(type_, last.value, last.quality);
  last_counts_ = last_usable_ || Counts(last);
  has_last_ = true;
}

// ---- Segments

void IntervalFold::AddSegment(const Sample& next, bool is_sample) {
  HISTORIAN_CHECK(last_.time < next.time);
  if (current_ + 1 >= edges_.size()) return;
  Timestamp from = std::max(last_.time, open_.start);
  while (from < next.time) {
    const Timestamp to = std::min(next.time, open_.end);
    AddSegmentPart(next, from, to);
    from = to;
    if (MemberTime(next.time) < open_.end) return;
    Advance(current_ + 1, is_sample ? &next : nullptr);
    if (current_ + 1 == edges_.size()) return;
  }
}

void IntervalFold::AddSegmentPart(const Sample& next, Timestamp from, Timestamp to) {
  const uint64_t ns = Elapsed(from, to);
  if (last_usable_) {
    open_.good_ns += ns;
    if (!IsUsable(type_, next.value, next.quality)) open_.unsure_ns += ns;
    if (IsNumeric(type_) && IsSameNumber(type_, last_.value, 0)) open_.zero_ns += ns;
  } else {
    const bool uncertain = config_.treat_uncertain_as_bad ? IsUncertain(last_.quality) : last_counts_;
    (uncertain ? open_.uncertain_ns : open_.bad_ns) += ns;
  }
  if (!last_counts_ || !wants_area_) return;
  AddPart(last_, next, Slopes() && Counts(next), from, to, &open_.area);
}

void IntervalFold::AddPart(const Sample& a, const Sample& b, bool sloped, Timestamp from, Timestamp to,
                           ExactSum* area) const {
  const uint64_t ns = Elapsed(from, to);
  if (!sloped) {
    AddArea(a, ns, false, area);
    return;
  }
  for (const Timestamp t : {from, to}) {
    if (t == a.time) {
      AddArea(a, ns, true, area);
    } else if (t == b.time) {
      AddArea(b, ns, true, area);
    } else {
      const double value = OnLine(a.time, ToDouble(type_, a.value), b.time, ToDouble(type_, b.value), t);
      area->AddHalfProduct(value, ns);
    }
  }
}

void IntervalFold::AddArea(const Sample& sample, uint64_t ns, bool halved, ExactSum* area) const {
  if (IsFloat(type_)) {
    const double value = ToDouble(type_, sample.value);
    halved ? area->AddHalfProduct(value, ns) : area->AddProduct(value, ns);
  } else {
    area->AddScaled(static_cast<__int128>(Int64OfBits(sample.value)) * ns, halved ? -1 : 0);
  }
}

}  // namespace historian
