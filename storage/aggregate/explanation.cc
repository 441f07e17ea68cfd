#include "storage/aggregate/explanation.h"

#include <algorithm>
#include <charconv>
#include <deque>
#include <optional>

#include "absl/strings/match.h"
#include "absl/strings/str_cat.h"
#include "absl/strings/str_join.h"
#include "storage/aggregate/exact_sum.h"
#include "storage/model/aggregate_config.h"
#include "storage/model/quality.h"
#include "storage/model/value.h"

namespace historian {
namespace {

using A = Aggregate;

constexpr uint64_t kNanosPerMillisecond = 1'000'000;

std::string NumberText(ValueType type, ValueBits bits) {
  return IsFloat(type) ? FigureText(ToDouble(type, bits)) : absl::StrCat(Int64OfBits(bits));
}

// In a formula: a negative one in brackets.
std::string Term(std::string text) { return text.front() == '-' ? absl::StrCat("(", text, ")") : text; }

std::string Seconds(uint64_t ns) { return FigureText(static_cast<double>(ns) / 1e9); }

// Terms of a sum, of which the first and the last are written down.
class Terms {
 public:
  template <typename MakeTerm>
  void Add(MakeTerm make) {
    constexpr size_t kHalf = kFiguresListedMax / 2;
    ++count_;
    if (first_.size() < kHalf) {
      first_.push_back(make());
      return;
    }
    if (last_.size() == kHalf) last_.pop_front();
    last_.push_back(make());
  }
  uint64_t count() const { return count_; }
  bool is_cut() const { return count_ > kFiguresListedMax; }
  std::string Text() const {
    if (count_ == 0) return "0";
    std::string text = absl::StrJoin(first_, " + ");
    if (is_cut()) absl::StrAppend(&text, " + ...");
    for (const std::string& term : last_) absl::StrAppend(&text, " + ", term);
    return text;
  }
  std::string InBrackets() const { return count_ == 1 ? Text() : absl::StrCat("(", Text(), ")"); }

 private:
  uint64_t count_ = 0;
  std::vector<std::string> first_;
  std::deque<std::string> last_;
};

// A bound in words, and its value as a formula.
struct Told {
  std::string how;
  std::string figures;
};

// Which of the values are sought, and by which aggregates.
struct Extremes {
  std::optional<A> least;
  std::optional<A> greatest;
};
std::optional<Extremes> ExtremesOf(A aggregate) {
  switch (aggregate) {
    case A::kMinimum:
    case A::kMinimumActualTime:
      return Extremes{A::kMinimum, std::nullopt};
    case A::kMaximum:
    case A::kMaximumActualTime:
      return Extremes{std::nullopt, A::kMaximum};
    case A::kRange:
      return Extremes{A::kMinimum, A::kMaximum};
    case A::kMinimum2:
    case A::kMinimumActualTime2:
      return Extremes{A::kMinimum2, std::nullopt};
    case A::kMaximum2:
    case A::kMaximumActualTime2:
      return Extremes{std::nullopt, A::kMaximum2};
    case A::kRange2:
      return Extremes{A::kMinimum2, A::kMaximum2};
    default:
      return std::nullopt;
  }
}

class Explaining {
 public:
  Explaining(A aggregate, const DirectSamples& samples, Timestamp start, Timestamp end)
      : aggregate_(aggregate),
        info_(InfoOf(aggregate)),
        samples_(samples),
        type_(samples.type()),
        start_(start),
        end_(end),
        interval_(&samples, start, end),
        value_(ComputeDirectly(aggregate, samples, start, end)) {
    if (const std::optional<Extremes> sought = ExtremesOf(aggregate); sought.has_value()) {
      if (sought->least.has_value()) least_ = Other(*sought->least).value;
      if (sought->greatest.has_value()) greatest_ = Other(*sought->greatest).value;
    }
    if (aggregate == A::kDelta) {
      oldest_good_ = GoodMember(true);
      newest_good_ = GoodMember(false);
    }
  }

  Explanation Explain(size_t listed_max);

