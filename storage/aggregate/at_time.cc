#include "storage/aggregate/at_time.h"

#include <algorithm>
#include <cmath>
#include <limits>

namespace historian {
namespace {

// The same line for integers: exact, then rounded to nearest, halves away from a.
int64_t IntOnLine(Timestamp ta, int64_t a, Timestamp tb, int64_t b, Timestamp t) {
  const uint64_t from = static_cast<uint64_t>(a);
  const uint64_t rise = a <= b ? static_cast<uint64_t>(b) - from : from - static_cast<uint64_t>(b);
  const uint64_t whole = Elapsed(ta, tb);
  const unsigned __int128 scaled = static_cast<unsigned __int128>(rise) * Elapsed(ta, t);
  const uint64_t step = static_cast<uint64_t>((scaled + whole / 2) / whole);
  return static_cast<int64_t>(a <= b ? from + step : from - step);
}

ValueBits BitsOnLine(ValueType type, const Sample& before, const Sample& after, Timestamp t) {
  if (type == ValueType::kInt64) {
    return BitsOfInt64(
        IntOnLine(before.time, Int64OfBits(before.value), after.time, Int64OfBits(after.value), t));
  }
  const double value =
      OnLine(before.time, ToDouble(type, before.value), after.time, ToDouble(type, after.value), t);
  return type == ValueType::kFloat32 ? BitsOfFloat32(static_cast<float>(value)) : BitsOfFloat64(value);
}

}  // namespace

bool CountsAsBound(ValueType type, ValueBits value, Quality quality, bool uncertain_as_bad) {
  if (IsBad(quality) || (IsUncertain(quality) && uncertain_as_bad)) return false;
  return IsUsable(type, value, kGood);
}

ValueAtTime InterpolateAt(ValueType type, Interpolation interpolation, Timestamp t,
                          const Neighbours& neighbours, bool uncertain_as_bad) {
  const auto& [exact, before, after, skipped] = neighbours;
  if (exact.has_value() && CountsAsBound(type, exact->value, exact->quality, uncertain_as_bad)) {
    return {exact->value, exact->quality};
  }
  if (!before.has_value()) return {std::nullopt, kBadNoData};
  const bool sloped = interpolation == Interpolation::kSloped && CanSlope(type);
  bool good = IsGood(before->quality) && after.has_value() && !skipped && !exact.has_value();
  if (sloped && after.has_value()) good = good && IsGood(after->quality);
  const Quality quality = (good ? kGood : kUncertainDataSubNormal) | kInfoInterpolated;
  if (sloped && after.has_value()) return {BitsOnLine(type, *before, *after, t), quality};
  return {before->value, quality};
}

double OnLine(Timestamp ta, double a, Timestamp tb, double b, Timestamp t) {
  const double share = static_cast<double>(Elapsed(ta, t)) / static_cast<double>(Elapsed(ta, tb));
  const double rise = b - a;
  // A rise beyond the doubles is that of ends of opposite signs, which may be weighed one by one.
  const double value = std::isfinite(rise) ? a + rise * share : a * (1 - share) + b * share;
  return std::clamp(value, std::min(a, b), std::max(a, b));
}

std::optional<ValueAhead> ExtrapolateTo(ValueType type, const Sample& a, const Sample& b, Timestamp t) {
  constexpr double kInt64Limit = 9223372036854774784.0;  // The largest double below 2^63.
  const double from = ToDouble(type, a.value), to = ToDouble(type, b.value);
  const double share = static_cast<double>(Elapsed(b.time, t)) / static_cast<double>(Elapsed(a.time, b.time));
  const double number = to + (to - from) * share;
  switch (type) {
    case ValueType::kInt64:
      if (!(std::fabs(number) <= kInt64Limit)) return std::nullopt;
      return ValueAhead{number, BitsOfInt64(std::llround(number))};
    case ValueType::kFloat32:
      if (!(std::fabs(number) <= std::numeric_limits<float>::max())) return std::nullopt;
      return ValueAhead{number, BitsOfFloat32(static_cast<float>(number))};
    default:
      if (!std::isfinite(number)) return std::nullopt;
      return ValueAhead{number, BitsOfFloat64(number)};
  }
}

}  // namespace historian
