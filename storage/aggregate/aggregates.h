// File: storage/aggregate/aggregates.h
//
// What aggregates compute: one row each, from an Interval to a value and its status. Names and kinds are in
// storage/model/aggregate.h, in the same order. To add an aggregate, add a row to both tables and a value to
// the enum in proto/historian/v1/query.proto.
//
// Source: OPC 10000-13, 5.4.3.
#ifndef HISTORIAN_STORAGE_AGGREGATE_AGGREGATES_H_
#define HISTORIAN_STORAGE_AGGREGATE_AGGREGATES_H_

#include <cstdint>

#include "absl/types/span.h"
#include "storage/aggregate/figures.h"
#include "storage/aggregate/interval_fold.h"
#include "storage/model/aggregate.h"
#include "storage/model/quality.h"
#include "storage/model/value.h"

namespace historian {

// How aggregates are computed (OPC 10000-13, 4.2.1.2, AggregateConfiguration). There is one way so far, so
// nothing can be set. In the words of the standard it is:
//
//   TreatUncertainAsBad     true    only Good samples are usable
//   PercentDataGood         100     a status is Good when all of the time is
//   PercentDataBad          100     and Bad when none is
//   UseSlopedExtrapolation  false   past the newest sample there is no data
//
// A field that is added belongs in the id of makers, too (MakerOf).
struct AggregateConfig {};

// Which samples outside an interval an aggregate depends on.
enum class BoundsNeeded : uint8_t {
  kNone,
  kSimple,  // The nearest on either side, whatever their quality (3.1.9 simple bounding values).
};

// The value of an aggregate in an interval: an int64 or a double, as HasIntegers says (storage/model). Where
// there is no value: 0 or NaN, and a Bad status.
struct Figure {
  ValueBits value = 0;
  Quality status = kBadNoData;

  friend bool operator==(const Figure&, const Figure&) = default;
};

struct AggregateRow {
  Aggregate id;
  uint32_t parts;  // SummaryParts that it looks at.
  // Of its value. Every status depends on the time of the interval, and so on simple bounds.
  BoundsNeeded bounds;
  // Requires the parts in the interval. `time_status` is StatusOf(interval), which all rows have in common. On any
  // thread.
  Figure (*compute)(ValueType type, const Interval& interval, Quality time_status,
                    const AggregateConfig& config);
};

// In the order of their numbers.
absl::Span<const AggregateRow> AggregateRows();
const AggregateRow& RowOf(Aggregate aggregate);

// Makes one column for each aggregate, in that order, of tags of one type.
FigureMaker MakerOf(absl::Span<const Aggregate> aggregates, ValueType type, const AggregateConfig& config);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_AGGREGATES_H_
