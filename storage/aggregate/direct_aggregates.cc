#include "storage/aggregate/direct_aggregates.h"

#include <algorithm>
#include <cmath>
#include <cstddef>
#include <cstdint>
#include <vector>

#include "storage/aggregate/exact_sum.h"
#include "storage/model/check.h"

namespace historian {
namespace {

using A = Aggregate;

constexpr uint64_t kNanosPerMillisecond = 1'000'000;

int Compare(ValueType type, ValueBits a, ValueBits b) {
  if (IsFloat(type)) {
    const double x = ToDouble(type, a), y = ToDouble(type, b);
    return x < y ? -1 : x > y ? 1 : 0;
  }
  const int64_t x = Int64OfBits(a), y = Int64OfBits(b);
  return x < y ? -1 : x > y ? 1 : 0;
}

// Whole nanoseconds x factor / divisor, rounded once.
double Scaled(uint64_t ns, int64_t factor, uint64_t divisor) {
  ExactSum sum;
  sum.AddIntProduct(factor, ns);
  return sum.DividedBy(divisor);
}

class Computation {
 public:
  Computation(const DirectSamples& samples, Timestamp start, Timestamp end)
      : samples_(samples),
        config_(samples.config()),
        type_(samples.type()),
        interval_(&samples, start, end),
        start_(start) {}

  StandardValue Compute(A aggregate, std::optional<absl::Span<const Timestamp>> annotations) const;

 private:
  struct Extreme {
    PointInTime point;
    bool several = false;
  };

  StandardValue NoData() const { return {std::nullopt, kBadNoData, start_}; }
  StandardValue Number(double number, Quality status) const {
    return {BitsOfFloat64(number), status, start_};
  }
  // Without a value if the status is Bad.
  static StandardValue WithoutBadValue(StandardValue value) {
    if (IsBad(value.status)) value.value.reset();
    return value;
  }

  template <typename F>
  void ForMembers(F f) const {
    for (size_t i = interval_.first_member(); i < interval_.last_member(); ++i) f(i);
  }
  std::vector<size_t> GoodMembers() const {
    std::vector<size_t> good;
    ForMembers([&](size_t i) {
      if (samples_.IsGoodAt(i)) good.push_back(i);
    });
    return good;
  }

  StandardValue Interpolative() const;
  StandardValue OfGoodMembers(bool average) const;
  StandardValue TimeAverage(bool total) const;
  StandardValue TimeAverage2(bool total) const;
  // The value of a count, with the status by values.
  StandardValue Counted(int64_t count) const;
  int64_t Transitions() const;
  StandardValue Annotations(std::optional<absl::Span<const Timestamp>> annotations) const;
  StandardValue DurationInState(bool zero) const;
  StandardValue Duration(Sureness sureness, bool percent) const;
  StandardValue WorstOf(const std::vector<Quality>& qualities) const;
  StandardValue WorstQuality() const;
  StandardValue WorstQuality2() const;
  StandardValue Spread(bool root, bool sample) const;

  // `sign` is 1 for the least, -1 for the greatest.
  std::optional<Extreme> ExtremeOf(const std::vector<PointInTime>& points, int sign) const;
  std::vector<PointInTime> GoodMemberPoints() const;
  Quality StatusOfExtreme(const PointInTime& extreme, int sign) const;
  StandardValue ExtremeMember(int sign, bool own_time) const;
  StandardValue Range() const;
  StandardValue ExtremeWithBounds(int sign, bool own_time) const;
  StandardValue Range2() const;

  StandardValue Member(bool oldest) const;
  StandardValue Delta() const;
  StandardValue StartBound() const;
  StandardValue EndBound() const;
  StandardValue DeltaBounds() const;
  StandardValue Difference(ValueBits of, ValueBits minus, Quality status) const;

