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
  ExactSum sum;
  ExactSum sum_of_squares;

  uint64_t bad() const { return count - good - uncertain; }

  void Clear() {
    count = good = uncertain = 0;
    // One by one: copied from each other they would be read while being written.
    first = Sample();
    last = Sample();
    min = Sample();
    max = Sample();
    sum.Clear();
    sum_of_squares.Clear();
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
  kAllParts = kExtremes | kSums | kSquares | kAreas,
};

// True if the sample takes part in numeric aggregates; for strings, if it is Good.
inline bool IsUsable(ValueType type, ValueBits value, Quality quality) {
  return IsGood(quality) && (!IsFloat(type) || std::isfinite(ToDouble(type, value)));
}

// Appends b to a. Requires a->last.time < b.first.time and b.count > 0; a may be empty. Parts that are not
// requested do not change.
void MergeTally(ValueType type, const Tally& b, Tally* a, uint32_t parts);

}  // namespace historian

#endif  // HISTORIAN_STORAGE_AGGREGATE_TALLY_H_