 private:
  size_t first() const { return interval_.first_member(); }
  size_t last() const { return interval_.last_member(); }
  bool treats_uncertain_as_bad() const { return samples_.config().treat_uncertain_as_bad; }
  // Durations hold values whatever the tag does.
  bool HoldsValues() const {
    switch (aggregate_) {
      case A::kDurationInStateZero:
      case A::kDurationInStateNonZero:
      case A::kDurationGood:
      case A::kDurationBad:
      case A::kPercentGood:
      case A::kPercentBad:
        return true;
      default:
        return samples_.stepped();
    }
  }

  size_t AtOrAfter(Timestamp t) const;
  std::string Value(size_t i) const { return Term(NumberText(type_, samples_.PointAt(i).bits)); }
  std::string Value(const PointInTime& point) const {
    return Term(point.exact && IsNumeric(type_) && !IsFloat(type_) ? NumberText(type_, point.bits)
                                                                   : FigureText(point.number));
  }
  std::string At(size_t i) const { return absl::StrCat("at ", FormatTimestamp(samples_.TimeAt(i))); }

  Told TellHeld(size_t before, absl::string_view why) const;
  Told TellLine(size_t i, size_t j, Timestamp t) const;
  Told TellSimple(Timestamp t) const;
  Told TellInterpolated(Timestamp t, bool stepped) const;
  Told TellBound(Timestamp t) const {
    return info_.bounds == AggregateBounds::kInterpolated
               ? TellInterpolated(t, aggregate_ == A::kInterpolative ? samples_.stepped() : !CanSlope(type_))
               : TellSimple(t);
  }
  void TellBounds(Explanation* to) const;

  // The formula with its figures, without the value.
  std::string Formula() const;
  std::string OfGoodMembers() const;
  std::string OfLines(bool total) const;
  std::string OfRegions(bool total) const;
  std::string OfDurations() const;
  std::string OfSpread() const;
  std::string OfTransitions() const;
  std::string Difference(const std::optional<ValueBits>& of, const std::optional<ValueBits>& minus) const;
  StandardValue Other(A aggregate) const { return ComputeDirectly(aggregate, samples_, start_, end_); }
  // Of a part of a line, or of a value that is held.
  std::string Area(const PointInTime& a, const PointInTime& b, uint64_t ns) const;

  std::string Shares() const;
  void MeasureTime(Explanation* to) const;
  void FindGaps(Explanation* to) const;

  // Why it does not count; empty if it does.
  std::string WhyBad(size_t i) const;
  std::string RoleOf(size_t i) const;
  std::string RoleOfExtreme(size_t i) const;
  // How long its value counts within the interval.
  std::string Lasts(size_t i) const;
  bool IsTransition(size_t i) const;
  std::optional<size_t> GoodMember(bool oldest) const;

