// File: storage/aggregate/tally.h
//
// Tally: what is known of the samples of a run one by one, without the time between them.
//
// A sample is *usable* when its severity is Good and its value is finite. A Good sample whose value is NaN or
// infinite counts as Bad here: it cannot be aggregated (it is stored and read back bit for bit all the same).
#ifndef HISTORIAN_STORAGE_AGGREGATE_TALLY_H_
#define HISTORIAN_STORAGE_AGGREGATE_TALLY_H_

#include <cmath>
#include <cstdint>

#include "storage/aggregate/exact_sum.h"
#include "storage/model/quality.h"
#include "storage/model/sample.h"
#include "storage/model/value.h"

namespace historian {

struct Tally {
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
  // Whether another usable sample has the value of min, of max.
  bool min_repeats = false;
  bool max_repeats = false;
  ExactSum sum;
  ExactSum sum_of_squares;

  // How many usable samples have another value than the usable sample before them in the run.
  uint64_t changes = 0;
  // When good > 0, for strings without their texts.
  Sample first_usable;
  Sample last_usable;
  // The first quality of the worst severity, and whether others are as bad. Good is never said to repeat.
  Quality worst = kGood;
  bool worst_repeats = false;

  uint64_t bad() const { return count - good - uncertain; }

  // `details`: there may be some.
  void Clear(bool details = true) {
    count = good = uncertain = 0;
    // One by one: copied from each other they would be read while being written.
    first = Sample();
    last = Sample();
    min = Sample();
    max = Sample();
    sum.Clear();
    sum_of_squares.Clear();
    if (details) ClearDetails();
  }
  void ClearDetails() {
    min_repeats = max_repeats = worst_repeats = false;
    changes = 0;
    first_usable = Sample();
    last_usable = Sample();
    worst = kGood;
  }

  friend bool operator==(const Tally&, const Tally&) = default;
};

// Which parts of a tally or summary a caller wants; the others may be left zero, which is much cheaper.
// Counts, durations, first and last are always there.
enum SummaryParts : uint32_t {
  kCounts = 0,
  kExtremes = 1 << 0,
  kSums = 1 << 1,
  kSquares = 1 << 2,
  kAreaStepped = 1 << 3,
  kAreaSloped = 1 << 4,
  kAreas = kAreaStepped | kAreaSloped,
  kCoreParts = kExtremes | kSums | kSquares | kAreas,

  // Details, which builds before archive format 4 did not have.
  kRepeats = 1 << 5,    // min_repeats and max_repeats. Needs kExtremes.
  kChanges = 1 << 6,    // Needs kQualities.
  kZeros = 1 << 7,      // Summary::zero_ns.
  kQualities = 1 << 8,  // first_usable, last_usable, worst, worst_repeats, Summary::unsure_ns.
  kDetails = kRepeats | kChanges | kZeros | kQualities,

  kAllParts = kCoreParts | kDetails,
};

// True if the sample takes part in numeric aggregates; for strings, if it is Good.
inline bool IsUsable(ValueType type, ValueBits value, Quality quality) {
  return IsGood(quality) && (!IsFloat(type) || std::isfinite(ToDouble(type, value)));
}

// Whether two usable values of a type that is not string are the same number.
inline bool IsSameNumber(ValueType type, ValueBits a, ValueBits b) {
  return IsFloat(type) ? ToDouble(type, a) == ToDouble(type, b) : a == b;
}

// Of two finite values of a type that is not string: negative, 0 or positive as a is less than, equal to or greater than b.
inline int CompareNumbers(ValueType type, ValueBits a, ValueBits b) {
  if (IsFloat(type)) {
    const double x = ToDouble(type, a), y = ToDouble(type, b);
    return x < y ? -1 : x > y ? 1 : 0;
  }
  const int64_t x = Int64OfBits(a), y = Int64OfBits(b);
  return x < y ? -1 : x > y ? 1 : 0;
}

// Appends b to a. Requires a->last.time < b.first.time and b.count > 0; a may be empty. Parts that are not
// requested do not change.
void MergeTally(ValueType type, const Tally& b, Tally* a, uint32_t parts);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_TALLY_H_
