#include "storage/aggregate/direct_interval.h"

#include <algorithm>
#include <cmath>
#include <limits>
#include <optional>

#include "storage/aggregate/at_time.h"
#include "storage/model/check.h"

namespace historian {
namespace {

bool IsPlaceholder(Quality quality) { return CodeOf(quality) == kBadNoData; }

Timestamp Later(Timestamp t, uint64_t ns) {
  return ns >= Elapsed(t, std::numeric_limits<Timestamp>::max())
             ? std::numeric_limits<Timestamp>::max()
             : static_cast<Timestamp>(static_cast<uint64_t>(t) + ns);
}

SamplesView InExtent(const SamplesView& samples, const DataExtent& extent) {
  size_t begin = 0;
  while (begin < samples.size && samples.times[begin] < extent.start) ++begin;
  size_t end = begin;
  while (end < samples.size && samples.times[end] < extent.end) ++end;
  return samples.Slice(begin, end - begin);
}

// Of the lengths or numbers that are Good and Bad, of a total.
Quality StatusOfShares(const AggregateConfig& config, uint64_t good, uint64_t bad, uint64_t total) {
  const auto reaches = [total](uint64_t part, int percent) {
    return static_cast<unsigned __int128>(part) * 100 >= static_cast<unsigned __int128>(total) * percent;
  };
  if (reaches(good, config.percent_data_good)) return kGood;
  if (reaches(bad, config.percent_data_bad)) return kBad;
  return kUncertainDataSubNormal;
}

}  // namespace

DataExtent ExtentOf(const SamplesView& samples, uint64_t resolution_ns) {
  size_t first = 0;
  while (first < samples.size && IsPlaceholder(samples.QualityAt(first))) ++first;
  if (first == samples.size) return {};
  size_t last = samples.size - 1;
  while (IsPlaceholder(samples.QualityAt(last))) --last;
  Timestamp end = Later(samples.times[last], resolution_ns);
  if (last + 1 < samples.size) end = std::min(end, samples.times[last + 1]);
  return {samples.times[first], end};
}

DirectSamples::DirectSamples(ValueType type, const SamplesView& samples, const DataExtent& extent,
                             const AggregateConfig& config)
    : type_(type), config_(config), extent_(extent), samples_(InExtent(samples, extent)) {
  HISTORIAN_CHECK(ValidateConfig(config).ok());
}

bool DirectSamples::IsFiniteAt(size_t i) const {
  return !IsFloat(type_) || std::isfinite(ToDouble(type_, samples_.values[i]));
}

bool DirectSamples::CountsAsBadAt(size_t i) const {
  const Quality quality = QualityAt(i);
  return IsBad(quality) || !IsFiniteAt(i) || (IsUncertain(quality) && config_.treat_uncertain_as_bad);
}

bool DirectSamples::SameValue(size_t i, size_t j) const {
  if (type_ == ValueType::kString) return samples_.StringAt(i) == samples_.StringAt(j);
  if (IsFloat(type_)) return ToDouble(type_, samples_.values[i]) == ToDouble(type_, samples_.values[j]);
  return samples_.values[i] == samples_.values[j];
}

PointInTime DirectSamples::PointAt(size_t i) const {
  PointInTime point = Held(i, TimeAt(i), true);
  point.has_value = !IsBad(QualityAt(i)) && IsFiniteAt(i);
  point.quality = QualityAt(i);
  point.is_sample = true;
  return point;
}

PointInTime DirectSamples::Held(size_t i, Timestamp t, bool good) const {
  PointInTime point;
  point.time = t;
  point.has_value = true;
  point.bits = samples_.values[i];
  if (IsNumeric(type_)) point.number = ToDouble(type_, point.bits);
  point.quality = (good ? kGood : kUncertainDataSubNormal) | kInfoInterpolated;
  point.from_bad = CountsAsBadAt(i);
  return point;
}

PointInTime DirectSamples::OnLineThrough(size_t i, size_t j, Timestamp t, bool good) const {
  PointInTime point = Held(i, t, good);
  const double a = ToDouble(type_, samples_.values[i]);
  const double b = ToDouble(type_, samples_.values[j]);
  const Timestamp ta = TimeAt(i), tb = TimeAt(j);
  point.exact = false;
  if (t <= tb) {
    const Sample before{ta, samples_.values[i], kGood}, after{tb, samples_.values[j], kGood};
    point.bits =
        *InterpolateAt(type_, Interpolation::kSloped, t, {std::nullopt, before, after, false}, false).value;
    point.number = OnLine(ta, a, tb, b, t);
    return point;
  }
  const std::optional<ValueAhead> ahead =
      ExtrapolateTo(type_, {ta, samples_.values[i], kGood}, {tb, samples_.values[j], kGood}, t);
  // A line that leaves the type's values is not followed.
  if (!ahead.has_value()) return Held(j, t, good);
  point.number = ahead->number;
  point.bits = ahead->bits;
  return point;
}

size_t DirectSamples::AtOrAfter(Timestamp t) const {
  size_t i = 0;
  while (i < size() && TimeAt(i) < t) ++i;
  return i;
}

PointInTime DirectSamples::SimpleBound(Timestamp t) const {
  PointInTime none;
  none.time = t;
  const size_t after = AtOrAfter(t);
  if (after < size() && TimeAt(after) == t) {
    PointInTime sample = PointAt(after);
    if (!CountsAsBadAt(after)) return sample;
    none.is_sample = true;
    none.from_bad = true;
    return none;
  }
  if (after == 0 || t >= extent_.end) return none;
  const size_t before = after - 1;
  if (stepped()) {
    return PointAt(before).has_value ? Held(before, t, IsGood(QualityAt(before))) : none;
  }
  if (CountsAsBadAt(before)) return none;
  if (after == size() || CountsAsBadAt(after)) return Held(before, t, false);
  return OnLineThrough(before, after, t, IsGoodAt(before) && IsGoodAt(after));
}

PointInTime DirectSamples::InterpolatedBound(Timestamp t, bool stepped) const {
  PointInTime none;
  none.time = t;
  const size_t at = AtOrAfter(t);
  const bool exact = at < size() && TimeAt(at) == t;
  if (exact && !CountsAsBadAt(at)) return PointAt(at);
  // Backward and forward over what counts as Bad.
  bool skipped = exact;
  size_t before = at;
  while (before > 0 && CountsAsBadAt(before - 1)) {
    --before;
    skipped = true;
  }
  if (before == 0) return none;
  --before;
  if (stepped) return Held(before, t, IsGoodAt(before) && !skipped && t < extent_.end);
  size_t after = at;
  while (after < size() && CountsAsBadAt(after)) {
    ++after;
    skipped = true;
  }
  if (after < size()) {
    return OnLineThrough(before, after, t, IsGoodAt(before) && IsGoodAt(after) && !skipped);
  }
  size_t second = before;
  while (second > 0 && CountsAsBadAt(second - 1)) --second;
  if (config_.use_sloped_extrapolation && second > 0) return OnLineThrough(second - 1, before, t, false);
  return Held(before, t, false);
}

DirectInterval::DirectInterval(const DirectSamples* samples, Timestamp start, Timestamp end)
    : samples_(samples), start_(start), end_(end) {
  HISTORIAN_CHECK(start != end);
  const auto belongs = [&](Timestamp t) {
    return backward() ? end_ < t && t <= start_ : start_ <= t && t < end_;
  };
  while (first_member_ < samples_->size() && !belongs(samples_->TimeAt(first_member_))) ++first_member_;
  last_member_ = first_member_;
  while (last_member_ < samples_->size() && belongs(samples_->TimeAt(last_member_))) ++last_member_;
}

Timestamp DirectInterval::EffectiveEndTime() const {
  const uint64_t unit = std::min(samples_->config().resolution_ns, Elapsed(early(), late()));
  return static_cast<Timestamp>(backward() ? static_cast<uint64_t>(end_) + unit
                                           : static_cast<uint64_t>(end_) - unit);
}

bool DirectInterval::OutsideData() const {
  const DataExtent& extent = samples_->extent();
  if (extent.empty() || early() >= extent.end) return true;
  return backward() ? late() < extent.start : late() <= extent.start;
}

bool DirectInterval::IsPartial() const {
  if (OutsideData()) return false;
  const DataExtent& extent = samples_->extent();
  if (early() < extent.start) return true;
  // The newest time that the data speak of.
  const uint64_t unit = std::min(samples_->config().resolution_ns, Elapsed(extent.start, extent.end));
  Timestamp newest = static_cast<Timestamp>(static_cast<uint64_t>(extent.end) - unit);
  if (samples_->size() > 0) newest = std::max(newest, samples_->TimeAt(samples_->size() - 1));
  return newest < late();
}

uint64_t DirectInterval::MeasuredNs() const {
  return Elapsed(early(), std::min(late(), samples_->extent().end));
}

std::vector<PointInTime> DirectInterval::PointsWithSimpleBounds() const {
  std::vector<PointInTime> points = {samples_->SimpleBound(early())};
  for (size_t i = 0; i < samples_->size(); ++i) {
    const Timestamp t = samples_->TimeAt(i);
    if (t <= early() || t >= late()) continue;
    PointInTime point = samples_->PointAt(i);
    if (samples_->CountsAsBadAt(i)) point.has_value = false;
    points.push_back(point);
  }
  points.push_back(samples_->SimpleBound(late()));
  return points;
}

std::vector<PointInTime> DirectInterval::CandidatesWithSimpleBounds() const {
  std::vector<PointInTime> points = PointsWithSimpleBounds();
  if (samples_->stepped() && !(backward() && points.back().is_sample)) points.pop_back();
  std::erase_if(points, [&](const PointInTime& point) {
    return !point.has_value || (samples_->config().treat_uncertain_as_bad && !IsGood(point.quality));
  });
  return points;
}

std::vector<PointInTime> DirectInterval::PointsWithInterpolatedBounds() const {
  const bool held = !CanSlope(samples_->type());
  std::vector<PointInTime> points;
  const PointInTime first = samples_->InterpolatedBound(early(), held);
  if (first.has_value) points.push_back(first);
  for (size_t i = 0; i < samples_->size(); ++i) {
    const Timestamp t = samples_->TimeAt(i);
    if (t > early() && t < late() && !samples_->CountsAsBadAt(i)) points.push_back(samples_->PointAt(i));
  }
  if (!points.empty()) points.push_back(samples_->InterpolatedBound(late(), held));
  return points;
}

std::vector<Region> DirectInterval::RegionsWithSimpleBounds(bool stepped) const {
  const std::vector<PointInTime> points = PointsWithSimpleBounds();
  const Timestamp measured_end = std::min(late(), samples_->extent().end);
  std::vector<Region> regions;
  for (size_t i = 0; i + 1 < points.size(); ++i) {
    const PointInTime& first = points[i];
    const PointInTime& next = points[i + 1];
    Region region;
    region.start = first.time;
    region.ns = Elapsed(first.time, i + 2 == points.size() ? measured_end : next.time);
    region.sureness = first.sureness();
    region.first = region.last = first;
    if (!stepped) {
      if (region.sureness == Sureness::kGood && next.sureness() != Sureness::kGood) {
        region.sureness = Sureness::kUncertain;
      }
      if (next.has_value) region.last = next;
    }
    regions.push_back(region);
  }
  return regions;
}

Quality DirectInterval::StatusByValues() const {
  uint64_t good = 0, bad = 0;
  for (size_t i = first_member_; i < last_member_; ++i) {
    if (samples_->CountsAsBadAt(i)) {
      ++bad;
    } else if (samples_->IsGoodAt(i)) {
      ++good;
    }
  }
  return StatusOfShares(samples_->config(), good, bad, last_member_ - first_member_);
}

Quality DirectInterval::StatusByTime(const std::vector<Region>& regions) const {
  uint64_t good = 0, bad = 0;
  for (const Region& region : regions) {
    const bool is_good = region.sureness == Sureness::kGood || (region.sureness == Sureness::kUncertain &&
                                                                !samples_->config().treat_uncertain_as_bad);
    (is_good ? good : bad) += region.ns;
  }
  return StatusOfShares(samples_->config(), good, bad, MeasuredNs());
}

void AddAreaOf(ValueType type, const PointInTime& first, const PointInTime& last, uint64_t ns,
               ExactSum* area) {
  for (const PointInTime* point : {&first, &last}) {
    if (IsFloat(type) || !point->exact) {
      area->AddHalfProduct(point->number, ns);
    } else {
      area->AddScaled(static_cast<__int128>(Int64OfBits(point->bits)) * ns, -1);
    }
  }
}

}  // namespace historian
