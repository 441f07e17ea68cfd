// File: storage/aggregate/semantics.h
//
// docs/semantics.md: what aggregates are, for process engineers. Made from the table of aggregates, a text for each of them,
// and their values of an example; a test holds the document to it.
#ifndef HISTORIAN_STORAGE_AGGREGATE_SEMANTICS_H_
#define HISTORIAN_STORAGE_AGGREGATE_SEMANTICS_H_

#include <string>

#include "absl/strings/string_view.h"
#include "absl/types/span.h"
#include "storage/aggregate/direct_aggregates.h"
#include "storage/model/aggregate.h"

namespace historian {

// What people are told of an aggregate, in the order of kAggregates.
struct AggregateText {
  Aggregate id;
  absl::string_view formula;
  absl::string_view status;
  // The formula with the figures of the example put in: numbers, + - x / ( ) and sqrt. Empty where the value is no number.
  absl::string_view worked;
};
absl::Span<const AggregateText> AggregateTexts();

// The aggregate of the example: a tag and an interval of ten minutes.
StandardValue OfExample(Aggregate aggregate);

std::string SemanticsPage();

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_SEMANTICS_H_
