#include "storage/aggregate/interval_fold.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "storage/aggregate/at_time.h"
#include "storage/aggregate/run_end.h"
#include "storage/model/check.h"

namespace historian {
namespace {

// The sum of squared differences from the mean, times n, over n and the divisor.
double DeviationOf(const Tally& tally, uint64_t divisor) {
  ExactSum n;
  n.AddIntProduct(1, tally.good);
  ExactSum spread = ExactSum::Product(n, tally.sum_of_squares);
  spread.Subtract(ExactSum::Product(tally.sum, tally.sum));
  int exponent;
  double variance =
      spread.ToFraction(&exponent) / (static_cast<double>(tally.good) * static_cast<double>(divisor));
  if (exponent % 2 != 0) {
    variance *= 2;
    --exponent;
  }
  return std::ldexp(std::sqrt(variance), exponent / 2);
}

}  // namespace

void Interval::Clear() {
  start = end = 0;
  samples.Clear();
  good_ns = uncertain_ns = bad_ns = 0;
  area.Clear();
}

IntervalSink AppendTo(std::vector<Interval>* intervals) {
  return [intervals](size_t, const Interval& interval) { intervals->push_back(interval); };
}

IntervalFold::IntervalFold(ValueType type, Interpolation interpolation, absl::Span<const Timestamp> edges,
                           uint32_t parts, IntervalSink sink)
    : type_(type),
      interpolation_(interpolation),
      edges_(edges),
      parts_(PartsFor(type, interpolation, parts)),
      sink_(std::move(sink)),
      fold_(type, parts_) {
  HISTORIAN_CHECK(edges.size() >= 2);
  for (size_t i = 0; i + 1 < edges.size(); ++i) HISTORIAN_CHECK(edges[i] < edges[i + 1]);
  open_.start = edges[0];
  open_.end = edges[1];
}

uint32_t IntervalFold::PartsFor(ValueType type, Interpolation interpolation, uint32_t parts) {
  if (!IsNumeric(type)) return kCounts;
  const uint32_t area = interpolation == Interpolation::kSloped ? kAreaSloped : kAreaStepped;
  return (parts & kAreas) == 0 ? parts : (parts & ~uint32_t{kAreas}) | area;
}

void IntervalFold::Add(const SamplesView& samples) {
  const auto sample_at = [&](size_t i) {
    return Sample{samples.times[i], IsNumeric(type_) ? samples.values[i] : 0, samples.QualityAt(i)};
  };
  const Timestamp* const times = samples.times;
  size_t next = 0;
  if (samples.size > 0 && times[0] < edges_.front()) {
    next = std::lower_bound(times, times + samples.size, edges_.front()) - times;
    SetLast(sample_at(next - 1));
  }
  while (next < samples.size && !past_) {
    if (times[next] >= edges_.back()) {
      if (has_last_) AddSegment(sample_at(next));
      past_ = true;
      return;
    }
    const size_t i = IntervalOf(times[next]);
    const Timestamp* const end = EndOfRun(times + next, samples.size - next, edges_[i + 1], run_size_);
    run_size_ = end - (times + next);
    Enter(i, sample_at(next));
    const uint64_t known_ns = open_.good_ns + open_.uncertain_ns;
    fold_.Add(samples.Slice(next, run_size_), &open_.samples,
              {.good_ns = &open_.good_ns,
               .uncertain_ns = &open_.uncertain_ns,
               .area_stepped = &open_.area,
               .area_sloped = &open_.area});
    open_.bad_ns += Elapsed(times[next], end[-1]) - (open_.good_ns + open_.uncertain_ns - known_ns);
    next = end - times;
    SetLast(open_.samples.last);
  }
}

bool IntervalFold::FitsOneInterval(Timestamp first, Timestamp last) const {
  if (first < edges_.front() || last >= edges_.back()) return false;
  if (first >= open_.start) return last < edges_[IntervalOf(first) + 1];
  return *std::upper_bound(edges_.begin(), edges_.end(), first) > last;
}

void IntervalFold::AddSummary(const Summary& summary) {
  if (summary.count == 0) return;
  HISTORIAN_CHECK(summary.first.time >= edges_.front() && summary.last.time < edges_.back());
  const size_t i = IntervalOf(summary.first.time);
  HISTORIAN_CHECK(summary.last.time < edges_[i + 1]);
  Enter(i, summary.first);
  MergeTally(type_, summary, &open_.samples, parts_);
  open_.good_ns += summary.good_ns;
  open_.uncertain_ns += summary.uncertain_ns;
  open_.bad_ns += summary.bad_ns();
  if ((parts_ & kAreaStepped) != 0) open_.area.Add(summary.area_stepped);
  if ((parts_ & kAreaSloped) != 0) open_.area.Add(summary.area_sloped);
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
    Advance(current_ + 1);
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
  open_.Clear();
  open_.start = edges_[current_];
  open_.end = edges_[current_ + 1];
  HISTORIAN_CHECK(open_.start == run.end());
  SetLast(run.last());
}

void IntervalFold::Finish() { Advance(edges_.size() - 1); }

size_t IntervalFold::LaterIntervalOf(Timestamp t) const {
  // Mostly the next.
  if (current_ + 2 < edges_.size() && t < edges_[current_ + 2]) return current_ + 1;
  // The first edge after t ends its interval.
  const Timestamp* const end = Gallop(edges_.data() + current_ + 1, edges_.data() + edges_.size(), t + 1);
  return end - edges_.data() - 1;
}

void IntervalFold::Advance(size_t i) {
  while (current_ < i) {
    sink_(current_, open_);
    if (++current_ + 1 == edges_.size()) return;
    open_.Clear();
    open_.start = edges_[current_];
    open_.end = edges_[current_ + 1];
  }
}

void IntervalFold::Enter(size_t i, const Sample& first) {
  if (has_last_) AddSegment(first);
  Advance(i);
}

void IntervalFold::SetLast(const Sample& last) {
  last_ = last;
  last_usable_ = IsUsable(type_, last.value, last.quality);
  has_last_ = true;
}

void IntervalFold::AddSegment(const Sample& next) {
  HISTORIAN_CHECK(last_.time < next.time);
  Timestamp from = std::max(last_.time, open_.start);
  while (from < next.time) {
    const Timestamp to = std::min(next.time, open_.end);
    AddSegmentPart(next, from, to);
    from = to;
    if (from < open_.end) return;
    Advance(current_ + 1);
    if (current_ + 1 == edges_.size()) return;
  }
}

void IntervalFold::AddSegmentPart(const Sample& next, Timestamp from, Timestamp to) {
  uint64_t Interval::*const ns_of = last_usable_                 ? &Interval::good_ns
                                    : IsUncertain(last_.quality) ? &Interval::uncertain_ns
                                                                 : &Interval::bad_ns;
  open_.*ns_of += Elapsed(from, to);
  if (!last_usable_ || (parts_ & kAreas) == 0) return;
  const bool sloped = (parts_ & kAreaSloped) != 0 && IsUsable(type_, next.value, next.quality);
  AddPart(next, sloped, from, to, &open_.area);
}

void IntervalFold::AddPart(const Sample& next, bool sloped, Timestamp from, Timestamp to,
                           ExactSum* area) const {
  const uint64_t ns = Elapsed(from, to);
  if (!sloped) {
    AddArea(last_, ns, false, area);
    return;
  }
  for (const Timestamp t : {from, to}) {
    if (t == last_.time) {
      AddArea(last_, ns, true, area);
    } else if (t == next.time) {
      AddArea(next, ns, true, area);
    } else {
      const double value =
          OnLine(last_.time, ToDouble(type_, last_.value), next.time, ToDouble(type_, next.value), t);
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

std::optional<double> SumOf(const Interval& interval) {
  if (interval.samples.good == 0) return std::nullopt;
  return interval.samples.sum.ToDouble();
}

std::optional<double> AverageOf(const Interval& interval) {
  if (interval.samples.good == 0) return std::nullopt;
  return interval.samples.sum.DividedBy(interval.samples.good);
}

std::optional<double> TimeWeightedAverageOf(const Interval& interval) {
  if (interval.good_ns == 0) return std::nullopt;
  return interval.area.DividedBy(interval.good_ns);
}

std::optional<double> SampleDeviationOf(const Interval& interval) {
  if (interval.samples.good == 0) return std::nullopt;
  if (interval.samples.good == 1) return 0.0;
  return DeviationOf(interval.samples, interval.samples.good - 1);
}

std::optional<double> PopulationDeviationOf(const Interval& interval) {
  if (interval.samples.good == 0) return std::nullopt;
  return DeviationOf(interval.samples, interval.samples.good);
}

std::optional<double> RangeOf(ValueType type, const Interval& interval) {
  if (interval.samples.good == 0) return std::nullopt;
  const ValueBits min = interval.samples.min.value;
  const ValueBits max = interval.samples.max.value;
  // The difference of int64s fits 64 bits without a sign.
  return IsFloat(type) ? ToDouble(type, max) - ToDouble(type, min) : static_cast<double>(max - min);
}

double GoodShareOf(const Interval& interval) {
  return static_cast<double>(interval.good_ns) / static_cast<double>(Elapsed(interval.start, interval.end));
}

Quality StatusOf(const Interval& interval) {
  const Tally& inside = interval.samples;
  const uint64_t whole_ns = Elapsed(interval.start, interval.end);
  const bool no_time = interval.no_data_ns() == whole_ns;
  if (inside.count == 0 && no_time) return kBadNoData;
  if (interval.good_ns == whole_ns || (no_time && inside.good == inside.count))
    return kGood | kInfoCalculated;
  if (inside.good == 0 && interval.good_ns == 0) return kBad | kInfoCalculated;
  return kUncertainDataSubNormal | kInfoCalculated;
}

}  // namespace historian