  const DirectSamples& samples_;
  const AggregateConfig& config_;
  const ValueType type_;
  const DirectInterval interval_;
  const Timestamp start_;
};

StandardValue Computation::Interpolative() const {
  if (samples_.extent().empty() || start_ < samples_.extent().start) return NoData();
  const PointInTime bound = samples_.InterpolatedBound(start_, samples_.stepped());
  if (!bound.has_value) return NoData();
  return {bound.bits, bound.quality, start_};
}

StandardValue Computation::OfGoodMembers(bool average) const {
  const std::vector<size_t> good = GoodMembers();
  if (good.empty()) return NoData();
  const Quality status = interval_.StatusByValues();
  if (IsBad(status)) return {std::nullopt, status, start_};
  ExactSum sum;
  for (const size_t i : good) {
    const PointInTime point = samples_.PointAt(i);
    IsFloat(type_) ? sum.Add(point.number) : sum.AddInt(Int64OfBits(point.bits));
  }
  return Number(average ? sum.DividedBy(good.size()) : sum.ToDouble(), status | kInfoCalculated);
}

StandardValue Computation::TimeAverage(bool total) const {
  // 5.4.3.6 and 5.4.3.8 say that the lines always slope; the figure of 5.4.3.2.3 has them stepped for stepped tags.
  const bool held = !CanSlope(type_);
  const std::vector<PointInTime> points = interval_.PointsWithInterpolatedBounds();
  if (points.empty()) return NoData();
  // Without a bound at the early edge the first point is a later one.
  bool sure = points.front().time == interval_.early() && IsGood(points.front().quality) &&
              IsGood(points.back().quality);
  for (size_t i = 0; i < samples_.size(); ++i) {
    const Timestamp t = samples_.TimeAt(i);
    if (t >= interval_.early() && t < interval_.late()) sure = sure && samples_.IsGoodAt(i);
  }

  ExactSum area;
  for (size_t i = 0; i + 1 < points.size(); ++i) {
    AddAreaOf(type_, points[i], held ? points[i] : points[i + 1], Elapsed(points[i].time, points[i + 1].time),
              &area);
  }
  const uint64_t ns = Elapsed(points.front().time, points.back().time);
  return Number(area.DividedBy(total ? kNanosPerSecond : ns),
                (sure ? kGood : kUncertainDataSubNormal) | kInfoCalculated);
}

StandardValue Computation::TimeAverage2(bool total) const {
  const std::vector<Region> regions = interval_.RegionsWithSimpleBounds(samples_.stepped());
  ExactSum area;
  uint64_t ns = 0;
  for (const Region& region : regions) {
    if (!region.first.has_value || region.first.from_bad) continue;
    AddAreaOf(type_, region.first, region.last, region.ns, &area);
    ns += region.ns;
  }
  if (ns == 0) return NoData();
  return WithoutBadValue(Number(area.DividedBy(total ? kNanosPerSecond : ns),
                                interval_.StatusByTime(regions) | kInfoCalculated));
}

StandardValue Computation::Counted(int64_t count) const {
  const Quality status = interval_.StatusByValues();
  if (IsBad(status)) return {std::nullopt, status, start_};
  return {BitsOfInt64(count), status | kInfoCalculated, start_};
}

int64_t Computation::Transitions() const {
  std::optional<size_t> last;
  for (size_t i = 0; i < interval_.first_member(); ++i) {
    if (!samples_.CountsAsBadAt(i)) last = i;
  }
  int64_t count = 0;
  ForMembers([&](size_t i) {
    if (samples_.CountsAsBadAt(i)) return;
    if (!last.has_value() || !samples_.SameValue(*last, i)) ++count;
    last = i;
  });
  return count;
}

StandardValue Computation::Annotations(std::optional<absl::Span<const Timestamp>> annotations) const {
  int64_t count = static_cast<int64_t>(interval_.last_member() - interval_.first_member());
  if (annotations.has_value()) {
    count = 0;
    for (const Timestamp t : *annotations) {
      if (interval_.backward() ? interval_.early() < t && t <= interval_.late()
                               : interval_.early() <= t && t < interval_.late()) {
        ++count;
      }
    }
  }
  return {BitsOfInt64(count), kGood | kInfoCalculated, start_};
}

StandardValue Computation::DurationInState(bool zero) const {
  const std::vector<Region> regions = interval_.RegionsWithSimpleBounds(true);
  uint64_t ns = 0;
  for (const Region& region : regions) {
    if (region.sureness != Sureness::kGood) continue;
    if ((Compare(type_, region.first.bits, 0) == 0) == zero) ns += region.ns;
  }
  return WithoutBadValue(
      Number(Scaled(ns, 1, kNanosPerMillisecond), interval_.StatusByTime(regions) | kInfoCalculated));
}

StandardValue Computation::Duration(Sureness sureness, bool percent) const {
  uint64_t ns = 0;
  for (const Region& region : interval_.RegionsWithSimpleBounds(true)) {
    if (region.sureness == sureness) ns += region.ns;
  }
  return Number(percent ? Scaled(ns, 100, interval_.MeasuredNs()) : Scaled(ns, 1, kNanosPerMillisecond),
                kGood | kInfoCalculated);
}

StandardValue Computation::WorstOf(const std::vector<Quality>& qualities) const {
  if (qualities.empty()) return NoData();
  Quality worst = qualities.front();
  size_t count = 0;
  for (const Quality quality : qualities) {
    if (SeverityOf(quality) > SeverityOf(worst)) {
      worst = quality;
      count = 0;
    }
    if (SeverityOf(quality) == SeverityOf(worst)) ++count;
  }
  const bool several = count > 1 && !IsGood(worst);
  return {BitsOfInt64(CodeOf(worst)), kGood | kInfoCalculated | (several ? kInfoMultipleValues : 0), start_};
}

StandardValue Computation::WorstQuality() const {
  std::vector<Quality> qualities;
  ForMembers([&](size_t i) { qualities.push_back(samples_.QualityAt(i)); });
  return WorstOf(qualities);
}

StandardValue Computation::WorstQuality2() const {
  std::vector<Quality> qualities;
  for (const PointInTime& point : interval_.PointsWithSimpleBounds()) qualities.push_back(point.quality);
  for (size_t i = 0; i < samples_.size(); ++i) {
    if (samples_.TimeAt(i) == interval_.early()) qualities.front() = samples_.QualityAt(i);
    if (samples_.TimeAt(i) == interval_.late()) qualities.back() = samples_.QualityAt(i);
  }
  return WorstOf(qualities);
}

StandardValue Computation::Spread(bool root, bool sample) const {
  const std::vector<size_t> good = GoodMembers();
  if (good.empty()) return NoData();
  const bool all = good.size() == interval_.last_member() - interval_.first_member();
  const Quality status = (all ? kGood : kUncertainDataSubNormal) | kInfoCalculated;
  if (good.size() == 1) return Number(0, status);
  ExactSum sum, squares, n;
  for (const size_t i : good) {
    const PointInTime point = samples_.PointAt(i);
    if (IsFloat(type_)) {
      sum.Add(point.number);
      squares.AddSquare(point.number);
    } else {
      sum.AddInt(Int64OfBits(point.bits));
      squares.AddIntSquare(Int64OfBits(point.bits));
    }
  }
  n.AddIntProduct(1, good.size());
  // n x the sum of squares of differences.
  ExactSum spread = ExactSum::Product(n, squares);
  spread.Subtract(ExactSum::Product(sum, sum));
  const uint64_t divisor = sample ? good.size() - 1 : good.size();
  if (!root) return Number(spread.DividedBy(good.size() * divisor), status);
  // Beyond the range of doubles there are square roots within it.
  int exponent;
  double variance =
      spread.ToFraction(&exponent) / (static_cast<double>(good.size()) * static_cast<double>(divisor));
  if (exponent % 2 != 0) {
    variance *= 2;
    --exponent;
  }
  return Number(std::ldexp(std::sqrt(variance), exponent / 2), status);
}

std::optional<Computation::Extreme> Computation::ExtremeOf(const std::vector<PointInTime>& points,
                                                           int sign) const {
  std::optional<Extreme> extreme;
  for (const PointInTime& point : points) {
    const int order = extreme.has_value() ? Compare(type_, point.bits, extreme->point.bits) * sign : -1;
    if (order < 0) extreme = Extreme{point, false};
    if (order == 0) extreme->several = true;
  }
  return extreme;
}

std::vector<PointInTime> Computation::GoodMemberPoints() const {
  std::vector<PointInTime> points;
  for (const size_t i : GoodMembers()) points.push_back(samples_.PointAt(i));
  return points;
}

Quality Computation::StatusOfExtreme(const PointInTime& extreme, int sign) const {
  bool sure = true;
  ForMembers([&](size_t i) {
    if (samples_.IsGoodAt(i)) return;
    if (samples_.CountsAsBadAt(i) || Compare(type_, samples_.PointAt(i).bits, extreme.bits) * sign < 0)
      sure = false;
  });
  return sure ? kGood : kUncertainDataSubNormal;
}

StandardValue Computation::ExtremeMember(int sign, bool own_time) const {
  const std::optional<Extreme> extreme = ExtremeOf(GoodMemberPoints(), sign);
  if (!extreme.has_value()) return NoData();
  const PointInTime& point = extreme->point;
  Quality status = StatusOfExtreme(point, sign);
  if (!own_time && point.time != start_) status |= kInfoCalculated;
  if (extreme->several) status |= kInfoMultipleValues;
  return {point.bits, status, own_time ? point.time : start_};
}

StandardValue Computation::Range() const {
  const std::vector<PointInTime> points = GoodMemberPoints();
  const std::optional<Extreme> least = ExtremeOf(points, 1);
  if (!least.has_value()) return NoData();
  const std::optional<Extreme> greatest = ExtremeOf(points, -1);
  const Quality status =
      std::max(StatusOfExtreme(least->point, 1), StatusOfExtreme(greatest->point, -1)) | kInfoCalculated;
  return Difference(greatest->point.bits, least->point.bits, status);
}

StandardValue Computation::ExtremeWithBounds(int sign, bool own_time) const {
  const std::optional<Extreme> extreme = ExtremeOf(interval_.CandidatesWithSimpleBounds(), sign);
  if (!extreme.has_value()) return NoData();
  const Quality code = interval_.StatusByTime(interval_.RegionsWithSimpleBounds(samples_.stepped()));
  if (IsBad(code)) return {std::nullopt, code, start_};
  const PointInTime& point = extreme->point;
  const bool at_end = point.time == interval_.end();
  Quality bits = point.is_sample ? 0 : kInfoInterpolated;
  if (own_time) {
    if (at_end) bits = kInfoInterpolated;
  } else if (point.time != start_ && point.is_sample) {
    bits = kInfoCalculated;
  }
  if (extreme->several) bits |= kInfoMultipleValues;
  const Timestamp time = !own_time ? start_ : at_end ? interval_.EffectiveEndTime() : point.time;
  return {point.bits, code | bits, time};
}

StandardValue Computation::Range2() const {
  const std::vector<PointInTime> points = interval_.CandidatesWithSimpleBounds();
  const std::optional<Extreme> least = ExtremeOf(points, 1);
  if (!least.has_value()) return NoData();
  const Quality code = interval_.StatusByTime(interval_.RegionsWithSimpleBounds(samples_.stepped()));
  if (IsBad(code)) return {std::nullopt, code, start_};
  return Difference(ExtremeOf(points, -1)->point.bits, least->point.bits, code | kInfoCalculated);
}

StandardValue Computation::Member(bool oldest) const {
  if (interval_.first_member() == interval_.last_member()) return NoData();
  const size_t i = oldest ? interval_.first_member() : interval_.last_member() - 1;
  const PointInTime point = samples_.PointAt(i);
  return WithoutBadValue({point.bits, point.quality, point.time});
}

StandardValue Computation::Delta() const {
  const std::vector<size_t> good = GoodMembers();
  if (good.empty()) return NoData();
  const bool skipped = good.front() != interval_.first_member() || good.back() + 1 != interval_.last_member();
  return Difference(samples_.PointAt(good.back()).bits, samples_.PointAt(good.front()).bits,
                    (skipped ? kUncertainDataSubNormal : kGood) | kInfoCalculated);
}

StandardValue Computation::StartBound() const {
  const PointInTime bound = samples_.SimpleBound(interval_.start());
  if (!bound.has_value) return NoData();
  return {bound.bits, bound.quality, start_};
}

StandardValue Computation::EndBound() const {
  const PointInTime bound = samples_.SimpleBound(interval_.end());
  if (!bound.has_value) return NoData();
  return {bound.bits, CodeOf(bound.quality) | kInfoCalculated, start_};
}

StandardValue Computation::DeltaBounds() const {
  const PointInTime first = samples_.SimpleBound(interval_.start());
  const PointInTime last = samples_.SimpleBound(interval_.end());
  if (!first.has_value || !last.has_value) return NoData();
  const bool sure = IsGood(first.quality) && IsGood(last.quality);
  return Difference(last.bits, first.bits, (sure ? kGood : kUncertainDataSubNormal) | kInfoCalculated);
}

StandardValue Computation::Difference(ValueBits of, ValueBits minus, Quality status) const {
  if (IsFloat(type_)) {
    const double difference = ToDouble(type_, of) - ToDouble(type_, minus);
    return {type_ == ValueType::kFloat32 ? BitsOfFloat32(static_cast<float>(difference))
                                         : BitsOfFloat64(difference),
            status, start_};
  }
  int64_t difference;
  if (__builtin_sub_overflow(Int64OfBits(of), Int64OfBits(minus), &difference)) {
    return {std::nullopt, kBadOutOfRange | kInfoCalculated, start_};
  }
  return {BitsOfInt64(difference), status, start_};
}

StandardValue Computation::Compute(A aggregate,
                                   std::optional<absl::Span<const Timestamp>> annotations) const {
  if (aggregate == A::kInterpolative) return Interpolative();
  if (interval_.OutsideData()) return NoData();
  const auto compute = [&]() -> StandardValue {
    switch (aggregate) {
      case A::kInterpolative:
        return Interpolative();
      case A::kAverage:
        return OfGoodMembers(true);
      case A::kSum:
        return OfGoodMembers(false);
      case A::kSampleCount:
        return Annotations(std::nullopt);
      case A::kTimeAverage:
        return TimeAverage(false);
      case A::kTimeAverage2:
        return TimeAverage2(false);
      case A::kTotal:
        return TimeAverage(true);
      case A::kTotal2:
        return TimeAverage2(true);
      case A::kMinimum:
        return ExtremeMember(1, false);
      case A::kMaximum:
        return ExtremeMember(-1, false);
      case A::kMinimumActualTime:
        return ExtremeMember(1, true);
      case A::kMaximumActualTime:
        return ExtremeMember(-1, true);
      case A::kRange:
        return Range();
      case A::kMinimum2:
        return ExtremeWithBounds(1, false);
      case A::kMaximum2:
        return ExtremeWithBounds(-1, false);
      case A::kMinimumActualTime2:
        return ExtremeWithBounds(1, true);
      case A::kMaximumActualTime2:
        return ExtremeWithBounds(-1, true);
      case A::kRange2:
        return Range2();
      case A::kAnnotationCount:
        return Annotations(annotations);
      case A::kCount:
        return Counted(static_cast<int64_t>(GoodMembers().size()));
      case A::kDurationInStateZero:
        return DurationInState(true);
      case A::kDurationInStateNonZero:
        return DurationInState(false);
      case A::kNumberOfTransitions:
        return Counted(Transitions());
      case A::kStart:
        return Member(true);
      case A::kEnd:
        return Member(false);
      case A::kDelta:
        return Delta();
      case A::kStartBound:
        return StartBound();
      case A::kEndBound:
        return EndBound();
      case A::kDeltaBounds:
        return DeltaBounds();
      case A::kDurationGood:
        return Duration(Sureness::kGood, false);
      case A::kDurationBad:
        return Duration(Sureness::kBad, false);
      case A::kPercentGood:
        return Duration(Sureness::kGood, true);
      case A::kPercentBad:
        return Duration(Sureness::kBad, true);
      case A::kWorstQuality:
        return WorstQuality();
      case A::kWorstQuality2:
        return WorstQuality2();
      case A::kStandardDeviationSample:
        return Spread(true, true);
      case A::kVarianceSample:
        return Spread(false, true);
      case A::kStandardDeviationPopulation:
        return Spread(true, false);
      case A::kVariancePopulation:
        return Spread(false, false);
    }
    return NoData();
  };
  StandardValue value = compute();
  if (InfoOf(aggregate).sets_partial && interval_.IsPartial()) value.status |= kInfoPartial;
  return value;
}

}  // namespace

StandardValue ComputeDirectly(Aggregate aggregate, const DirectSamples& samples, Timestamp start,
                              Timestamp end, std::optional<absl::Span<const Timestamp>> annotations) {
  HISTORIAN_CHECK(IsDefinedFor(aggregate, samples.type()));
  return Computation(samples, start, end).Compute(aggregate, annotations);
}

}  // namespace historian
