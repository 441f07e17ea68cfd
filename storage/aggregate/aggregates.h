// File: storage/aggregate/aggregates.h
//
// Aggregates made from the intervals of a fold. What each one is, is defined in direct_aggregates.h; names and kinds are in
// storage/model/aggregate.h. Values, statuses and times are those of the definition, bit for bit, whatever mixture of
// samples and summaries the interval was made from.
//
// To add an aggregate, add a row there and here, its definition, and a value to the enum in
// proto/historian/v1/query.proto.
//
// Source: OPC 10000-13, 5.4.3.
#ifndef HISTORIAN_STORAGE_AGGREGATE_AGGREGATES_H_
#define HISTORIAN_STORAGE_AGGREGATE_AGGREGATES_H_

#include <cstddef>
#include <cstdint>

#include "absl/types/span.h"
#include "storage/aggregate/figures.h"
#include "storage/aggregate/interval_fold.h"
#include "storage/model/aggregate.h"
#include "storage/model/aggregate_config.h"
#include "storage/model/quality.h"
#include "storage/model/value.h"

namespace historian {

// The value of an aggregate in an interval: an int64 or a double, as HasIntegers says (storage/model). Where
// there is no value: 0 or NaN, and a Bad status.
struct Figure {
  ValueBits value = 0;
  Quality status = kBadNoData;
  Timestamp time = 0;  // Of the interval's start, or its own (has_own_time).

  friend bool operator==(const Figure&, const Figure&) = default;
};

// What an aggregate needs of a fold: SummaryParts and IntervalParts.
uint32_t PartsOf(Aggregate aggregate);

// What folds are made with. `backward`: time runs backward in the intervals.
FoldConfig FoldConfigOf(const AggregateConfig& config, ValueType type, bool backward = false);

// Requires that the interval was folded with these parts and this configuration, and IsDefinedFor(aggregate, type). For
// strings: only aggregates that are no texts. On any thread.
Figure FigureOf(Aggregate aggregate, ValueType type, const AggregateConfig& config, const Interval& interval,
                bool backward = false);

// How much of the interval's time is Good, 0 to 1, by stepped regions as DurationGood. Requires kBounds.
double GoodShareOf(ValueType type, const AggregateConfig& config, const Interval& interval,
                   bool backward = false);

// Makes one column for each aggregate, in that order, of tags of one type; and behind each that has its own time a column
// of times, with status Good. The last column is that of GoodShareOf, with status Good.
FigureMaker MakerOf(absl::Span<const Aggregate> aggregates, ValueType type, const AggregateConfig& config,
                    bool backward = false);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_AGGREGATES_H_
