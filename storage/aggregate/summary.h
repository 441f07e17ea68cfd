// File: storage/aggregate/summary.h
//
// Summary: mergeable statistics of an ordered run of samples of one tag, the monoid that every aggregate,
// page header, dashboard query and report is a fold of.
//
// The run is what a reader sees: times rise strictly, of several samples at one time only the last written.
// Between two consecutive samples a and b lies a *segment*; it has the severity of a (Bad when a is Good but
// not finite). Good segments have an area, in value x nanoseconds:
//   stepped   a.value * (b.time - a.time)
//   sloped    (a.value + b.value) / 2 * (b.time - a.time) if b is usable, else as stepped
// (OPC 10000-13, 3.1.8 and 5.4.3: simple bounding values.)
//
// Merging is associative, and Summarize(all) == Merge(Summarize(left), Summarize(right)) field by field, for
// every split: the sums are exact.
#ifndef HISTORIAN_STORAGE_AGGREGATE_SUMMARY_H_
#define HISTORIAN_STORAGE_AGGREGATE_SUMMARY_H_

#include <cstdint>

#include "storage/aggregate/exact_sum.h"
#include "storage/aggregate/tally.h"
#include "storage/model/samples.h"
#include "storage/model/value.h"

namespace historian {

struct Summary : Tally {
  // Over the segments between first and last.
  uint64_t good_ns = 0;
  uint64_t uncertain_ns = 0;  // The rest of last.time - first.time is Bad.
  // Of good_ns: what ends in a sample that is not usable. Between sloped values it is Uncertain (5.4.3.2.2).
  uint64_t unsure_ns = 0;
  uint64_t zero_ns = 0;  // Of good_ns: what begins with the value zero.
  ExactSum area_stepped;
  ExactSum area_sloped;

  // The parts that are there (SummaryParts). What was stored by an earlier build lacks the details.
  uint32_t parts = 0;

  uint64_t bad_ns() const { return count == 0 ? 0 : Elapsed(first.time, last.time) - good_ns - uncertain_ns; }

  friend bool operator==(const Summary&, const Summary&) = default;
};

// Requires strictly ascending times and canonical values (IsCanonical). O(n); around a nanosecond per sample
// and part.
Summary Summarize(ValueType type, const SamplesView& samples, uint32_t parts = kAllParts);

// Appends b to a, with the segment between them. Requires a->last.time < b.first.time, unless one is empty, and that
// both have the parts. Parts that are not requested do not change; they are zero if a was empty.
void Merge(ValueType type, const Summary& b, Summary* a, uint32_t parts = kAllParts);

// The summary with kCoreParts alone, as builds without details have it.
Summary WithoutDetails(Summary summary);

// Adds to the parts of a summary that has kCoreParts those details that follow from them.
void DeriveDetails(ValueType type, Summary* summary);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_SUMMARY_H_