  const A aggregate_;
  const AggregateInfo& info_;
  const DirectSamples& samples_;
  const ValueType type_;
  const Timestamp start_;
  const Timestamp end_;
  const DirectInterval interval_;
  const StandardValue value_;
  // What the aggregate seeks among its members, as far as it does.
  std::optional<ValueBits> least_;
  std::optional<ValueBits> greatest_;
  std::optional<size_t> oldest_good_;
  std::optional<size_t> newest_good_;
};

size_t Explaining::AtOrAfter(Timestamp t) const {
  size_t low = 0, high = samples_.size();
  while (low < high) {
    const size_t middle = low + (high - low) / 2;
    samples_.TimeAt(middle) < t ? low = middle + 1 : high = middle;
  }
  return low;
}

// ---- Bounds

Told Explaining::TellHeld(size_t before, absl::string_view why) const {
  const bool has_text = type_ == ValueType::kString;
  return {absl::StrCat("the value before is held, from the sample ", At(before), why),
          has_text ? "" : Value(before)};
}

Told Explaining::TellLine(size_t i, size_t j, Timestamp t) const {
  const std::string a = Value(i), b = Value(j);
  const std::string share = absl::StrCat(Seconds(Elapsed(samples_.TimeAt(i), t)), " / ",
                                         Seconds(Elapsed(samples_.TimeAt(i), samples_.TimeAt(j))));
  return {absl::StrCat("on the line from ", a, " ", At(i), " to ", b, " ", At(j)),
          absl::StrCat("(", a, " + (", b, " - ", a, ") x ", share, ")")};
}

Told Explaining::TellSimple(Timestamp t) const {
  const size_t after = AtOrAfter(t);
  if (after < samples_.size() && samples_.TimeAt(after) == t) {
    const std::string why = WhyBad(after);
    if (!why.empty()) return {absl::StrCat("none: the sample at this time ", why), ""};
    return {"the sample at this time", type_ == ValueType::kString ? "" : Value(after)};
  }
  if (after == 0) return {"none: there is no sample before it", ""};
  const size_t before = after - 1;
  if (t >= samples_.extent().end) {
    return {absl::StrCat("none: data have ended, with the sample ", At(before)), ""};
  }
  if (samples_.stepped()) {
    if (!samples_.PointAt(before).has_value) {
      return {absl::StrCat("none: the sample before it, ", At(before), ", has no value that can be used"),
              ""};
    }
    return TellHeld(before, IsGood(samples_.QualityAt(before)) ? "" : ", which is Uncertain");
  }
  if (const std::string why = WhyBad(before); !why.empty()) {
    return {absl::StrCat("none: the sample before it, ", At(before), ", ", why), ""};
  }
  if (after == samples_.size()) return TellHeld(before, ": there is none behind it");
  if (const std::string why = WhyBad(after); !why.empty()) {
    return TellHeld(before, absl::StrCat(": the one behind it, ", At(after), ", ", why));
  }
  return TellLine(before, after, t);
}

Told Explaining::TellInterpolated(Timestamp t, bool stepped) const {
  const size_t at = AtOrAfter(t);
  const bool exact = at < samples_.size() && samples_.TimeAt(at) == t;
  if (exact && !samples_.CountsAsBadAt(at)) {
    return {"the sample at this time", type_ == ValueType::kString ? "" : Value(at)};
  }
  bool skipped = exact;
  size_t before = at;
  for (; before > 0 && samples_.CountsAsBadAt(before - 1); --before) skipped = true;
  if (before == 0) return {"none: there is no sample before it that does not count as Bad", ""};
  --before;
  size_t after = at;
  for (; after < samples_.size() && samples_.CountsAsBadAt(after); ++after) skipped |= !stepped;
  const absl::string_view over = skipped ? ", over what counts as Bad" : "";
  if (stepped) return TellHeld(before, over);
  if (after < samples_.size()) {
    Told told = TellLine(before, after, t);
    absl::StrAppend(&told.how, over);
    return told;
  }
  const PointInTime bound = samples_.InterpolatedBound(t, false);
  if (bound.exact) return TellHeld(before, ": there is none behind it that does not count as Bad");
  size_t second = before - 1;
  while (samples_.CountsAsBadAt(second)) --second;
  Told told = TellLine(second, before, t);
  absl::StrAppend(&told.how, ", which is followed past the newest sample (UseSlopedExtrapolation)");
  return told;
}

void Explaining::TellBounds(Explanation* to) const {
  if (info_.bounds == AggregateBounds::kNone || interval_.OutsideData()) return;
  const bool interpolated = info_.bounds == AggregateBounds::kInterpolated;
  const bool held = aggregate_ == A::kInterpolative ? samples_.stepped() : !CanSlope(type_);
  for (const Timestamp t : {start_, end_}) {
    const PointInTime point = interpolated ? samples_.InterpolatedBound(t, held) : samples_.SimpleBound(t);
    Told told = TellBound(t);
    // Where it is a formula, it is told with it.
    if (absl::StartsWith(told.figures, "(") && told.figures.find(" x ") != std::string::npos) {
      absl::StrAppend(&told.how, ": ", told.figures);
    }
    to->bounds.push_back({point, std::move(told.how)});
    if (aggregate_ == A::kInterpolative) return;
  }
}

// ---- Figures

std::string Explaining::OfGoodMembers() const {
  Terms terms;
  ExactSum sum;
  for (size_t i = first(); i < last(); ++i) {
    if (!samples_.IsGoodAt(i)) continue;
    terms.Add([&] { return Value(i); });
    const PointInTime point = samples_.PointAt(i);
    IsFloat(type_) ? sum.Add(point.number) : sum.AddInt(Int64OfBits(point.bits));
  }
  if (aggregate_ == A::kSum) return terms.Text();
  std::string text = absl::StrCat("(", terms.Text(), ") / ", terms.count());
  if (terms.is_cut()) absl::StrAppend(&text, " = ", FigureText(sum.ToDouble()), " / ", terms.count());
  return text;
}

std::string Explaining::Area(const PointInTime& a, const PointInTime& b, uint64_t ns) const {
  const std::string of_a = Value(a), of_b = Value(b);
  if (of_a == of_b) return absl::StrCat(of_a, " x ", Seconds(ns));
  return absl::StrCat("(", of_a, " + ", of_b, ") / 2 x ", Seconds(ns));
}

std::string Explaining::OfLines(bool total) const {
  const bool held = !CanSlope(type_);
  const std::vector<PointInTime> points = interval_.PointsWithInterpolatedBounds();
  if (points.empty()) return "";
  Terms terms;
  ExactSum area;
  for (size_t i = 0; i + 1 < points.size(); ++i) {
    const PointInTime& next = held ? points[i] : points[i + 1];
    const uint64_t ns = Elapsed(points[i].time, points[i + 1].time);
    terms.Add([&] { return Area(points[i], next, ns); });
    AddAreaOf(type_, points[i], next, ns, &area);
  }
  if (total) return terms.Text();
  const std::string length = Seconds(Elapsed(points.front().time, points.back().time));
  std::string text = absl::StrCat("(", terms.Text(), ") / ", length);
  if (terms.is_cut()) absl::StrAppend(&text, " = ", FigureText(area.DividedBy(1'000'000'000)), " / ", length);
  return text;
}

std::string Explaining::OfRegions(bool total) const {
  Terms terms;
  ExactSum area;
  uint64_t ns = 0;
  for (const Region& region : interval_.RegionsWithSimpleBounds(samples_.stepped())) {
    if (!region.first.has_value || region.first.from_bad || region.ns == 0) continue;
    terms.Add([&] { return Area(region.first, region.last, region.ns); });
    AddAreaOf(type_, region.first, region.last, region.ns, &area);
    ns += region.ns;
  }
  if (total) return terms.Text();
  std::string text = absl::StrCat("(", terms.Text(), ") / ", Seconds(ns));
  if (terms.is_cut())
    absl::StrAppend(&text, " = ", FigureText(area.DividedBy(1'000'000'000)), " / ", Seconds(ns));
  return text;
}

std::string Explaining::OfDurations() const {
  const bool percent = aggregate_ == A::kPercentGood || aggregate_ == A::kPercentBad;
  const bool of_bad = aggregate_ == A::kDurationBad || aggregate_ == A::kPercentBad;
  const bool in_zero = aggregate_ == A::kDurationInStateZero;
  const bool in_state = in_zero || aggregate_ == A::kDurationInStateNonZero;
  Terms terms;
  uint64_t ns = 0;
  for (const Region& region : interval_.RegionsWithSimpleBounds(true)) {
    if (region.sureness != (of_bad ? Sureness::kBad : Sureness::kGood) || region.ns == 0) continue;
    if (in_state && (region.first.number == 0) != in_zero) continue;
    terms.Add([&] { return Seconds(region.ns); });
    ns += region.ns;
  }
  std::string text = absl::StrCat(percent ? "100" : "1000", " x ", terms.InBrackets());
  const std::string over = percent ? absl::StrCat(" / ", Seconds(interval_.MeasuredNs())) : "";
  absl::StrAppend(&text, over);
  if (terms.is_cut()) absl::StrAppend(&text, " = ", percent ? "100" : "1000", " x ", Seconds(ns), over);
  return text;
}

std::string Explaining::OfSpread() const {
  ExactSum sum;
  uint64_t count = 0;
  for (size_t i = first(); i < last(); ++i) {
    if (!samples_.IsGoodAt(i)) continue;
    const PointInTime point = samples_.PointAt(i);
    IsFloat(type_) ? sum.Add(point.number) : sum.AddInt(Int64OfBits(point.bits));
    ++count;
  }
  if (count == 1) return "one Good member";
  const std::string mean = Term(FigureText(sum.DividedBy(count)));
  Terms terms;
  for (size_t i = first(); i < last(); ++i) {
    if (samples_.IsGoodAt(i)) terms.Add([&] { return absl::StrCat("(", Value(i), " - ", mean, ")^2"); });
  }
  const bool of_sample = aggregate_ == A::kStandardDeviationSample || aggregate_ == A::kVarianceSample;
  const bool root = info_.result == AggregateResult::kNumber;
  const std::string variance =
      absl::StrCat("(", terms.Text(), ") / ", of_sample ? absl::StrCat(count - 1) : absl::StrCat(count));
  return root ? absl::StrCat("sqrt(", variance, ")") : variance;
}

bool Explaining::IsTransition(size_t i) const {
  for (size_t k = i; k-- > 0;) {
    if (!samples_.CountsAsBadAt(k)) return !samples_.SameValue(k, i);
  }
  return true;
}

std::string Explaining::OfTransitions() const {
  Terms terms;
  std::optional<size_t> before;
  for (size_t k = first(); k-- > 0 && !before.has_value();) {
    if (!samples_.CountsAsBadAt(k)) before = k;
  }
  for (size_t i = first(); i < last(); ++i) {
    if (samples_.CountsAsBadAt(i)) continue;
    if (!before.has_value() || !samples_.SameValue(*before, i)) terms.Add([] { return std::string("1"); });
    before = i;
  }
  return terms.Text();
}

std::string Explaining::Difference(const std::optional<ValueBits>& of,
                                   const std::optional<ValueBits>& minus) const {
  if (!of.has_value() || !minus.has_value()) return "";
  return absl::StrCat(Term(NumberText(type_, *of)), " - ", Term(NumberText(type_, *minus)));
}

std::optional<size_t> Explaining::GoodMember(bool oldest) const {
  for (size_t k = first(); k < last(); ++k) {
    const size_t i = oldest ? k : last() - 1 - (k - first());
    if (samples_.IsGoodAt(i)) return i;
  }
  return std::nullopt;
}

std::string Explaining::Formula() const {
  const auto count_if = [&](auto counts) {
    uint64_t count = 0;
    for (size_t i = first(); i < last(); ++i) count += counts(i);
    return count;
  };
  switch (aggregate_) {
    case A::kInterpolative:
    case A::kStartBound:
      return TellBound(start_).figures;
    case A::kEndBound:
      return TellBound(end_).figures;
    case A::kDeltaBounds:
      return absl::StrCat(TellBound(end_).figures, " - ", TellBound(start_).figures);
    case A::kAverage:
    case A::kSum:
      return OfGoodMembers();
    case A::kTimeAverage:
    case A::kTotal:
      return OfLines(aggregate_ == A::kTotal);
    case A::kTimeAverage2:
    case A::kTotal2:
      return OfRegions(aggregate_ == A::kTotal2);
    case A::kMinimum:
    case A::kMinimumActualTime:
    case A::kMaximum:
    case A::kMaximumActualTime: {
      const bool least = aggregate_ == A::kMinimum || aggregate_ == A::kMinimumActualTime;
      return absl::StrCat("the ", least ? "least" : "greatest", " of ",
                          count_if([&](size_t i) { return samples_.IsGoodAt(i); }), " Good members");
    }
    case A::kMinimum2:
    case A::kMinimumActualTime2:
    case A::kMaximum2:
    case A::kMaximumActualTime2: {
      const bool least = aggregate_ == A::kMinimum2 || aggregate_ == A::kMinimumActualTime2;
      return absl::StrCat("the ", least ? "least" : "greatest", " of ",
                          interval_.CandidatesWithSimpleBounds().size(), " members and bounds");
    }
    case A::kRange:
    case A::kRange2:
      return Difference(greatest_, least_);
    case A::kAnnotationCount:
    case A::kSampleCount:
      return "members";
    case A::kCount:
      return absl::StrCat("Good ones of ", last() - first(), " members");
    case A::kDurationInStateZero:
    case A::kDurationInStateNonZero:
    case A::kDurationGood:
    case A::kDurationBad:
    case A::kPercentGood:
    case A::kPercentBad:
      return OfDurations();
    case A::kNumberOfTransitions:
      return OfTransitions();
    case A::kStart:
      return "the oldest member";
    case A::kEnd:
      return "the newest member";
    case A::kDelta:
      return newest_good_.has_value() ? absl::StrCat(Value(*newest_good_), " - ", Value(*oldest_good_)) : "";
    case A::kWorstQuality:
    case A::kWorstQuality2:
      return "";
    case A::kStandardDeviationSample:
    case A::kVarianceSample:
    case A::kStandardDeviationPopulation:
    case A::kVariancePopulation:
      return OfSpread();
  }
  return "";
}

// ---- What the status goes by, and time

std::string Explaining::Shares() const {
  if (info_.status == AggregateStatus::kPercentValues) {
    uint64_t good = 0, bad = 0;
    for (size_t i = first(); i < last(); ++i) {
      bad += samples_.CountsAsBadAt(i);
      good += samples_.IsGoodAt(i);
    }
    return absl::StrCat(good, " of ", last() - first(), " members are Good, ", bad, " count as Bad");
  }
  if (info_.status != AggregateStatus::kPercentTime || interval_.OutsideData()) return "";
  uint64_t good = 0, bad = 0;
  for (const Region& region : interval_.RegionsWithSimpleBounds(HoldsValues())) {
    const bool is_good = region.sureness == Sureness::kGood ||
                         (region.sureness == Sureness::kUncertain && !treats_uncertain_as_bad());
    (is_good ? good : bad) += region.ns;
  }
  return absl::StrCat(Seconds(good), " s of ", Seconds(interval_.MeasuredNs()), " s count as Good, ",
                      Seconds(bad), " s as Bad");
}

void Explaining::MeasureTime(Explanation* to) const {
  const uint64_t length = Elapsed(start_, end_);
  if (!interval_.OutsideData()) {
    for (const Region& region : interval_.RegionsWithSimpleBounds(HoldsValues())) {
      (region.sureness == Sureness::kGood        ? to->good_ns
       : region.sureness == Sureness::kUncertain ? to->uncertain_ns
                                                 : to->bad_ns) += region.ns;
    }
  }
  to->no_data_ns = length - to->good_ns - to->uncertain_ns - to->bad_ns;
}

void Explaining::FindGaps(Explanation* to) const {
  if (last() - first() < 3) return;
  std::vector<uint64_t> distances;
  for (size_t i = first(); i + 1 < last(); ++i) {
    distances.push_back(Elapsed(samples_.TimeAt(i), samples_.TimeAt(i + 1)));
  }
  const size_t nine_of_ten = (distances.size() * 9 + 9) / 10 - 1;
  std::nth_element(distances.begin(), distances.begin() + static_cast<std::ptrdiff_t>(nine_of_ten),
                   distances.end());
  to->usual_ns = distances[nine_of_ten];
  for (size_t i = first(); i + 1 < last(); ++i) {
    const Timestamp from = samples_.TimeAt(i), next = samples_.TimeAt(i + 1);
    if (static_cast<double>(Elapsed(from, next)) <= 3 * static_cast<double>(to->usual_ns)) continue;
    if (to->gaps++ < kGapsListedMax) to->listed_gaps.push_back({from, next});
  }
}

// ---- Members

std::string Explaining::WhyBad(size_t i) const {
  if (!samples_.CountsAsBadAt(i)) return "";
  if (IsBad(samples_.QualityAt(i))) return "counts as Bad: its quality is Bad";
  if (IsUncertain(samples_.QualityAt(i)) && treats_uncertain_as_bad()) {
    return "counts as Bad: it is Uncertain, and TreatUncertainAsBad is set";
  }
  return "counts as Bad: it is no finite number";
}

std::string Explaining::Lasts(size_t i) const {
  const Timestamp until = std::min(end_, samples_.extent().end);
  const Timestamp next = i + 1 < samples_.size() ? std::min(until, samples_.TimeAt(i + 1)) : until;
  return absl::StrCat("for ", Seconds(Elapsed(samples_.TimeAt(i), next)), " s");
}

std::string Explaining::RoleOfExtreme(size_t i) const {
  const std::string value = NumberText(type_, samples_.PointAt(i).bits);
  if (least_.has_value() && value == NumberText(type_, *least_)) return "the least";
  if (greatest_.has_value() && value == NumberText(type_, *greatest_)) return "the greatest";
  return "compared";
}

std::string Explaining::RoleOf(size_t i) const {
  const std::string bad = WhyBad(i);
  const bool good = samples_.IsGoodAt(i);
  const std::string not_good = bad.empty() ? "not taken: it is Uncertain" : bad;
  switch (aggregate_) {
    case A::kAnnotationCount:
    case A::kSampleCount:
      return "counted";
    case A::kStart:
      return i == first() ? "the oldest member" : "not looked at";
    case A::kEnd:
      return i + 1 == last() ? "the newest member" : "not looked at";
    case A::kWorstQuality:
    case A::kWorstQuality2: {
      const bool worst = value_.value.has_value() &&
                         SeverityOf(samples_.QualityAt(i)) == SeverityOf(static_cast<Quality>(*value_.value));
      return worst ? "as bad as the worst" : "compared";
    }
    case A::kInterpolative:
    case A::kStartBound:
    case A::kEndBound:
    case A::kDeltaBounds: {
      if (samples_.TimeAt(i) == start_ && aggregate_ != A::kEndBound && bad.empty())
        return "the bound at the start";
      if (!bad.empty()) return bad;
      const bool needed = (i == first() && aggregate_ != A::kEndBound && !samples_.stepped()) ||
                          (i + 1 == last() && (aggregate_ == A::kEndBound || aggregate_ == A::kDeltaBounds));
      return needed ? "beside the bound" : "not looked at";
    }
    case A::kAverage:
    case A::kSum:
    case A::kCount:
    case A::kStandardDeviationSample:
    case A::kVarianceSample:
    case A::kStandardDeviationPopulation:
    case A::kVariancePopulation:
      return good ? "counted" : not_good;
    case A::kDelta:
      if (!good) return not_good;
      if (i == newest_good_) return "the newest Good member";
      return i == oldest_good_ ? "the oldest Good member, subtracted" : "between the two that are taken";
    case A::kMinimum:
    case A::kMinimumActualTime:
    case A::kMaximum:
    case A::kMaximumActualTime:
    case A::kRange:
      return good ? RoleOfExtreme(i) : not_good;
    case A::kMinimum2:
    case A::kMinimumActualTime2:
    case A::kMaximum2:
    case A::kMaximumActualTime2:
    case A::kRange2:
      return bad.empty() ? RoleOfExtreme(i) : bad;
    case A::kNumberOfTransitions:
      if (!bad.empty()) return bad;
      return IsTransition(i) ? "another value than the one before: a transition"
                             : "the value of the one before";
    case A::kTimeAverage:
    case A::kTotal:
      return bad.empty() ? "a point of the line" : absl::StrCat(bad, "; the line goes over it");
    case A::kTimeAverage2:
    case A::kTotal2:
    case A::kDurationInStateZero:
    case A::kDurationInStateNonZero:
    case A::kDurationGood:
    case A::kDurationBad:
    case A::kPercentGood:
    case A::kPercentBad:
      return bad.empty() ? absl::StrCat("counts until the next sample, ", Lasts(i))
                         : absl::StrCat(bad, ", ", Lasts(i));
  }
  return "";
}

Explanation Explaining::Explain(size_t listed_max) {
  Explanation to;
  to.value = value_;
  to.members = last() - first();
  to.shares = Shares();
  TellBounds(&to);
  if (value_.value.has_value()) {
    const ValueType type = ResultTypeOf(aggregate_, type_);
    to.figures = type == ValueType::kString ? "" : Formula();
    const std::string value = type == ValueType::kString ? "" : NumberText(type, *value_.value);
    // A formula that is the value already is not told twice.
    if (!to.figures.empty() && to.figures != value && to.figures != Term(value)) {
      absl::StrAppend(&to.figures, " = ", value);
    }
  }
  const size_t front = to.members <= listed_max ? to.members : listed_max - listed_max / 2;
  for (size_t k = 0; k < to.members; ++k) {
    const bool at_end = to.members - k <= listed_max - front;
    if (k < front || at_end) to.listed.push_back({first() + k, RoleOf(first() + k)});
  }
  MeasureTime(&to);
  FindGaps(&to);
  return to;
}

}  // namespace

std::string FigureText(double number) {
  char text[32];
  const std::to_chars_result result = std::to_chars(text, text + sizeof(text), number);
  return std::string(text, result.ptr);
}

Explanation Explain(Aggregate aggregate, const DirectSamples& samples, Timestamp start, Timestamp end,
                    size_t listed_max) {
  return Explaining(aggregate, samples, start, end).Explain(listed_max);
}

}  // namespace historian
