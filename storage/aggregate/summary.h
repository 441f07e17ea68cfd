// File: storage/aggregate/summary.h
//
// Summary: mergeable statistics of an ordered run of samples of one tag, the monoid that every aggregate,
// page header, dashboard query and report is a fold of.
//
// The run is what a reader sees: times rise strictly, of several samples at one time only the last written.
// A sample is *usable* when its severity is Good and its value is finite. A Good sample whose value is NaN or
// infinite counts as Bad here: it cannot be aggregated (it is stored and read back bit for bit all the same).
//
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
#include "storage/model/quality.h"
#include "storage/model/samples.h"
#include "storage/model/value.h"

namespace historian {

// One sample by value. For string tags `value` is 0: their text is not summarised.
struct Sample {
  Timestamp time = 0;
  ValueBits value = 0;
  Quality quality = kGood;

  friend bool operator==(const Sample&, const Sample&) = default;
};

struct Summary {
  uint64_t count = 0;      // All samples.
  uint64_t good = 0;       // Usable ones (for strings: Good ones).
  uint64_t uncertain = 0;  // Severity Uncertain. The rest, count - good - uncertain, is Bad.

  // When count > 0:
  Sample first;
  Sample last;

  // Over usable samples, when good > 0 and the type is numeric. Of equal extremes the earliest.
  // -0.0 and 0.0 are equal. Compared as int64 for int64, so exact at the extremes.
  Sample min;
  Sample max;
  ExactSum sum;
  ExactSum sum_of_squares;

  // Over the segments between first and last.
  uint64_t good_ns = 0;
  uint64_t uncertain_ns = 0;  // The rest of last.time - first.time is Bad.
  ExactSum area_stepped;
  ExactSum area_sloped;

  uint64_t bad() const { return count - good - uncertain; }
  uint64_t bad_ns() const { return count == 0 ? 0 : Elapsed(first.time, last.time) - good_ns - uncertain_ns; }

  friend bool operator==(const Summary&, const Summary&) = default;
};

// Which parts of a summary a caller wants; the others may be left zero, which is much cheaper. Counts,
// durations, first and last are always there.
enum SummaryParts : uint32_t {
  kCounts = 0,
  kExtremes = 1 << 0,
  kSums = 1 << 1,
  kSquares = 1 << 2,
  kAreaStepped = 1 << 3,
  kAreaSloped = 1 << 4,
  kAreas = kAreaStepped | kAreaSloped,
  kAllParts = kExtremes | kSums | kSquares | kAreas,
};

// Requires strictly ascending times and canonical values (IsCanonical). O(n); around a nanosecond per sample
// and part.
Summary Summarize(ValueType type, const SamplesView& samples, uint32_t parts = kAllParts);

// Appends b to a, the segment between them included. Requires a->last.time < b.first.time (either may be
// empty). Parts that are not asked for are left as they are: zero when a was empty.
void Merge(ValueType type, const Summary& b, Summary* a, uint32_t parts = kAllParts);

// True when the sample takes part in numeric aggregates. For strings: when it is Good.
bool IsUsable(ValueType type, ValueBits value, Quality quality);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_SUMMARY_H_
