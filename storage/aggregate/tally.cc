#include "storage/aggregate/tally.h"

#include "storage/model/check.h"

namespace historian {
namespace {

bool Less(ValueType type, ValueBits a, ValueBits b) {
  if (type == ValueType::kFloat64) return Float64OfBits(a) < Float64OfBits(b);
  return IsFloat(type) ? ToDouble(type, a) < ToDouble(type, b) : Int64OfBits(a) < Int64OfBits(b);
}

}  // namespace

void MergeTally(ValueType type, const Tally& b, Tally* a, uint32_t parts) {
  HISTORIAN_CHECK(b.count > 0 && (a->count == 0 || a->last.time < b.first.time));
  if (IsNumeric(type) && b.good > 0) {
    if ((parts & kExtremes) != 0) {
      if (a->good == 0 || Less(type, b.min.value, a->min.value)) a->min = b.min;
      if (a->good == 0 || Less(type, a->max.value, b.max.value)) a->max = b.max;
    }
    if ((parts & kSums) != 0) a->sum.Add(b.sum);
    if ((parts & kSquares) != 0) a->sum_of_squares.Add(b.sum_of_squares);
  }
  if (a->count == 0) a->first = b.first;
  a->last = b.last;
  a->count += b.count;
  a->good += b.good;
  a->uncertain += b.uncertain;
}

}  // namespace historian
