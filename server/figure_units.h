// File: server/figure_units.h
//
// The units of aggregates in an answer: what their values are converted by, and what they are in then. Values and means are
// converted as values of the tag, differences without the zero, variances by the square, totals with a unit of time.
// Source: proto/historian/v1/query.proto, "Units", ReadProcessedRequest.unit and total_time.
#ifndef HISTORIAN_SERVER_FIGURE_UNITS_H_
#define HISTORIAN_SERVER_FIGURE_UNITS_H_

#include <memory>
#include <string>
#include <utility>
#include <vector>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "server/answer_unit.h"
#include "storage/model/aggregate.h"
#include "storage/model/data_version.h"
#include "storage/model/tag.h"
#include "storage/tags/tag_registry.h"
#include "storage/units/unit.h"

namespace historian::server {

// How the values of one aggregate of a tag become those of the answer.
struct FigureUnit {
  std::string unit;  // In the answer; empty: none.
  UnitConversion conversion;
  double seconds = 1;  // What is converted is then divided by this.

  bool is_identity() const { return conversion.is_identity() && seconds == 1; }
  double operator()(double value) const { return conversion(value) / seconds; }
};
// Of the aggregates of a request, in their order.
using UnitsOfFigures = std::shared_ptr<const std::vector<FigureUnit>>;

// Threads: one.
class FigureUnits {
 public:
  // `asked` and `total_time` may be empty. The registry must outlive it.
  // Errors: InvalidArgument, asked is no unit that is known, total_time no unit of time.
  static absl::StatusOr<FigureUnits> Make(const TagRegistry& tags, Version as_of,
                                          std::vector<Aggregate> aggregates, absl::string_view asked,
                                          absl::string_view total_time);

  // Requires that the tag exists.
  // Errors: those of AnswerUnits::For; InvalidArgument, an aggregate that adds up values would add up zeros of two kinds.
  absl::StatusOr<UnitsOfFigures> For(TagId tag);

 private:
  FigureUnits(AnswerUnits units, std::vector<Aggregate> aggregates, absl::string_view asked,
              absl::string_view total_time)
      : units_(std::move(units)),
        aggregates_(std::move(aggregates)),
        asked_(asked),
        total_time_(total_time) {}

  absl::StatusOr<FigureUnit> UnitOf(Aggregate aggregate, const Tag& tag) const;

  AnswerUnits units_;
  std::vector<Aggregate> aggregates_;
  std::string asked_;
  std::string total_time_;
  absl::flat_hash_map<std::string, UnitsOfFigures> by_unit_;  // Of those that tags had so far.
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_FIGURE_UNITS_H_
