#include "storage/aggregate/interval_fold.h"

#include <algorithm>
#include <cmath>
#include <utility>

#include "storage/aggregate/at_time.h"
#include "storage/model/check.h"

namespace historian {
namespace {

// The first of the ascending [from, to) that is not before t. Steps double from the front, as it is mostly
// near.
const Timestamp* Gallop(const Timestamp* from, const Timestamp* to, Timestamp t) {
  size_t step = 1;
  while (step < static_cast<size_t>(to - from) && from[step - 1] < t) {
    from += step;
    step *= 2;
  }
  return std::lower_bound(from, from + std::min<size_t>(step, to - from), t);
}

uint32_t PartsFor(ValueType type, Interpolation interpolation, uint32_t parts) {
  if (!IsNumeric(type)) return kCounts;
  const uint32_t area = interpolation == Interpolation::kSloped ? kAreaSloped : kAreaStepped;
  return (parts & kAreas) == 0 ? parts : (parts & ~uint32_t{kAreas}) | area;
}

// The sum of squared differences from the mean, times n, over n and the divisor.
double DeviationOf(const Summary& summary, uint64_t divisor) {
  ExactSum n;
  n.AddIntProduct(1, summary.good);
  ExactSum spread = ExactSum::Product(n, summary.sum_of_squares);
  spread.Subtract(ExactSum::Product(summary.sum, summary.sum));
  int exponent;
  double variance =
      spread.ToFraction(&exponent) / (static_cast<double>(summary.good) * static_cast<double>(divisor));
  if (exponent % 2 != 0) {
    variance *= 2;
    --exponent;
  }
  return std::ldexp(std::sqrt(variance), exponent / 2);
}

}  // namespace

IntervalFold::IntervalFold(ValueType type, Interpolation interpolation, absl::Span<const Timestamp> edges,
                           uint32_t parts)
    : type_(type),
      interpolation_(interpolation),
      edges_(edges),
      parts_(PartsFor(type, interpolation, parts)) {
  HISTORIAN_CHECK(edges.size() >= 2);
  intervals_.resize(edges.size() - 1);
  for (size_t i = 0; i < intervals_.size(); ++i) {
    HISTORIAN_CHECK(edges[i] < edges[i + 1]);
    intervals_[i].start = edges[i];
    intervals_[i].end = edges[i + 1];
  }
}

void IntervalFold::Add(const SamplesView& samples) {
  const Timestamp* const begin = samples.times;
  const Timestamp* const end = begin + samples.size;
  const auto sample_at = [&](const Timestamp* time) {
    const size_t i = time - begin;
    return Sample{*time, IsNumeric(type_) ? samples.values[i] : 0, samples.QualityAt(i)};
  };
  const Timestamp* next = begin;
  if (next != end && *next < edges_.front()) {
    next = std::lower_bound(next, end, edges_.front());
    last_ = sample_at(next - 1);
  }
  while (next != end && !past_) {
    if (*next >= edges_.back()) {
      AddCrossing(sample_at(next));
      past_ = true;
      return;
    }
    const size_t i = IntervalOf(*next);
    const Timestamp* const run_end = Gallop(next, end, edges_[i + 1]);
    AddRun(i, Summarize(type_, samples.Slice(next - begin, run_end - next), parts_));
    next = run_end;
  }
}

bool IntervalFold::FitsOneInterval(Timestamp first, Timestamp last) const {
  if (first < edges_.front() || last >= edges_.back()) return false;
  return *std::upper_bound(edges_.begin(), edges_.end(), first) > last;
}

void IntervalFold::AddSummary(const Summary& summary) {
  if (summary.count == 0) return;
  HISTORIAN_CHECK(summary.first.time >= edges_.front() && summary.last.time < edges_.back());
  const size_t i = IntervalOf(summary.first.time);
  HISTORIAN_CHECK(summary.last.time < edges_[i + 1]);
  AddRun(i, summary);
}

std::vector<Interval> IntervalFold::Finish() {
  for (Interval& interval : intervals_) {
    const Summary& inside = interval.samples;
    interval.good_ns += inside.good_ns;
    interval.uncertain_ns += inside.uncertain_ns;
    interval.bad_ns += inside.bad_ns();
    interval.area.Add(interpolation_ == Interpolation::kSloped ? inside.area_sloped : inside.area_stepped);
  }
  return std::move(intervals_);
}

size_t IntervalFold::IntervalOf(Timestamp t) const {
  // The first edge after t ends its interval.
  const Timestamp* const end = Gallop(edges_.data() + current_ + 1, edges_.data() + edges_.size(), t + 1);
  return end - edges_.data() - 1;
}

void IntervalFold::AddRun(size_t i, const Summary& summary) {
  HISTORIAN_CHECK(!last_.has_value() || last_->time < summary.first.time);
  Summary& inside = intervals_[i].samples;
  // Merge sees to a segment within the interval.
  if (inside.count == 0) AddCrossing(summary.first);
  Merge(type_, summary, &inside, parts_);
  last_ = summary.last;
  current_ = i;
}

void IntervalFold::AddCrossing(const Sample& next) {
  if (!last_.has_value()) return;
  HISTORIAN_CHECK(last_->time < next.time);
  const bool usable = IsUsable(type_, last_->value, last_->quality);
  const bool sloped = interpolation_ == Interpolation::kSloped && IsUsable(type_, next.value, next.quality);
  for (size_t i = current_; i < intervals_.size() && edges_[i] < next.time; ++i) {
    const Timestamp from = std::max(last_->time, edges_[i]);
    const Timestamp to = std::min(next.time, edges_[i + 1]);
    const uint64_t ns = Elapsed(from, to);
    Interval& interval = intervals_[i];
    if (usable) {
      interval.good_ns += ns;
      if ((parts_ & kAreas) != 0) AddPart(next, sloped, from, to, &interval.area);
    } else {
      (IsUncertain(last_->quality) ? interval.uncertain_ns : interval.bad_ns) += ns;
    }
  }
}

void IntervalFold::AddPart(const Sample& next, bool sloped, Timestamp from, Timestamp to,
                           ExactSum* area) const {
  const Sample& a = *last_;
  const uint64_t ns = Elapsed(from, to);
  const auto add = [&](const Sample& sample, ExactSum* sum) {
    if (IsFloat(type_)) {
      sum->AddProduct(ToDouble(type_, sample.value), ns);
    } else {
      sum->AddIntProduct(Int64OfBits(sample.value), ns);
    }
  };
  if (!sloped) {
    add(a, area);
    return;
  }
  const auto add_edge = [&](Timestamp t, ExactSum* sum) {
    const double value = OnLine(a.time, ToDouble(type_, a.value), next.time, ToDouble(type_, next.value), t);
    sum->AddProduct(value, ns);
  };
  ExactSum doubled;
  if (from == a.time) {
    add(a, &doubled);
  } else {
    add_edge(from, &doubled);
  }
  if (to == next.time) {
    add(next, &doubled);
  } else {
    add_edge(to, &doubled);
  }
  doubled.Halve();
  area->Add(doubled);
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
  const Summary& inside = interval.samples;
  const uint64_t whole_ns = Elapsed(interval.start, interval.end);
  const bool no_time = interval.no_data_ns() == whole_ns;
  if (inside.count == 0 && no_time) return kBadNoData;
  if (interval.good_ns == whole_ns || (no_time && inside.good == inside.count))
    return kGood | kInfoCalculated;
  if (inside.good == 0 && interval.good_ns == 0) return kBad | kInfoCalculated;
  return kUncertainDataSubNormal | kInfoCalculated;
}

}  // namespace historian
