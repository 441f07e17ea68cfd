#include "storage/aggregate/aggregates.h"

#include <algorithm>
#include <cmath>
#include <iterator>
#include <limits>
#include <optional>
#include <utility>
#include <vector>

#include "storage/aggregate/at_time.h"
#include "storage/model/check.h"

namespace historian {
namespace {

using A = Aggregate;

constexpr uint64_t kNanosPerMillisecond = 1'000'000;

// A bounding value (3.1.7), and a value to choose an extreme from.
struct Bound {
  Timestamp time = 0;
  bool has_value = false;
  ValueBits bits = 0;
  Quality quality = kBadNoData;
  bool is_sample = false;
  bool repeats = false;

  bool is_good() const { return has_value && IsGood(quality); }
  bool is_uncertain() const { return has_value && !IsGood(quality); }
};

// Whole nanoseconds x factor / divisor, rounded once.
double Scaled(uint64_t ns, int64_t factor, uint64_t divisor) {
  ExactSum sum;
  sum.AddIntProduct(factor, ns);
  return sum.DividedBy(divisor);
}

// The variance or its square root, from exact sums: no digits cancel.
double SpreadOf(const Tally& tally, bool root, bool sample) {
  if (tally.good == 1) return 0;
  ExactSum n;
  n.AddIntProduct(1, static_cast<int64_t>(tally.good));
  // n x the sum of squares of differences.
  ExactSum spread = ExactSum::Product(n, tally.sum_of_squares);
  spread.Subtract(ExactSum::Product(tally.sum, tally.sum));
  const uint64_t divisor = sample ? tally.good - 1 : tally.good;
  if (!root) return spread.DividedBy(tally.good * divisor);
  // Beyond the range of doubles there are square roots within it.
  int exponent;
  double variance =
      spread.ToFraction(&exponent) / (static_cast<double>(tally.good) * static_cast<double>(divisor));
  if (exponent % 2 != 0) {
    variance *= 2;
    --exponent;
  }
  return std::ldexp(std::sqrt(variance), exponent / 2);
}

class Computation {
 public:
  Computation(ValueType type, const AggregateConfig& config, const Interval& interval, bool backward)
      : type_(type),
        config_(config),
        interval_(interval),
        members_(interval.samples),
        backward_(backward),
        held_(config.stepped || !CanSlope(type)) {}

  Figure Compute(A aggregate) const;
  bool SetsPartial() const { return !IsOutside() && IsPartial(); }
  double GoodShare() const {
    if (IsOutside()) return 0;
    const uint64_t good = SteppedTime().good, all = Elapsed(early(), late());
    return good == all ? 1 : static_cast<double>(good) / static_cast<double>(all);
  }

 private:
  // ---- What the interval is

  Timestamp start() const { return backward_ ? interval_.end : interval_.start; }
  Timestamp early() const { return interval_.start; }
  Timestamp late() const { return interval_.end; }
  bool has_members() const { return members_.count > 0; }
  Timestamp measured_end() const { return std::min(late(), interval_.data_end); }
  uint64_t measured_ns() const { return Elapsed(early(), measured_end()); }
  bool IsOutside() const {
    return (!has_members() && !interval_.before.has_value()) || interval_.data_end <= early();
  }
  bool IsPartial() const {
    if (!interval_.before.has_value() && members_.first.time > early()) return true;
    if (interval_.after.has_value()) return false;
    return (has_members() ? members_.last.time : interval_.before->time) < late();
  }

  bool Counts(const Sample& sample) const {
    return CountsAsBound(type_, sample.value, sample.quality, config_.treat_uncertain_as_bad);
  }
  bool IsUsable(const Sample& sample) const {
    return historian::IsUsable(type_, sample.value, sample.quality);
  }
  uint64_t counted_as_bad() const { return members_.count - members_.good - interval_.uncertain.count; }

  // ---- Bounds

