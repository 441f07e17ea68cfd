#include "storage/aggregate/tally.h"

#include "storage/model/check.h"

namespace historian {
namespace {

bool Less(ValueType type, ValueBits a, ValueBits b) {
  if (type == ValueType::kFloat64) return Float64OfBits(a) < Float64OfBits(b);
  return IsFloat(type) ? ToDouble(type, a) < ToDouble(type, b) : Int64OfBits(a) < Int64OfBits(b);
}

// Of two runs' extremes: whether the value of the one that counts occurs again.
bool RepeatsIn(ValueType type, uint64_t good, const Sample& a, bool a_repeats, const Sample& b,
               bool b_repeats, bool least) {
  if (good == 0) return b_repeats;
  if (IsSameNumber(type, a.value, b.value)) return true;
  return Less(type, b.value, a.value) == least ? b_repeats : a_repeats;
}

}  // namespace

void MergeTally(ValueType type, const Tally& b, Tally* a, uint32_t parts) {
  HISTORIAN_CHECK(b.count > 0 && (a->count == 0 || a->last.time < b.first.time));
  if (IsNumeric(type) && b.good > 0) {
    if ((parts & kRepeats) != 0) {
      a->min_repeats = RepeatsIn(type, a->good, a->min, a->min_repeats, b.min, b.min_repeats, true);
      a->max_repeats = RepeatsIn(type, a->good, a->max, a->max_repeats, b.max, b.max_repeats, false);
    }
    if ((parts & kExtremes) != 0) {
      if (a->good == 0 || Less(type, b.min.value, a->min.value)) a->min = b.min;
      if (a->good == 0 || Less(type, a->max.value, b.max.value)) a->max = b.max;
    }
    if ((parts & kSums) != 0) a->sum.Add(b.sum);
    if ((parts & kSquares) != 0) a->sum_of_squares.Add(b.sum_of_squares);
  }
  if ((parts & kChanges) != 0) {
    const bool joined = IsNumeric(type) && a->good > 0 && b.good > 0;
    a->changes += b.changes + (joined && !IsSameNumber(type, a->last_usable.value, b.first_usable.value));
  }
  if ((parts & kQualities) != 0) {
    if (b.good > 0) {
      if (a->good == 0) a->first_usable = b.first_usable;
      a->last_usable = b.last_usable;
    }
    const Severity before = SeverityOf(a->worst), behind = SeverityOf(b.worst);
    if (a->count == 0 || behind > before) {
      a->worst = b.worst;
      a->worst_repeats = b.worst_repeats;
    } else if (behind == before && !IsGood(b.worst)) {
      a->worst_repeats = true;
    }
  }
  if (a->count == 0) a->first = b.first;
  a->last = b.last;
  a->count += b.count;
  a->good += b.good;
  a->uncertain += b.uncertain;
}

}  // namespace historian
