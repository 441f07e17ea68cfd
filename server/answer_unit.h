// File: server/answer_unit.h
//
// The unit in which a read answers the values of tags: the one that the request names, or each tag's own. What it promises is in
// proto/historian/v1/query.proto, "Units".
#ifndef HISTORIAN_SERVER_ANSWER_UNIT_H_
#define HISTORIAN_SERVER_ANSWER_UNIT_H_

#include <memory>
#include <optional>
#include <string>
#include <utility>

#include "absl/container/flat_hash_map.h"
#include "absl/status/statusor.h"
#include "absl/strings/string_view.h"
#include "storage/model/data_version.h"
#include "storage/model/samples.h"
#include "storage/model/tag.h"
#include "storage/model/value.h"
#include "storage/tags/tag_registry.h"
#include "storage/units/unit.h"

namespace historian::server {

// How the values of one tag become those of the answer.
class AnswerUnit {
 public:
  // As they are.
  explicit AnswerUnit(ValueType type) : from_(type), to_(type) {}
  AnswerUnit(ValueType type, UnitConversion conversion);

  // Of the values in the answer.
  ValueType type() const { return to_; }
  ValueBits Of(ValueBits value) const;
  // What there is no value for (BadNoData) stays as it is.
  void Convert(Samples* samples) const;

  // The limits between which, both included, the tag's own values lie that are from minimum to maximum in the answer, NaN apart.
  // None does: the first is above the second. Not for strings.
  std::pair<double, double> OwnRange(double minimum, double maximum) const;

 private:
  double InAnswer(double own) const;

  ValueType from_;
  ValueType to_;
  UnitConversion conversion_;
};

// The same for the tags of a request. Threads: one.
class AnswerUnits {
 public:
  // Errors: InvalidArgument, `asked` is neither empty nor a unit that is known.
  static absl::StatusOr<AnswerUnits> Make(const TagRegistry& tags, Version as_of, absl::string_view asked);

  // Whether a unit was asked for.
  bool any() const { return asked_.has_value(); }
  // The tag, which exists, as it was then. One that was created later, and has no samples then, is as it is now.
  // Errors: those of TagRegistry::FindAsOf.
  absl::StatusOr<std::shared_ptr<const Tag>> Then(TagId tag) const;
  // Errors: InvalidArgument, the tag has no unit, one that is not known or one of another dimension, or values that have none;
  // names the tag. Those of Then.
  absl::StatusOr<AnswerUnit> For(TagId tag, ValueType type);
  absl::StatusOr<AnswerUnit> For(const Tag& tag);

 private:
  AnswerUnits(const TagRegistry& tags, Version as_of, absl::string_view asked)
      : tags_(&tags), as_of_(as_of), text_(asked) {}

  const TagRegistry* tags_;
  Version as_of_;
  std::string text_;
  std::optional<Unit> asked_;
  absl::flat_hash_map<std::string, UnitConversion> by_unit_;  // Of those that tags had so far.
};

}  // namespace historian::server

#endif  // HISTORIAN_SERVER_ANSWER_UNIT_H_