  // The samples around an edge; `at` lies on it.
  struct Around {
    const Sample* at = nullptr;
    const Sample* before = nullptr;
    const Sample* after = nullptr;
  };
  static const Sample* Pointer(const std::optional<Sample>& sample) {
    return sample.has_value() ? &*sample : nullptr;
  }
  Around AroundEarly() const {
    Around around{nullptr, Pointer(interval_.before),
                  has_members() ? &members_.first : Pointer(interval_.after)};
    if (around.before != nullptr && around.before->time == early()) {
      around.at = around.before;
    } else if (around.after != nullptr && around.after->time == early()) {
      around.at = around.after;
    }
    return around;
  }
  Around AroundLate() const {
    Around around{nullptr, has_members() ? &members_.last : Pointer(interval_.before),
                  Pointer(interval_.after)};
    if (around.before != nullptr && around.before->time == late()) {
      around.at = around.before;
    } else if (around.after != nullptr && around.after->time == late()) {
      around.at = around.after;
    }
    return around;
  }
  bool HasValue(const Sample& sample) const {
    return CountsAsBound(type_, sample.value, sample.quality, false);
  }
  static Bound Held(const Sample& sample, Timestamp t, bool good) {
    return {t, true, sample.value, (good ? kGood : kUncertainDataSubNormal) | kInfoInterpolated};
  }
  Bound OnLine(const Sample& a, const Sample& b, Timestamp t, bool good) const {
    Bound bound = Held(a, t, good);
    bound.bits =
        *InterpolateAt(type_, Interpolation::kSloped, t,
                       {std::nullopt, Sample{a.time, a.value, kGood}, Sample{b.time, b.value, kGood}, false},
                       false)
             .value;
    return bound;
  }
  Bound SimpleBound(Timestamp t, const Around& around) const;
  Bound EarlyBound() const { return SimpleBound(early(), AroundEarly()); }
  Bound LateBound() const { return SimpleBound(late(), AroundLate()); }
  Bound InterpolatedBound(Timestamp t, bool stepped) const;

  // ---- Statuses

  Quality StatusOfShares(uint64_t good, uint64_t bad, uint64_t total) const {
    const auto reaches = [total](uint64_t part, int percent) {
      return static_cast<unsigned __int128>(part) * 100 >= static_cast<unsigned __int128>(total) * percent;
    };
    if (reaches(good, config_.percent_data_good)) return kGood;
    if (reaches(bad, config_.percent_data_bad)) return kBad;
    return kUncertainDataSubNormal;
  }
  Quality StatusByValues() const { return StatusOfShares(members_.good, counted_as_bad(), members_.count); }
  // Of regions as the tag's values lie, stepped or sloped.
  Quality StatusByTime() const {
    const uint64_t good = !config_.treat_uncertain_as_bad ? interval_.good_ns + interval_.uncertain_ns
                          : held_                         ? interval_.good_ns
                                                          : interval_.good_ns - interval_.unsure_ns;
    return StatusOfShares(good, measured_ns() - good, measured_ns());
  }

  // The time in stepped regions, by the severity of the value that each begins with. The first begins with the bound.
  struct Stepped {
    uint64_t good = 0;
    uint64_t uncertain = 0;
    uint64_t bad = 0;
    uint64_t zero = 0;  // Of good.
  };
  // `zero` only if it is asked for.
  Stepped SteppedTime(bool with_zero = false) const;

  // ---- Results

  Figure NoData() const { return None(kBadNoData); }
  Figure None(Quality status) const { return {0, status, start()}; }
  Figure Number(double number, Quality status) const { return {BitsOfFloat64(number), status, start()}; }
  Figure Whole(int64_t number, Quality status) const { return {BitsOfInt64(number), status, start()}; }
  // A value of the tag.
  Figure Source(ValueBits bits, Quality status, Timestamp time) const {
    return {IsFloat(type_) ? BitsOfFloat64(ToDouble(type_, bits)) : bits, status, time};
  }
  Figure Difference(ValueBits of, ValueBits minus, Quality status) const;

  Figure Interpolative() const;
  Figure OfGoodMembers(bool average) const;
  Figure TimeAverage(bool total) const;
  Figure TimeAverage2(bool total) const;
  Figure Counted(uint64_t count) const;
  Figure DurationInState(bool zero) const;
  Figure Duration(uint64_t ns, bool percent) const;
  Figure WorstQuality(bool with_bounds) const;
  Figure Spread(bool root, bool sample) const;
  Quality StatusOfExtreme(ValueBits extreme, int sign) const;
  Figure ExtremeMember(int sign, bool own_time) const;
  Figure Range() const;
  std::optional<Bound> ExtremeWithBounds(int sign) const;
  Figure ExtremeWithBounds(int sign, bool own_time) const;
  Figure Range2() const;
  Figure Member(const Sample& sample) const;
  Figure Delta() const;
  Figure DeltaBounds() const;

