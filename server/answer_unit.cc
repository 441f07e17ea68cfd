#include "server/answer_unit.h"

#include <bit>
#include <cstdint>
#include <limits>

#include "absl/strings/str_cat.h"
#include "server/selection.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

// Doubles in their order, as integers; NaN apart.
int64_t PlaceOf(double value) {
  const auto bits = std::bit_cast<int64_t>(value);
  return bits < 0 ? std::numeric_limits<int64_t>::min() - bits : bits;
}
double DoubleAt(int64_t place) {
  return std::bit_cast<double>(place < 0 ? std::numeric_limits<int64_t>::min() - place : place);
}

// The first place in [low, high] at which `is` holds, if it holds from there on; high + 1 if nowhere.
template <class Is>
int64_t FirstPlace(int64_t low, int64_t high, Is is) {
  ++high;
  while (low < high) {
    const int64_t middle = static_cast<int64_t>(
        static_cast<uint64_t>(low) + (static_cast<uint64_t>(high) - static_cast<uint64_t>(low)) / 2);
    if (is(DoubleAt(middle))) {
      high = middle;
    } else {
      low = middle + 1;
    }
  }
  return low;
}

}  // namespace

AnswerUnit::AnswerUnit(ValueType type, UnitConversion conversion)
    : from_(type),
      to_(type == ValueType::kInt64 && !conversion.is_identity() ? ValueType::kFloat64 : type),
      conversion_(conversion) {}

ValueBits AnswerUnit::Of(ValueBits value) const {
  if (conversion_.is_identity()) return value;
  const double converted = conversion_(ToDouble(from_, value));
  return to_ == ValueType::kFloat32 ? BitsOfFloat32(static_cast<float>(converted)) : BitsOfFloat64(converted);
}

void AnswerUnit::Convert(Samples* samples) const {
  if (conversion_.is_identity()) return;
  const SamplesView view = samples->View();
  for (size_t i = 0; i < view.size; ++i) {
    if (CodeOf(view.QualityAt(i)) != kBadNoData) samples->values[i] = Of(samples->values[i]);
  }
}

double AnswerUnit::InAnswer(double own) const {
  const double converted = conversion_(own);
  return to_ == ValueType::kFloat32 ? static_cast<float>(converted) : converted;
}

std::pair<double, double> AnswerUnit::OwnRange(double minimum, double maximum) const {
  if (conversion_.is_identity()) return {minimum, maximum};
  // A conversion keeps the order, so the limits are found by halving.
  const double infinity = std::numeric_limits<double>::infinity();
  const int64_t lowest = PlaceOf(-infinity), highest = PlaceOf(infinity);
  const int64_t first = FirstPlace(lowest, highest, [&](double own) { return InAnswer(own) >= minimum; });
  const int64_t behind = FirstPlace(lowest, highest, [&](double own) { return InAnswer(own) > maximum; });
  if (first >= behind) return {infinity, -infinity};
  return {DoubleAt(first), DoubleAt(behind - 1)};
}

absl::StatusOr<AnswerUnits> AnswerUnits::Make(const TagRegistry& tags, Version as_of,
                                              absl::string_view asked) {
  AnswerUnits units(tags, as_of, asked);
  if (!asked.empty()) {
    ASSIGN_OR_RETURN(units.asked_, Unit::Parse(asked));
  }
  return units;
}

absl::StatusOr<std::shared_ptr<const Tag>> AnswerUnits::Then(TagId tag) const {
  if (as_of_ != kVersionNow) {
    ASSIGN_OR_RETURN(std::shared_ptr<const Tag> then, tags_->FindAsOf(tag, as_of_));
    if (then != nullptr) return then;
  }
  return tags_->Find(tag);
}

absl::StatusOr<AnswerUnit> AnswerUnits::For(TagId tag, ValueType type) {
  if (!any()) return AnswerUnit(type);
  ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> then, Then(tag));
  return For(*then);
}

absl::StatusOr<AnswerUnit> AnswerUnits::For(const Tag& tag) {
  if (!any()) return AnswerUnit(tag.type);
  if (!IsFloat(tag.type) && tag.type != ValueType::kInt64) {
    return absl::InvalidArgumentError(absl::StrCat(TagLabel(tag), " is of type ", ValueTypeName(tag.type),
                                                   ", which has no unit: it cannot be read in ", text_));
  }
  if (tag.unit.empty()) {
    return absl::InvalidArgumentError(
        absl::StrCat(TagLabel(tag), " has no unit: it cannot be read in ", text_));
  }
  const auto known = by_unit_.find(tag.unit);
  if (known != by_unit_.end()) return AnswerUnit(tag.type, known->second);
  const absl::StatusOr<Unit> unit = Unit::Parse(tag.unit);
  if (!unit.ok()) return Annotate(unit.status(), absl::StrCat("the unit of ", TagLabel(tag)));
  const absl::StatusOr<UnitConversion> conversion = UnitConversion::Between(*unit, *asked_);
  if (!conversion.ok()) return Annotate(conversion.status(), TagLabel(tag));
  by_unit_.emplace(tag.unit, *conversion);
  return AnswerUnit(tag.type, *conversion);
}

}  // namespace historian::server
