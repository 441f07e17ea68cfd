#include "storage/aggregate/process_aggregates.h"

#include <algorithm>
#include <boost/multiprecision/cpp_int.hpp>
#include <cmath>
#include <cstddef>
#include <optional>
#include <vector>

#include "absl/strings/str_cat.h"
#include "storage/aggregate/exact_sum.h"
#include "storage/model/check.h"

namespace historian {
namespace {

using Rational = boost::multiprecision::cpp_rational;

constexpr Quality kBadNotSupported = 0x803D0000;
constexpr double kZeroCelsius = 273.15;  // In kelvin.

StandardValue NoData(const DirectInterval& interval) { return {std::nullopt, kBadNoData, interval.start()}; }

StandardValue Result(const DirectInterval& interval, std::optional<double> number, Quality status) {
  StandardValue value = {std::nullopt, status | (interval.IsPartial() ? kInfoPartial : 0), interval.start()};
  if (number.has_value() && !IsBad(status)) value.value = BitsOfFloat64(*number);
  return value;
}
StandardValue Nothing(const DirectInterval& interval) { return Result(interval, std::nullopt, kBadNoData); }

std::vector<Region> CountedRegions(const std::vector<Region>& regions) {
  std::vector<Region> counted;
  for (const Region& region : regions) {
    if (region.first.has_value && !region.first.from_bad && region.ns > 0) counted.push_back(region);
  }
  return counted;
}

Rational RationalOf(ValueType type, const PointInTime& point) {
  if (IsFloat(type) || !point.exact) return Rational(point.number);
  return Rational(Int64OfBits(point.bits));
}

double Rounded(const Rational& rational) { return rational.convert_to<double>(); }

StandardValue PercentileBySample(const DirectInterval& interval, double percent) {
  const DirectSamples& samples = interval.samples();
  std::vector<Rational> values;
  for (size_t i = interval.first_member(); i < interval.last_member(); ++i) {
    if (samples.IsGoodAt(i)) values.push_back(RationalOf(samples.type(), samples.PointAt(i)));
  }
  if (values.empty()) return Nothing(interval);
  std::sort(values.begin(), values.end());
  const Rational h = Rational(percent) * (values.size() - 1) / 100;
  const size_t below = static_cast<size_t>(numerator(h) / denominator(h));
  const size_t above = std::min(below + 1, values.size() - 1);
  const Rational value = values[below] + (values[above] - values[below]) * (h - Rational(below));
  const Quality status = interval.StatusByValues();
  return Result(interval, Rounded(value), IsBad(status) ? status : status | kInfoCalculated);
}

// A region whose value goes evenly from `least` to `greatest`, or the other way.
struct Slope {
  Rational least;
  Rational greatest;
  uint64_t ns;
};

// The time spent below v, or also at v.
Rational TimeBelow(const std::vector<Slope>& slopes, const Rational& v, bool or_at) {
  Rational ns = 0;
  for (const Slope& slope : slopes) {
    if (slope.greatest < v || (or_at && slope.greatest == v)) {
      ns += slope.ns;
    } else if (slope.least < v) {
      ns += (v - slope.least) / (slope.greatest - slope.least) * slope.ns;
    }
  }
  return ns;
}

StandardValue PercentileByTime(const DirectInterval& interval, double percent) {
  const DirectSamples& samples = interval.samples();
  const std::vector<Region> regions = interval.RegionsWithSimpleBounds(samples.stepped());
  std::vector<Slope> slopes;
  std::vector<Rational> breaks;  // Between two of them the time below grows evenly.
  Rational whole = 0;
  for (const Region& region : CountedRegions(regions)) {
    const Rational first = RationalOf(samples.type(), region.first),
                   last = RationalOf(samples.type(), region.last);
    slopes.push_back({std::min(first, last), std::max(first, last), region.ns});
    breaks.push_back(first);
    breaks.push_back(last);
    whole += region.ns;
  }
  if (slopes.empty()) return Nothing(interval);
  std::sort(breaks.begin(), breaks.end());
  const Rational target = whole * Rational(percent) / 100;
  size_t i = 0;
  while (TimeBelow(slopes, breaks[i], true) < target) ++i;
  Rational value = breaks[i];
  if (i > 0 && breaks[i - 1] < breaks[i]) {
    const Rational from = TimeBelow(slopes, breaks[i - 1], true), to = TimeBelow(slopes, breaks[i], false);
    if (target <= to && from < to)
      value = breaks[i - 1] + (breaks[i] - breaks[i - 1]) * (target - from) / (to - from);
  }
  return Result(interval, Rounded(value), interval.StatusByTime(regions) | kInfoCalculated);
}

absl::Status CheckPositive(absl::string_view what, double number) {
  if (std::isfinite(number) && number > 0) return absl::OkStatus();
  return absl::InvalidArgumentError(absl::StrCat(what, " is ", number, "; it must be a number above 0"));
}

}  // namespace

absl::Status ValidatePercentile(double percent) {
  if (percent >= 0 && percent <= 100) return absl::OkStatus();
  return absl::InvalidArgumentError(
      absl::StrCat("a percentile of ", percent, " is none; it lies from 0 to 100"));
}

StandardValue Percentile(const DirectInterval& interval, double percent, Weighting weighting) {
  HISTORIAN_CHECK(ValidatePercentile(percent).ok());
  HISTORIAN_CHECK(IsNumeric(interval.samples().type()));
  if (interval.OutsideData()) return NoData(interval);
  return weighting == Weighting::kBySample ? PercentileBySample(interval, percent)
                                           : PercentileByTime(interval, percent);
}

absl::Status ValidateKinetic(const KineticModel& model) {
  return CheckPositive("the activation energy over the gas constant, in kelvin,", model.activation_k);
}

StandardValue MeanKineticTemperature(const DirectInterval& interval, const KineticModel& model) {
  HISTORIAN_CHECK(ValidateKinetic(model).ok());
  HISTORIAN_CHECK(IsNumeric(interval.samples().type()));
  if (interval.OutsideData()) return NoData(interval);
  const std::vector<Region> regions = interval.RegionsWithSimpleBounds(interval.samples().stepped());
  const std::vector<Region> counted = CountedRegions(regions);
  if (counted.empty()) return Nothing(interval);
  double least = counted[0].first.number, greatest = least;
  for (const Region& region : counted) {
    least = std::min({least, region.first.number, region.last.number});
    greatest = std::max({greatest, region.first.number, region.last.number});
  }
  if (least <= -kZeroCelsius) return Result(interval, std::nullopt, kBadOutOfRange | kInfoCalculated);
  if (greatest <= 0) return Result(interval, std::nullopt, kBadNotSupported | kInfoCalculated);
  // Rates in units of the greatest, which is e^-33 at room temperature.
  const double k = model.activation_k;
  const double greatest_exponent = -k / (greatest + kZeroCelsius);
  ExactSum sum;
  uint64_t ns = 0;
  for (const Region& region : counted) {
    for (const PointInTime* point : {&region.first, &region.last}) {
      sum.AddHalfProduct(std::exp(-k / (point->number + kZeroCelsius) - greatest_exponent), region.ns);
    }
    ns += region.ns;
  }
  const double kelvin = -k / (std::log(sum.DividedBy(ns)) + greatest_exponent);
  return Result(interval, kelvin - kZeroCelsius, interval.StatusByTime(regions) | kInfoCalculated);
}

absl::Status ValidateLethality(const LethalityModel& model) {
  absl::Status status = CheckPositive("the z value of a lethality, in kelvin,", model.z_k);
  if (!status.ok()) return status;
  if (!std::isfinite(model.base) || model.base <= 1) {
    return absl::InvalidArgumentError(
        absl::StrCat("the base of a lethality is ", model.base, "; it must be above 1"));
  }
  if (!std::isfinite(model.reference_c) || !std::isfinite(model.lowest_c)) {
    return absl::InvalidArgumentError("the temperatures of a lethality must be finite");
  }
  if (model.unit_ns == 0) return absl::InvalidArgumentError("the unit of time of a lethality is 0 ns");
  return absl::OkStatus();
}

StandardValue Lethality(const DirectInterval& interval, const LethalityModel& model) {
  HISTORIAN_CHECK(ValidateLethality(model).ok());
  HISTORIAN_CHECK(IsNumeric(interval.samples().type()));
  if (interval.OutsideData()) return NoData(interval);
  const std::vector<Region> regions = interval.RegionsWithSimpleBounds(interval.samples().stepped());
  const std::vector<Region> counted = CountedRegions(regions);
  if (counted.empty()) return Nothing(interval);
  const auto rate = [&](double celsius) {
    return celsius < model.lowest_c ? 0 : std::pow(model.base, (celsius - model.reference_c) / model.z_k);
  };
  ExactSum sum;
  for (const Region& region : counted) {
    for (const PointInTime* point : {&region.first, &region.last}) {
      const double r = rate(point->number);
      if (!std::isfinite(r)) return Result(interval, std::nullopt, kBadOutOfRange | kInfoCalculated);
      sum.AddHalfProduct(r, region.ns);
    }
  }
  const bool sure = std::all_of(regions.begin(), regions.end(),
                                [](const Region& region) { return region.sureness == Sureness::kGood; }) &&
                    interval.MeasuredNs() == Elapsed(interval.early(), interval.late());
  return Result(interval, sum.DividedBy(model.unit_ns),
                (sure ? kGood : kUncertainDataSubNormal) | kInfoCalculated);
}

}  // namespace historian