  const ValueType type_;
  const AggregateConfig& config_;
  const Interval& interval_;
  const Tally& members_;
  const bool backward_;
  const bool held_;
};

Bound Computation::SimpleBound(Timestamp t, const Around& around) const {
  Bound none{.time = t};
  if (around.at != nullptr) {
    none.is_sample = true;
    if (!Counts(*around.at)) return none;
    return {t, true, around.at->value, around.at->quality, true};
  }
  const Sample* const before = around.before;
  if (before == nullptr || t >= interval_.data_end) return none;
  if (held_) return HasValue(*before) ? Held(*before, t, IsGood(before->quality)) : none;
  if (!Counts(*before)) return none;
  if (around.after == nullptr || !Counts(*around.after)) return Held(*before, t, false);
  return OnLine(*before, *around.after, t, IsUsable(*before) && IsUsable(*around.after));
}

Bound Computation::InterpolatedBound(Timestamp t, bool stepped) const {
  const bool is_early = t == early();
  const Around around = is_early ? AroundEarly() : AroundLate();
  if (around.at != nullptr && Counts(*around.at)) {
    return {t, true, around.at->value, around.at->quality, true};
  }
  const Sample* before = Pointer(interval_.counted_before);
  const Sample* after = Pointer(interval_.counted_after);
  if (!is_early && interval_.last_counted.has_value()) before = &*interval_.last_counted;
  if (is_early && interval_.first_counted.has_value()) after = &*interval_.first_counted;
  if (before == nullptr) return {.time = t};
  // What counts as Bad lies between them.
  bool skipped = around.at != nullptr || around.before->time != before->time;
  if (stepped) return Held(*before, t, IsUsable(*before) && !skipped && t < interval_.data_end);
  if (after != nullptr) {
    skipped = skipped || around.after->time != after->time;
    return OnLine(*before, *after, t, IsUsable(*before) && IsUsable(*after) && !skipped);
  }
  Bound bound = Held(*before, t, false);
  if (interval_.second_before.has_value()) {
    // The last two may lie on either side of the early edge; the line is the same.
    const std::optional<ValueAhead> ahead = ExtrapolateTo(type_, *interval_.second_before, *before, t);
    if (ahead.has_value()) bound.bits = ahead->bits;
  }
  return bound;
}

Computation::Stepped Computation::SteppedTime(bool with_zero) const {
  Stepped time{.good = interval_.good_ns, .zero = with_zero ? interval_.zero_ns : 0};
  if (!config_.treat_uncertain_as_bad) time.uncertain = interval_.uncertain_ns;
  const Around around = AroundEarly();
  if (around.at == nullptr && around.before != nullptr) {
    // The first region begins with a bound, which is not always as good as the sample before it.
    const Sample& before = *around.before;
    // Mostly it is: both samples are usable, and so is what lies on the line.
    const bool as_good = IsUsable(before) && early() < interval_.data_end &&
                         (held_ || (around.after != nullptr && IsUsable(*around.after)));
    if (as_good && !with_zero) {
      time.bad = measured_ns() - time.good - time.uncertain;
      return time;
    }
    const uint64_t ns = Elapsed(early(), has_members() ? members_.first.time : measured_end());
    const bool numeric = with_zero && IsNumeric(type_);
    if (IsUsable(before)) {
      time.good -= ns;
      if (numeric && IsSameNumber(type_, before.value, 0)) time.zero -= ns;
    } else if (!config_.treat_uncertain_as_bad && Counts(before)) {
      time.uncertain -= ns;
    }
    const Bound bound = SimpleBound(early(), around);
    if (bound.is_good()) {
      time.good += ns;
      if (numeric && IsSameNumber(type_, bound.bits, 0)) time.zero += ns;
    } else if (bound.is_uncertain()) {
      time.uncertain += ns;
    }
  }
  time.bad = measured_ns() - time.good - time.uncertain;
  return time;
}

Figure Computation::Difference(ValueBits of, ValueBits minus, Quality status) const {
  if (IsFloat(type_)) {
    const double difference = ToDouble(type_, of) - ToDouble(type_, minus);
    return Number(type_ == ValueType::kFloat32 ? static_cast<float>(difference) : difference, status);
  }
  int64_t difference;
  if (__builtin_sub_overflow(Int64OfBits(of), Int64OfBits(minus), &difference)) {
    return None(kBadOutOfRange | kInfoCalculated);
  }
  return Whole(difference, status);
}

Figure Computation::Interpolative() const {
  const Bound bound = InterpolatedBound(start(), held_);
  return bound.has_value ? Source(bound.bits, bound.quality, start()) : NoData();
}

Figure Computation::OfGoodMembers(bool average) const {
  if (members_.good == 0) return NoData();
  const Quality status = StatusByValues();
  if (IsBad(status)) return None(status);
  return Number(average ? members_.sum.DividedBy(members_.good) : members_.sum.ToDouble(),
                status | kInfoCalculated);
}

Figure Computation::TimeAverage(bool total) const {
  const bool held = !CanSlope(type_);
  const Bound first = InterpolatedBound(early(), held);
  Timestamp from = early();
  if (!first.has_value) {
    if (!interval_.first_counted.has_value() || interval_.first_counted->time >= late()) return NoData();
    from = interval_.first_counted->time;
  }
  const bool sure =
      first.is_good() && members_.good == members_.count && InterpolatedBound(late(), held).is_good();
  return Number(interval_.line_area.DividedBy(total ? kNanosPerSecond : Elapsed(from, late())),
                (sure ? kGood : kUncertainDataSubNormal) | kInfoCalculated);
}

Figure Computation::TimeAverage2(bool total) const {
  const uint64_t ns = interval_.good_ns + (config_.treat_uncertain_as_bad ? 0 : interval_.uncertain_ns);
  if (ns == 0) return NoData();
  const Quality status = StatusByTime() | kInfoCalculated;
  if (IsBad(status)) return None(status);
  return Number(interval_.area.DividedBy(total ? kNanosPerSecond : ns), status);
}

Figure Computation::Counted(uint64_t count) const {
  const Quality status = StatusByValues();
  if (IsBad(status)) return None(status);
  return Whole(static_cast<int64_t>(count), status | kInfoCalculated);
}

Figure Computation::DurationInState(bool zero) const {
  const Stepped time = SteppedTime(true);
  const uint64_t good = time.good + (config_.treat_uncertain_as_bad ? 0 : time.uncertain);
  const Quality status = StatusOfShares(good, measured_ns() - good, measured_ns()) | kInfoCalculated;
  if (IsBad(status)) return None(status);
  return Number(Scaled(zero ? time.zero : time.good - time.zero, 1, kNanosPerMillisecond), status);
}

Figure Computation::Duration(uint64_t ns, bool percent) const {
  return Number(percent ? Scaled(ns, 100, measured_ns()) : Scaled(ns, 1, kNanosPerMillisecond),
                kGood | kInfoCalculated);
}

Figure Computation::WorstQuality(bool with_bounds) const {
  std::optional<Quality> worst;
  bool repeats = false;
  const auto add = [&](Quality quality, bool its_repeats) {
    if (!worst.has_value() || SeverityOf(quality) > SeverityOf(*worst)) {
      worst = quality;
      repeats = its_repeats;
    } else if (SeverityOf(quality) == SeverityOf(*worst)) {
      repeats = true;
    }
  };
  const auto add_bound = [&](Timestamp edge, const Around& around) {
    const bool is_member = has_members() && (members_.first.time == edge || members_.last.time == edge);
    if (!with_bounds || is_member) return;
    add(around.at != nullptr ? around.at->quality : SimpleBound(edge, around).quality, false);
  };
  add_bound(early(), AroundEarly());
  if (has_members()) add(members_.worst, members_.worst_repeats);
  add_bound(late(), AroundLate());
  if (!worst.has_value()) return NoData();
  const bool several = repeats && !IsGood(*worst);
  return Whole(CodeOf(*worst), kGood | kInfoCalculated | (several ? kInfoMultipleValues : 0));
}

Figure Computation::Spread(bool root, bool sample) const {
  if (members_.good == 0) return NoData();
  return Number(SpreadOf(members_, root, sample),
                (members_.good == members_.count ? kGood : kUncertainDataSubNormal) | kInfoCalculated);
}

Quality Computation::StatusOfExtreme(ValueBits extreme, int sign) const {
  const Interval::Uncertain& uncertain = interval_.uncertain;
  const ValueBits other = (sign > 0 ? uncertain.min : uncertain.max).value;
  const bool sure =
      counted_as_bad() == 0 && (uncertain.count == 0 || CompareNumbers(type_, other, extreme) * sign >= 0);
  return sure ? kGood : kUncertainDataSubNormal;
}

Figure Computation::ExtremeMember(int sign, bool own_time) const {
  if (members_.good == 0) return NoData();
  const Sample& extreme = sign > 0 ? members_.min : members_.max;
  Quality status = StatusOfExtreme(extreme.value, sign);
  if (!own_time && extreme.time != start()) status |= kInfoCalculated;
  if (sign > 0 ? members_.min_repeats : members_.max_repeats) status |= kInfoMultipleValues;
  return Source(extreme.value, status, own_time ? extreme.time : start());
}

Figure Computation::Range() const {
  if (members_.good == 0) return NoData();
  const Quality status =
      std::max(StatusOfExtreme(members_.min.value, 1), StatusOfExtreme(members_.max.value, -1));
  return Difference(members_.max.value, members_.min.value, status | kInfoCalculated);
}

std::optional<Bound> Computation::ExtremeWithBounds(int sign) const {
  std::optional<Bound> extreme;
  const auto add = [&](const Bound& bound) {
    if (!bound.has_value || (config_.treat_uncertain_as_bad && !IsGood(bound.quality))) return;
    const int order = extreme.has_value() ? CompareNumbers(type_, bound.bits, extreme->bits) * sign : -1;
    if (order < 0) extreme = bound;
    if (order == 0) extreme->repeats = true;
  };
  const auto add_member = [&](const Sample& sample, bool repeats) {
    add({sample.time, true, sample.value, sample.quality, true, repeats});
  };
  const bool has_early = has_members() && members_.first.time == early();
  const bool has_late = has_members() && members_.last.time == late();
  if (!has_early) add(EarlyBound());
  const Interval::Uncertain& uncertain = interval_.uncertain;
  const Sample& good = sign > 0 ? members_.min : members_.max;
  const Sample& other = sign > 0 ? uncertain.min : uncertain.max;
  const auto add_good = [&] {
    if (members_.good > 0) add_member(good, sign > 0 ? members_.min_repeats : members_.max_repeats);
  };
  const bool good_first = uncertain.count == 0 || good.time < other.time;
  if (good_first) add_good();
  if (uncertain.count > 0) add_member(other, sign > 0 ? uncertain.min_repeats : uncertain.max_repeats);
  if (!good_first) add_good();
  // A value that is held up to the late edge is not one at it.
  if (!has_late && !held_) add(LateBound());
  return extreme;
}

Figure Computation::ExtremeWithBounds(int sign, bool own_time) const {
  const std::optional<Bound> extreme = ExtremeWithBounds(sign);
  if (!extreme.has_value()) return NoData();
  const Quality code = StatusByTime();
  if (IsBad(code)) return None(code);
  const bool at_end = extreme->time == (backward_ ? early() : late());
  Quality bits = extreme->is_sample ? 0 : kInfoInterpolated;
  if (own_time) {
    if (at_end) bits = kInfoInterpolated;
  } else if (extreme->time != start() && extreme->is_sample) {
    bits = kInfoCalculated;
  }
  if (extreme->repeats) bits |= kInfoMultipleValues;
  const uint64_t unit = std::min(config_.resolution_ns, Elapsed(early(), late()));
  const Timestamp effective_end = static_cast<Timestamp>(backward_ ? static_cast<uint64_t>(early()) + unit
                                                                   : static_cast<uint64_t>(late()) - unit);
  return Source(extreme->bits, code | bits, !own_time ? start() : at_end ? effective_end : extreme->time);
}

Figure Computation::Range2() const {
  const std::optional<Bound> least = ExtremeWithBounds(1);
  if (!least.has_value()) return NoData();
  const Quality code = StatusByTime();
  if (IsBad(code)) return None(code);
  return Difference(ExtremeWithBounds(-1)->bits, least->bits, code | kInfoCalculated);
}

Figure Computation::Member(const Sample& sample) const {
  if (!has_members()) return NoData();
  if (IsBad(sample.quality)) return {0, sample.quality, sample.time};
  return Source(sample.value, sample.quality, sample.time);
}

Figure Computation::Delta() const {
  if (members_.good == 0) return NoData();
  const bool skipped =
      members_.first_usable.time != members_.first.time || members_.last_usable.time != members_.last.time;
  return Difference(members_.last_usable.value, members_.first_usable.value,
                    (skipped ? kUncertainDataSubNormal : kGood) | kInfoCalculated);
}

Figure Computation::DeltaBounds() const {
  const Bound early = EarlyBound(), late = LateBound();
  if (!early.has_value || !late.has_value) return NoData();
  const bool sure = IsGood(early.quality) && IsGood(late.quality);
  return Difference((backward_ ? early : late).bits, (backward_ ? late : early).bits,
                    (sure ? kGood : kUncertainDataSubNormal) | kInfoCalculated);
}

Figure Computation::Compute(A aggregate) const {
  if (aggregate == A::kInterpolative) return Interpolative();
  if (IsOutside()) return NoData();
  switch (aggregate) {
    case A::kInterpolative:
      return Interpolative();
    case A::kAverage:
      return OfGoodMembers(true);
    case A::kSum:
      return OfGoodMembers(false);
    case A::kTimeAverage:
      return TimeAverage(false);
    case A::kTotal:
      return TimeAverage(true);
    case A::kTimeAverage2:
      return TimeAverage2(false);
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
    case A::kSampleCount:
      return Whole(static_cast<int64_t>(members_.count), kGood | kInfoCalculated);
    case A::kCount:
      return Counted(members_.good);
    case A::kNumberOfTransitions:
      return Counted(interval_.transitions);
    case A::kDurationInStateZero:
      return DurationInState(true);
    case A::kDurationInStateNonZero:
      return DurationInState(false);
    case A::kStart:
      return Member(members_.first);
    case A::kEnd:
      return Member(members_.last);
    case A::kDelta:
      return Delta();
    case A::kStartBound: {
      const Bound bound = backward_ ? LateBound() : EarlyBound();
      return bound.has_value ? Source(bound.bits, bound.quality, start()) : NoData();
    }
    case A::kEndBound: {
      const Bound bound = backward_ ? EarlyBound() : LateBound();
      return bound.has_value ? Source(bound.bits, CodeOf(bound.quality) | kInfoCalculated, start())
                             : NoData();
    }
    case A::kDeltaBounds:
      return DeltaBounds();
    case A::kDurationGood:
      return Duration(SteppedTime().good, false);
    case A::kDurationBad:
      return Duration(SteppedTime().bad, false);
    case A::kPercentGood:
      return Duration(SteppedTime().good, true);
    case A::kPercentBad:
      return Duration(SteppedTime().bad, true);
    case A::kWorstQuality:
      return WorstQuality(false);
    case A::kWorstQuality2:
      return WorstQuality(true);
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
}

}  // namespace

uint32_t PartsOf(Aggregate aggregate) {
  switch (aggregate) {
    case A::kInterpolative:
    case A::kTimeAverage:
    case A::kTotal:
      return kBounds | kLines;
    case A::kAverage:
    case A::kSum:
      return kBounds | kSums;
    case A::kTimeAverage2:
    case A::kTotal2:
      return kBounds | kAreas | kQualities;
    case A::kMinimum:
    case A::kMaximum:
    case A::kMinimumActualTime:
    case A::kMaximumActualTime:
      return kBounds | kExtremes | kRepeats;
    case A::kRange:
      return kBounds | kExtremes;
    case A::kMinimum2:
    case A::kMaximum2:
    case A::kMinimumActualTime2:
    case A::kMaximumActualTime2:
      return kBounds | kExtremes | kRepeats | kQualities;
    case A::kRange2:
      return kBounds | kExtremes | kQualities;
    case A::kNumberOfTransitions:
      return kBounds | kQualities | kChanges;
    case A::kDurationInStateZero:
    case A::kDurationInStateNonZero:
      return kBounds | kZeros;
    case A::kDelta:
    case A::kWorstQuality:
    case A::kWorstQuality2:
      return kBounds | kQualities;
    case A::kStandardDeviationSample:
    case A::kVarianceSample:
    case A::kStandardDeviationPopulation:
    case A::kVariancePopulation:
      return kBounds | kSums | kSquares;
    case A::kAnnotationCount:
    case A::kSampleCount:
    case A::kCount:
    case A::kStart:
    case A::kEnd:
    case A::kStartBound:
    case A::kEndBound:
    case A::kDeltaBounds:
    case A::kDurationGood:
    case A::kDurationBad:
    case A::kPercentGood:
    case A::kPercentBad:
      return kBounds;
  }
  HISTORIAN_CHECK(false);
}

FoldConfig FoldConfigOf(const AggregateConfig& config, ValueType type, bool backward) {
  FoldConfig fold;
  fold.interpolation = config.stepped || !CanSlope(type) ? Interpolation::kStepped : Interpolation::kSloped;
  fold.treat_uncertain_as_bad = config.treat_uncertain_as_bad;
  fold.use_sloped_extrapolation = config.use_sloped_extrapolation;
  fold.resolution_ns = config.resolution_ns;
  fold.backward = backward;
  return fold;
}

namespace {

// With what a figure needs of its aggregate's row.
Figure FigureOf(const AggregateInfo& info, bool has_integers, const Computation& computation) {
  Figure figure = computation.Compute(info.id);
  if (IsBad(figure.status)) {
    figure.value = has_integers ? 0 : BitsOfFloat64(std::numeric_limits<double>::quiet_NaN());
  }
  if (info.sets_partial && computation.SetsPartial()) figure.status |= kInfoPartial;
  return figure;
}

}  // namespace

Figure FigureOf(Aggregate aggregate, ValueType type, const AggregateConfig& config, const Interval& interval,
                bool backward) {
  return FigureOf(InfoOf(aggregate), HasIntegers(aggregate, type),
                  Computation(type, config, interval, backward));
}

double GoodShareOf(ValueType type, const AggregateConfig& config, const Interval& interval, bool backward) {
  return Computation(type, config, interval, backward).GoodShare();
}

FigureMaker MakerOf(absl::Span<const Aggregate> aggregates, ValueType type, const AggregateConfig& config,
                    bool backward) {
  FigureMaker maker{.columns = 1, .parts = kBounds};
  const uint8_t switches = (config.treat_uncertain_as_bad ? 1 : 0) |
                           (config.use_sloped_extrapolation ? 2 : 0) | (config.stepped ? 4 : 0) |
                           (backward ? 8 : 0);
  for (const int field : {static_cast<int>(switches), config.percent_data_bad, config.percent_data_good}) {
    maker.id.push_back(static_cast<char>(field));
  }
  maker.id.append(reinterpret_cast<const char*>(&config.resolution_ns), sizeof(config.resolution_ns));
  for (const Aggregate aggregate : aggregates) {
    maker.id.push_back(static_cast<char>(aggregate));
    maker.parts |= PartsOf(aggregate);
    maker.columns += InfoOf(aggregate).has_own_time ? 2 : 1;
  }
  struct Row {
    const AggregateInfo* info;
    bool has_integers;
  };
  std::vector<Row> rows;
  for (const Aggregate aggregate : aggregates)
    rows.push_back({&InfoOf(aggregate), HasIntegers(aggregate, type)});
  maker.make = [rows = std::move(rows), type, config, backward](const Interval& interval, size_t i,
                                                                FigureTable to) {
    const Computation computation(type, config, interval, backward);
    size_t column = 0;
    for (const Row& row : rows) {
      const Figure figure = FigureOf(*row.info, row.has_integers, computation);
      to[column++].Set(i, figure.value, figure.status);
      if (row.info->has_own_time) to[column++].Set(i, BitsOfInt64(figure.time), kGood);
    }
    to[column].Set(i, BitsOfFloat64(computation.GoodShare()), kGood);
  };
  return maker;
}

}  // namespace historian
