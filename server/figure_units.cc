#include "server/figure_units.h"

#include "absl/strings/str_cat.h"
#include "server/selection.h"
#include "storage/model/status_macros.h"

namespace historian::server {
namespace {

// How a kind of figure follows from the unit of values.
enum class Derived { kValue, kSum, kDifference, kSquare, kTotal, kNone };

Derived DerivedOf(Aggregate aggregate) {
  switch (aggregate) {
    case Aggregate::kSum:
      return Derived::kSum;
    case Aggregate::kStandardDeviationSample:
    case Aggregate::kStandardDeviationPopulation:
      return Derived::kDifference;
    default:
      break;
  }
  switch (InfoOf(aggregate).result) {
    case AggregateResult::kSource:
    case AggregateResult::kNumber:
      return Derived::kValue;
    case AggregateResult::kDifference:
      return Derived::kDifference;
    case AggregateResult::kVariance:
      return Derived::kSquare;
    case AggregateResult::kTotal:
      return Derived::kTotal;
    case AggregateResult::kDuration:
    case AggregateResult::kPercent:
    case AggregateResult::kCount:
    case AggregateResult::kQuality:
      return Derived::kNone;
  }
  return Derived::kNone;
}

// Of value x seconds.
absl::StatusOr<TotalUnit> TotalOf(absl::string_view unit, absl::string_view total_time) {
  if (!total_time.empty()) return UnitOfTotal(unit, total_time);
  if (unit.empty()) return TotalUnit{"s"};
  const absl::StatusOr<Unit> known = Unit::Parse(unit);
  return TotalUnit{absl::StrCat(known.ok() ? known->Difference().ucum() : std::string(unit), ".s")};
}

}  // namespace

absl::StatusOr<FigureUnits> FigureUnits::Make(const TagRegistry& tags, Version as_of,
                                              std::vector<Aggregate> aggregates, absl::string_view asked,
                                              absl::string_view total_time) {
  ASSIGN_OR_RETURN(AnswerUnits units, AnswerUnits::Make(tags, as_of, asked));
  if (!total_time.empty()) RETURN_IF_ERROR(Annotate(UnitOfTotal("", total_time).status(), "total_time"));
  return FigureUnits(std::move(units), std::move(aggregates), asked, total_time);
}

absl::StatusOr<UnitsOfFigures> FigureUnits::For(TagId tag) {
  ASSIGN_OR_RETURN(const std::shared_ptr<const Tag> then, units_.Then(tag));
  RETURN_IF_ERROR(units_.For(*then).status());
  const auto known = by_unit_.find(then->unit);
  if (known != by_unit_.end()) return known->second;
  std::vector<FigureUnit> units;
  for (const Aggregate aggregate : aggregates_) {
    ASSIGN_OR_RETURN(units.emplace_back(), UnitOf(aggregate, *then));
  }
  auto shared = std::make_shared<const std::vector<FigureUnit>>(std::move(units));
  by_unit_.emplace(then->unit, shared);
  return shared;
}

absl::StatusOr<FigureUnit> FigureUnits::UnitOf(Aggregate aggregate, const Tag& tag) const {
  const Derived derived = DerivedOf(aggregate);
  const std::string& text = asked_.empty() ? tag.unit : asked_;
  FigureUnit unit;
  switch (derived) {
    case Derived::kValue:
    case Derived::kSum:
      unit.unit = text;
      break;
    case Derived::kDifference:
      unit.unit = UnitOfDifference(text);
      break;
    case Derived::kSquare:
      unit.unit = UnitOfVariance(text);
      break;
    case Derived::kTotal: {
      ASSIGN_OR_RETURN(TotalUnit total, TotalOf(text, total_time_));
      unit.unit = std::move(total.unit);
      unit.seconds = total.seconds;
      break;
    }
    case Derived::kNone:
      if (InfoOf(aggregate).result == AggregateResult::kDuration) unit.unit = "ms";
      if (InfoOf(aggregate).result == AggregateResult::kPercent) unit.unit = "%";
      return unit;
  }
  if (asked_.empty()) return unit;
  ASSIGN_OR_RETURN(const Unit from, Unit::Parse(tag.unit));
  ASSIGN_OR_RETURN(const Unit to, Unit::Parse(asked_));
  ASSIGN_OR_RETURN(const UnitConversion of_values, UnitConversion::Between(from, to));
  if ((derived == Derived::kSum || derived == Derived::kTotal) && of_values.offset() != 0) {
    return absl::InvalidArgumentError(absl::StrCat(
        TagLabel(tag), " has no ", InfoOf(aggregate).standard_name, " in ", asked_, ": the zeros of ",
        tag.unit, " and ", asked_, " differ, and it would add up the difference with each value"));
  }
  if (derived == Derived::kDifference || derived == Derived::kTotal) {
    ASSIGN_OR_RETURN(unit.conversion, UnitConversion::Between(from.Difference(), to.Difference()));
  } else if (derived == Derived::kSquare) {
    ASSIGN_OR_RETURN(const Unit from_square, from.Square());
    ASSIGN_OR_RETURN(const Unit to_square, to.Square());
    ASSIGN_OR_RETURN(unit.conversion, UnitConversion::Between(from_square, to_square));
  } else {
    unit.conversion = of_values;
  }
  return unit;
}

}  // namespace historian::server
